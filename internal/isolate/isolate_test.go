package isolate

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// isolated runs f in a thread with these rights. It returns when f does.
func isolated(t *testing.T, p Policy, f func()) {
	t.Helper()
	support := Probe()
	if lacks := support.Lacks(); lacks != nil {
		t.Skip("this kernel cannot isolate: ", strings.Join(lacks, "; "))
	}
	done := make(chan error)
	Thread(func() {
		err := Enter(p, support)
		if err == nil {
			f()
		}
		done <- err
	})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestNoSocketsButUnix(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	families := map[string]int{
		"INET": unix.AF_INET, "INET6": unix.AF_INET6, "NETLINK": unix.AF_NETLINK, "PACKET": unix.AF_PACKET,
		"VSOCK": unix.AF_VSOCK, "ALG": unix.AF_ALG, "XDP": unix.AF_XDP, "BLUETOOTH": unix.AF_BLUETOOTH,
	}
	isolated(t, Policy{}, func() {
		for name, family := range families {
			// The kernel ignores the upper half of the argument.
			for _, argument := range []uintptr{uintptr(family), 1<<32 | uintptr(family)} {
				if _, _, errno := unix.RawSyscall(unix.SYS_SOCKET, argument, unix.SOCK_STREAM, 0); errno != unix.EACCES {
					t.Errorf("socket(%s, %#x): %v", name, argument, errno)
				}
			}
		}
		if _, err := net.Dial("tcp", listener.Addr().String()); !errors.Is(err, unix.EACCES) {
			t.Errorf("connect by TCP: %v", err)
		}
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err != nil {
			t.Errorf("a pair of unix sockets: %v", err)
			return
		}
		_, _ = unix.Close(fds[0]), unix.Close(fds[1])
	})
	isolated(t, Policy{Network: true}, func() {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			t.Errorf("with the network allowed: %v", err)
			return
		}
		_ = conn.Close()
	})
}

func TestRefusedCalls(t *testing.T) {
	isolated(t, Policy{Network: true, AllFiles: true}, func() {
		for _, call := range refused() {
			if _, _, errno := unix.RawSyscall6(uintptr(call), 0, 0, 0, 0, 0, 0); errno != unix.EPERM {
				t.Errorf("call %d: %v", call, errno)
			}
		}
		for _, call := range absent() {
			if _, _, errno := unix.RawSyscall6(uintptr(call), 0, 0, 0, 0, 0, 0); errno != unix.ENOSYS {
				t.Errorf("call %d: %v", call, errno)
			}
		}
		if _, _, errno := unix.RawSyscall6(unix.SYS_CLONE, unix.CLONE_NEWUSER|uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0); errno != unix.EPERM {
			t.Errorf("clone with a user namespace: %v", errno)
		}
		if runtime.GOARCH == "amd64" {
			if _, _, errno := unix.RawSyscall(x32|unix.SYS_GETPID, 0, 0, 0); errno != unix.ENOSYS {
				t.Errorf("a call of x32: %v", errno)
			}
		}
	})
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"model", "private", "scratch"} {
		if err := errors.Join(os.Mkdir(path(name), 0o700), os.WriteFile(path(name+"/file"), []byte(name), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	write := func(name string) error { return os.WriteFile(path(name), []byte("x"), 0o600) }
	read := func(name string) error {
		_, err := os.ReadFile(path(name))
		return err
	}
	denied := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %v", what, err)
		}
	}
	allowed := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	isolated(t, Policy{Read: []string{path("model"), path("missing")}, Write: []string{path("scratch")}}, func() {
		allowed("read a model", read("model/file"))
		denied("change a model", write("model/file"))
		denied("shorten a model", os.Truncate(path("model/file"), 0))
		denied("add to a model", write("model/new"))
		denied("remove a model", os.Remove(path("model/file")))
		denied("move a model", os.Rename(path("model/file"), path("scratch/model")))
		denied("read another file", read("private/file"))
		denied("write another file", write("private/file"))
		_, err := os.ReadDir(path("private"))
		denied("list another folder", err)
		denied("read /etc/shadow", func() error { _, err := os.ReadFile("/etc/shadow"); return err }())
		allowed("write", write("scratch/new"))
		allowed("read", read("scratch/new"))
		allowed("rename", os.Rename(path("scratch/new"), path("scratch/newer")))
		listener, err := net.Listen("unix", path("scratch/socket"))
		allowed("listen", err)
		if err == nil {
			_ = listener.Close()
		}
		allowed("start a program", exec.Command("true").Run())
	})
	isolated(t, Policy{AllFiles: true}, func() { allowed("read another file", read("private/file")) })
}

func TestOtherProcesses(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	cmd.Env = []string{"SECRET=1"}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	isolated(t, Policy{AllFiles: true, Network: true}, func() {
		for _, file := range []string{"environ", "mem", "maps"} {
			if _, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), file)); !errors.Is(err, fs.ErrPermission) {
				t.Errorf("%s of another process: %v", file, err)
			}
		}
		if err := syscall.Kill(cmd.Process.Pid, 0); !errors.Is(err, unix.EPERM) {
			t.Errorf("a signal to another process: %v", err)
		}
		data := [2]unix.CapUserData{}
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		if err := unix.Capget(&header, &data[0]); err != nil || data[0].Permitted&^keptCapabilities != 0 || data[1].Permitted != 0 {
			t.Errorf("capabilities: %#x %#x, %v", data[0].Permitted, data[1].Permitted, err)
		}
	})
}

// The rest of the process keeps its rights.
func TestOnlyTheThread(t *testing.T) {
	isolated(t, Policy{}, func() {})
	if _, err := os.ReadFile("/etc/shadow"); os.Geteuid() == 0 && err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(fd)
	status, err := os.ReadFile("/proc/self/status")
	if err != nil || strings.Contains(string(status), "Seccomp:\t2") {
		t.Errorf("the process has a filter: %v", err)
	}
}

// A filter has to know the architecture of a call, because the numbers differ.
func TestOtherArchitecture(t *testing.T) {
	for call, want := range map[uint32]uint32{unix.SYS_GETPID: unix.SECCOMP_RET_ALLOW, unix.SYS_PTRACE: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)} {
		if got := verdict(t, call, architecture); got != want {
			t.Errorf("call %d: %#x", call, got)
		}
		if got := verdict(t, call, unix.AUDIT_ARCH_I386); got != unix.SECCOMP_RET_KILL_PROCESS {
			t.Errorf("call %d of another architecture: %#x", call, got)
		}
	}
}

// verdict runs the filter for a call. The virtual machine reads big-endian words, the
// kernel those of the machine, so the call is in its byte order.
func verdict(t *testing.T, call, arch uint32) uint32 {
	t.Helper()
	vm, err := bpf.NewVM(filter(Policy{}))
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 64)
	binary.BigEndian.PutUint32(data[offsetCall:], call)
	binary.BigEndian.PutUint32(data[offsetArch:], arch)
	got, err := vm.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(got)
}
