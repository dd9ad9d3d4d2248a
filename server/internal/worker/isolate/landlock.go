package isolate

import (
	"os"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
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

func landlockVersion() int {
	version, err := ll.LandlockGetABIVersion()
	if err != nil {
		return 0
	}
	return version
}

func signalsFixed() bool {
	errata, err := ll.LandlockGetErrata()
	return err == nil && errata&signalErratum != 0
}

// restrictFiles limits the calling thread to the files of the policy, as far as the
// kernel can. Whatever the policy says, a process with such limits cannot read the
// memory, the environment and the open files of a process without them.
func restrictFiles(p Policy) error {
	if landlockVersion() == 0 {
		return unix.ENOSYS
	}
	config := landlock.V11.BestEffort()
	if p.Network {
		config.HandledAccessNet = 0
	}
	if !signalsFixed() {
		config.Scoped &^= ll.ScopeSignal
	}
	rules := rules(p)
	if p.AllFiles {
		// One right that nobody needs, because a set without rights is none.
		config.HandledAccessFS, rules = ll.AccessFSMakeBlock, nil
	}
	fd, flags, err := config.NewRulesetFD(rules...)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	return ll.LandlockRestrictSelf(fd, flags)
}

// rules returns Landlock's rules of a policy. What does not exist has none.
func rules(p Policy) []landlock.Rule {
	rules := []landlock.Rule{
		landlock.RWFiles(existing(devices())...).WithIoctlDev(),
		landlock.RODirs(existing(deviceDirs())...).WithIoctlDev(),
	}
	read := append(system(), p.Read...)
	if p.Network {
		read = append(read, resolver()...)
	}
	for _, path := range read {
		switch kind(path) {
		case folder:
			rules = append(rules, landlock.RODirs(path))
		case file:
			rules = append(rules, landlock.ROFiles(path))
		}
	}
	for _, path := range p.Write {
		switch kind(path) {
		case folder:
			rules = append(rules, landlock.RWDirs(path).WithRefer().WithResolveUnix())
		case file:
			rules = append(rules, landlock.RWFiles(path))
		}
	}
	return rules
}

type fileKind int

const (
	none fileKind = iota
	file
	folder
)

func kind(path string) fileKind {
	switch info, err := os.Stat(path); {
	case err != nil:
		return none
	case info.IsDir():
		return folder
	default:
		return file
	}
}

func existing(paths []string) []string {
	var found []string
	for _, path := range paths {
		if kind(path) != none {
			found = append(found, path)
		}
	}
	return found
}
