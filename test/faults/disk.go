package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// disk is a small file system for the state of a gateway. It can be full or slow. Where
// none can be mounted, these faults are left out.
type disk struct {
	folder string
	why    error // why there is none
}

const (
	fiFreeze = 0xC0045877 // see ioctl_fsfreeze
	fiThaw   = 0xC0045878
)

// mountDisk makes a file system in a file and mounts it. The process has a mount
// namespace of its own, with which the mount goes.
func mountDisk(image, folder string) *disk {
	d := &disk{folder: folder}
	if !ownMounts() {
		d.why = errors.New("no file system can be mounted without root")
		return d
	}
	out, err := exec.Command("sh", "-c", `truncate -s 72M "$1" && mkfs.ext4 -q -F -m 0 -O ^has_journal "$1" && mount -o loop "$1" "$2"`, "sh", image, folder).CombinedOutput()
	if err != nil {
		d.why = fmt.Errorf("no file system can be mounted: %w: %s", err, out)
	}
	return d
}

func (d *disk) unmount() {
	if d.why == nil {
		_ = unix.Unmount(d.folder, unix.MNT_DETACH)
	}
}

// fill leaves no byte free until the returned function is called.
func (d *disk) fill() (undo func(), err error) {
	name := filepath.Join(d.folder, "filler")
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	for size := 1 << 20; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, unix.ENOSPC) {
			return nil, errors.Join(err, f.Close(), os.Remove(name))
		}
	}
	return func() { _ = os.Remove(name) }, f.Close()
}

// freeze makes every write wait until the returned function is called, as a disk
// that does not answer does. Another process ends that if this one is killed.
func (d *disk) freeze() (undo func(), err error) {
	guard := exec.Command(self(), "thaw", d.folder)
	alive, err := guard.StdinPipe()
	if err == nil {
		err = guard.Start()
	}
	if err == nil {
		err = d.control(fiFreeze)
	}
	if err != nil {
		return nil, err
	}
	return func() {
		_ = alive.Close()
		_ = guard.Wait()
	}, nil
}

// thawAtEnd ends a freeze when the standard input ends, or after a minute.
func thawAtEnd(folder string) error {
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(time.Minute):
	}
	return (&disk{folder: folder}).control(fiThaw)
}

func (d *disk) control(request uint) error {
	f, err := os.Open(d.folder)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return unix.IoctlSetInt(int(f.Fd()), request, 0)
}
