package isolate

import "golang.org/x/sys/unix"

const architecture = unix.AUDIT_ARCH_AARCH64

// refusedHere are refused calls that only this architecture has.
func refusedHere() []uint32 { return nil }
