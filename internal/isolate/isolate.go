// Package isolate takes rights away from the processes of workers: the network, the
// files of others, other processes, and capabilities. The kernel keeps these limits per
// thread, and a process inherits those of the thread that starts it. So a thread gives
// up its rights and then starts the process; the rest of the server is not affected.
package isolate

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// Policy says what a process may do beyond the minimum, which is to read the system's
// programs and libraries.
type Policy struct {
	// Network allows sockets of all families, not only of the same machine.
	Network bool
	// NoSockets refuses sockets of the same machine, too.
	NoSockets bool
	// AllFiles allows all files that the server's user can use.
	AllFiles bool
	// Read are files and folders that the process may read and execute.
	Read []string
	// Write are files and folders that the process may change, too.
	Write []string
}

// Support says what the kernel offers.
type Support struct {
	// Network is why the network cannot be refused; nil if it can.
	Network error
	// Files is why files cannot be refused; nil if they can.
	Files error
	// Version is Landlock's version; 0 if it is not available.
	Version int
	// Signals reports whether signals to other processes can be refused.
	Signals bool
}

// Probe finds out what the kernel offers by using it, in a thread that ends after that.
func Probe() Support {
	found := make(chan Support, 1)
	Thread(func() {
		s := Support{Version: landlockVersion()}
		s.Signals = s.Version >= signalVersion && signalsFixed()
		if err := noNewPrivileges(); err != nil {
			s.Network, s.Files = err, err
		} else {
			s.Files = restrictFiles(Policy{})
			s.Network = refuseCalls(Policy{})
		}
		found <- s
	})
	return <-found
}

// Lacks returns what workers can do because the kernel cannot refuse it, each as half a
// sentence.
func (s Support) Lacks() []string {
	var lacks []string
	if s.Network != nil {
		lacks = append(lacks, fmt.Sprintf("workers can use the network (no seccomp filters: %v)", s.Network))
	}
	switch {
	case s.Files != nil:
		lacks = append(lacks, fmt.Sprintf("workers can use all files of the server's user (no Landlock, which needs Linux 5.13: %v)", s.Files))
	case s.Version < truncateVersion:
		lacks = append(lacks, fmt.Sprintf("workers can shorten files that they may only read (Landlock has version %d; %d needs Linux 6.2)", s.Version, truncateVersion))
	}
	if s.Files != nil || s.Version < signalVersion {
		lacks = append(lacks, fmt.Sprintf("workers can connect to unix sockets without a file (Landlock has version %d; %d needs Linux 6.12)", s.Version, signalVersion))
	}
	if s.Files == nil && !s.Signals {
		lacks = append(lacks, fmt.Sprintf("workers can send signals to other processes of the server's user (Landlock has version %d; %d needs Linux 6.12, with its corrections)", s.Version, signalVersion))
	}
	return lacks
}

// Enter gives up all rights of the calling thread that the policy does not name, for
// good. What the kernel does not offer, as support says, is left out; anything else
// that fails is an error. Call it in a Thread.
func Enter(p Policy, support Support) error {
	if err := noNewPrivileges(); err != nil && support.Network == nil {
		return err
	}
	if err := dropCapabilities(); err != nil {
		return err
	}
	if support.Files == nil {
		if err := restrictFiles(p); err != nil {
			return fmt.Errorf("restrict files: %w", err)
		}
	}
	if support.Network == nil {
		if err := refuseCalls(p); err != nil {
			return fmt.Errorf("refuse system calls: %w", err)
		}
	}
	return nil
}

// noNewPrivileges makes setuid programs and file capabilities have no effect.
func noNewPrivileges() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }

// keptCapabilities are what a worker of root keeps: root is used to reading the models
// of other users.
const keptCapabilities = 1 << unix.CAP_DAC_READ_SEARCH

// dropCapabilities gives up what makes root powerful, if this is root. With no new
// privileges, the start of a program does not bring it back.
func dropCapabilities() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	if data[0].Permitted|data[1].Permitted == 0 {
		return nil
	}
	kept := data[0].Permitted & keptCapabilities
	data = [2]unix.CapUserData{{Permitted: kept, Effective: kept}}
	if err := unix.Capset(&header, &data[0]); err != nil {
		return fmt.Errorf("give up capabilities: %w", err)
	}
	return nil
}

// Thread runs f in a thread of its own, which the runtime ends after it. It does not
// wait. It is never the process's first thread: that cannot end, and the kernel takes
// its rights for those of the process.
func Thread(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			f()
			return // without unlocking
		}
		other := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			close(other)
			f()
		}()
		<-other
		runtime.UnlockOSThread()
	}()
}

var errUnsupported = errors.New("not supported on this architecture")
