package pull

import (
	"errors"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFullDisk(t *testing.T) {
	t.Parallel()
	h := newHub(t, random(t, testSize))
	tr := newTrial(t, h.URL)
	tr.opts.free = func(string) (int64, error) { return testSize + spareBytes - 1, nil }
	if e := tr.mustFail(testModel(), NoSpace); !strings.Contains(e.Message, "are free") || h.count(http.MethodGet) != 0 {
		t.Error(e)
	}
	if n, err := freeBytes(t.TempDir()); err != nil || n <= 0 {
		t.Errorf("%d bytes are free here: %v", n, err)
	}
	var e *Error
	if err := pathError(&os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, "x"); !errors.As(err, &e) || e.Kind != NoSpace {
		t.Error(err)
	}
	if os.Geteuid() == 0 {
		realFullDisk(t)
	}
}

// realFullDisk pulls to a disk of half the size of the file, then enlarges the
// disk.
func realFullDisk(t *testing.T) {
	content := random(t, testSize)
	h := newHub(t, content)
	tr := newTrial(t, h.URL)
	if err := os.Mkdir(tr.opts.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", tr.opts.Dir, "tmpfs", 0, "size=512k"); err != nil {
		t.Logf("cannot mount a small disk (%v): only the check was tested", err)
		return
	}
	t.Cleanup(func() {
		if err := unix.Unmount(tr.opts.Dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	e := tr.mustFail(testModel(), NoSpace)
	if !strings.Contains(e.Advice, "Free some space") {
		t.Error(e.Advice)
	}
	if err := unix.Mount("tmpfs", tr.opts.Dir, "tmpfs", unix.MS_REMOUNT, "size=4m"); err != nil {
		t.Fatal(err)
	}
	if r := tr.must(testModel(), content); r.ResumedBytes == 0 {
		t.Errorf("%+v: the partial download was lost", r)
	}
}
