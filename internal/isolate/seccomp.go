package isolate

import (
	"runtime"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data; both architectures are little-endian.
const (
	offsetCall     = 0
	offsetArch     = 4
	offsetArgument = 16
)

// x32 is set in the numbers of calls of x86-64's other ABI, whose calls have numbers
// that the filter does not know.
const x32 = 0x40000000

// namespaces are the flags of clone that make namespaces. In a user namespace of its
// own, a process has all capabilities.
const namespaces = unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWNET | unix.CLONE_NEWPID |
	unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP

// refused are the calls that a worker does not need: those to other processes, those
// that open files by ways that Landlock does not see, and those that change the machine.
func refused() []uint32 {
	return append([]uint32{
		unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PROCESS_MADVISE,
		unix.SYS_PIDFD_GETFD, unix.SYS_KCMP, unix.SYS_PERF_EVENT_OPEN, unix.SYS_BPF, unix.SYS_USERFAULTFD,
		unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_FANOTIFY_INIT,
		unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT,
		unix.SYS_OPEN_TREE, unix.SYS_MOVE_MOUNT, unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK,
		unix.SYS_MOUNT_SETATTR, unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE,
		unix.SYS_KEXEC_LOAD, unix.SYS_KEXEC_FILE_LOAD, unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_ACCT,
		unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME, unix.SYS_SYSLOG,
		unix.SYS_QUOTACTL, unix.SYS_VHANGUP,
	}, refusedHere()...)
}

// absent are the calls that fail as if the kernel did not have them, so that programs
// use older ones: io_uring makes other calls unseen, and the flags of clone3 cannot be
// seen.
func absent() []uint32 {
	return []uint32{unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER, unix.SYS_CLONE3}
}

// filter returns the program that the kernel runs before each system call.
func filter(p Policy) []bpf.Instruction {
	allow := bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW}
	program := []bpf.Instruction{
		bpf.LoadAbsolute{Off: offsetArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: architecture, SkipTrue: 1},
		bpf.RetConstant{Val: unix.SECCOMP_RET_KILL_PROCESS},
		bpf.LoadAbsolute{Off: offsetCall, Size: 4},
	}
	if runtime.GOARCH == "amd64" {
		program = append(program,
			bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: x32, SkipFalse: 1}, fails(unix.ENOSYS))
	}
	for _, call := range refused() {
		program = append(program, is(call, 1), fails(unix.EPERM))
	}
	for _, call := range absent() {
		program = append(program, is(call, 1), fails(unix.ENOSYS))
	}
	argument := bpf.LoadAbsolute{Off: offsetArgument, Size: 4} // the kernel, too, ignores the other half
	program = append(program, is(unix.SYS_CLONE, 4),
		argument, bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: namespaces, SkipFalse: 1}, fails(unix.EPERM), allow)
	for _, call := range []uint32{unix.SYS_SOCKET, unix.SYS_SOCKETPAIR} {
		switch {
		case p.NoSockets:
			program = append(program, is(call, 1), fails(unix.EACCES))
		case !p.Network:
			program = append(program, is(call, 4), argument, is(unix.AF_UNIX, 1), allow, fails(unix.EACCES))
		}
	}
	return append(program, allow)
}

// is skips the next instructions unless the loaded value is the given one.
func is(value uint32, skip uint8) bpf.Instruction {
	return bpf.JumpIf{Cond: bpf.JumpEqual, Val: value, SkipFalse: skip}
}

func fails(errno unix.Errno) bpf.Instruction {
	return bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(errno)}
}

// refuseCalls installs the filter for the calling thread. Without the flag, kernels
// before 5.16 make a filtered process slower, as a protection from itself.
func refuseCalls(p Policy) error {
	if architecture == 0 {
		return errUnsupported
	}
	raw, err := bpf.Assemble(filter(p))
	if err != nil {
		return err
	}
	code := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		code[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	program := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]} //nolint:gosec // about 120
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return errno
	}
	return nil
}
