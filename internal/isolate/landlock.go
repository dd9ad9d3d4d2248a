package isolate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Versions of Landlock that brought what Support tells.
const (
	truncateVersion = 3
	signalVersion   = 6
)

// signalErratum is the number of the correction without which the threads of one
// process cannot signal each other if they have different rights; the Go runtime does.
const signalErratum = 1 << 1

// Rights of Landlock. They are for files, unless they say otherwise.
const (
	readFile = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE
	readDir  = readFile | unix.LANDLOCK_ACCESS_FS_READ_DIR
	// writeFile includes reading.
	writeFile = readFile | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE
	writeDir  = readDir | writeFile | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_SYM | unix.LANDLOCK_ACCESS_FS_REFER |
		unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX
	useDevice = writeFile | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
)

// additions lists the rights that each version of Landlock added; a kernel refuses sets
// with rights that it does not know.
var additions = []struct {
	version               int
	files, network, scope uint64
}{
	{version: 1, files: unix.LANDLOCK_ACCESS_FS_MAKE_SYM<<1 - 1},
	{version: 2, files: unix.LANDLOCK_ACCESS_FS_REFER},
	{version: truncateVersion, files: unix.LANDLOCK_ACCESS_FS_TRUNCATE},
	{version: 4, network: unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP},
	{version: 5, files: unix.LANDLOCK_ACCESS_FS_IOCTL_DEV},
	{version: signalVersion, scope: unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL},
	{version: 9, files: unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX},
	{version: 10, network: unix.LANDLOCK_ACCESS_NET_BIND_UDP | unix.LANDLOCK_ACCESS_NET_CONNECT_SEND_UDP},
}

// create calls landlock_create_ruleset, which also tells about Landlock itself.
func create(attr *unix.LandlockRulesetAttr, flags uintptr) (int, error) {
	var size uintptr
	if attr != nil {
		size = unsafe.Sizeof(*attr)
	}
	n, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(attr)), size, flags)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func landlockVersion() int {
	version, _ := create(nil, unix.LANDLOCK_CREATE_RULESET_VERSION) // 0 without Landlock
	return version
}

func signalsFixed() bool {
	errata, _ := create(nil, unix.LANDLOCK_CREATE_RULESET_ERRATA) // 0 if the kernel does not tell
	return errata&signalErratum != 0
}

// handled returns the rights that a process with the policy has only by rules.
func handled(p Policy) unix.LandlockRulesetAttr {
	version := landlockVersion()
	var all unix.LandlockRulesetAttr
	for _, a := range additions {
		if a.version <= version {
			all.Handled_access_fs |= a.files
			all.Handled_access_net |= a.network
			all.Scoped |= a.scope
		}
	}
	if p.Network {
		all.Handled_access_net = 0
	}
	if !signalsFixed() {
		all.Scoped &^= unix.LANDLOCK_SCOPE_SIGNAL
	}
	if p.AllFiles {
		// One right that nobody needs, because a set without rights is none.
		all.Handled_access_fs = unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK
	}
	return all
}

// restrictFiles limits the calling thread to the files of the policy, as far as the
// kernel can. Whatever the policy says, a process with such limits cannot read the
// memory, the environment and the open files of a process without them.
func restrictFiles(p Policy) error {
	attr := handled(p)
	if landlockVersion() == 0 {
		return unix.ENOSYS
	}
	set, err := create(&attr, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(set) }()
	if !p.AllFiles {
		for _, r := range rules(p) {
			if err := r.add(set, attr.Handled_access_fs); err != nil {
				return fmt.Errorf("%s: %w", r.path, err)
			}
		}
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(set), 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// rule gives rights to a file, or to a folder and what is below it.
type rule struct {
	path           string
	onFile, onDirs uint64
}

// rules returns the rules of a policy.
func rules(p Policy) []rule {
	var rules []rule
	read := append(system(), p.Read...)
	if p.Network {
		read = append(read, resolver()...)
	}
	for _, path := range read {
		rules = append(rules, rule{path, readFile, readDir})
	}
	for _, path := range p.Write {
		rules = append(rules, rule{path, writeFile, writeDir})
	}
	for _, path := range devices() {
		rules = append(rules, rule{path, useDevice, readDir | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV})
	}
	return rules
}

// add adds a rule to a set that handles some rights. What does not exist or cannot be
// found has no rule.
func (r rule) add(set int, handled uint64) error {
	fd, err := unix.Open(r.path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	rights := r.onFile
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		rights = r.onDirs
	}
	attr := unix.LandlockPathBeneathAttr{Allowed_access: rights & handled, Parent_fd: int32(fd)} //nolint:gosec // a descriptor
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(set), unix.LANDLOCK_RULE_PATH_BENEATH,
		uintptr(unsafe.Pointer(&attr)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
