package pull

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lexilingo/modelgateway/server/internal/catalog"
)

// job is one file to be had.
type job struct {
	c        *Client
	model    catalog.Model
	file     catalog.File
	revision string // asked for: the locked commit, else the catalogue's
	want     remote
	note     note
	result   Result
}

// plan finds out what is there, and what the hub has. A file that is there and
// right needs no hub.
func (c *Client) plan(ctx context.Context, model catalog.Model, file catalog.File) (*job, error) {
	j := &job{c: c, model: model, file: file, revision: model.Revision}
	j.result = Result{File: file.Local, Path: filepath.Join(c.dir, filepath.FromSlash(file.Local))}
	locked, known := c.locks.get(file.Local)
	known = known && !c.opts.Update
	if known {
		if file.SHA256 != "" && file.SHA256 != locked.SHA256 {
			return nil, j.changed("the list of this program has another %s than %s", file.Local, lockName)
		}
		if locked.Commit != "" && c.sameFile(locked.Source, model, file) {
			j.revision = locked.Commit
		}
	}
	have, there, err := j.hashPresent(ctx)
	if err != nil {
		return nil, err
	}
	if there && !c.opts.Update {
		want := remote{size: have.size, sha256: file.SHA256}
		if known {
			want = remote{size: locked.SizeBytes, sha256: locked.SHA256, commit: locked.Commit}
		}
		if have.are(want) {
			return j, j.keep(have, want.commit, known)
		}
	}
	if err := j.askHub(ctx, locked, known); err != nil {
		return nil, err
	}
	switch {
	case there && have.are(j.want):
		return j, j.keep(have, j.want.commit, false)
	case there && !known && !c.opts.Update:
		return nil, &Error{Kind: Changed, Message: j.result.Path + " is there already, and is another file than the hub's",
			Advice: "Move it away, or replace it with --update."}
	}
	j.note = readNote(c.root, file.Local, j.want)
	j.result.SizeBytes, j.result.SHA256, j.result.Commit = j.want.size, j.want.sha256, j.want.commit
	j.result.Source, j.result.ResumedBytes = j.source(), j.note.doneBytes()
	return j, nil
}

func (j *job) changed(format string, args ...any) error {
	e := newError(Changed, format, args...)
	e.Advice = "If the change is welcome, take what the hub has now with --update."
	return e
}

// sameFile tells whether a locked address is this file's, at any revision.
func (c *Client) sameFile(locked string, model catalog.Model, file catalog.File) bool {
	prefix := DefaultEndpoint + "/" + model.Repo + "/resolve/"
	return strings.HasPrefix(locked, prefix) && strings.HasSuffix(locked, "/"+file.Path)
}

// askHub gets what the hub announces, and holds it against lock and list.
func (j *job) askHub(ctx context.Context, locked Locked, known bool) error {
	var err error
	if j.want, err = j.c.ask(ctx, j.model, j.file, j.revision); err != nil {
		return wrap(err, Broken, "the hub's answer for %s", j.file.Path)
	}
	pinned := ""
	switch {
	case known:
		pinned = locked.SHA256
		if j.want.size != locked.SizeBytes {
			return j.changed("the hub's %s has %d bytes, and %d in %s", j.file.Path, j.want.size, locked.SizeBytes, lockName)
		}
	case !j.c.opts.Update:
		pinned = j.file.SHA256
	}
	if pinned != "" {
		if j.want.sha256 != "" && j.want.sha256 != pinned {
			return j.changed("the hub has another %s (sha256 %s) than the one that is known (%s)", j.file.Path, j.want.sha256, pinned)
		}
		j.want.sha256 = pinned
	}
	if j.want.sha256 == "" && j.want.gitBlob == "" {
		e := newError(Broken, "the hub gives no checksum for %s", j.file.Path)
		e.Advice = "A mirror must pass the hub's headers X-Linked-Etag or ETag on; take another, or none."
		return e
	}
	return nil
}

// hashPresent reads the file if it is there.
func (j *job) hashPresent(ctx context.Context) (have sums, there bool, err error) {
	if j.c.root == nil {
		return sums{}, false, nil
	}
	info, err := j.c.root.Stat(filepath.FromSlash(j.file.Local))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return sums{}, false, nil
	case err != nil:
		return sums{}, false, pathError(err, "%s cannot be read", j.file.Local)
	case !info.Mode().IsRegular():
		return sums{}, false, newError(Path, "%s is there, and is no file", j.result.Path)
	}
	f, err := j.c.root.Open(filepath.FromSlash(j.file.Local))
	if err != nil {
		return sums{}, false, pathError(err, "%s cannot be read", j.file.Local)
	}
	defer f.Close()
	have, err = hashFile(ctx, f, info.Size(), j.tell(Verifying, info.Size()))
	if err != nil {
		return sums{}, false, wrap(err, Path, "%s cannot be read", j.file.Local)
	}
	return have, true, nil
}

// keep notes that the file is there and right.
func (j *job) keep(have sums, commit string, locked bool) error {
	j.result.Present, j.result.SizeBytes, j.result.SHA256, j.result.Commit = true, have.size, have.sha256, commit
	j.result.Source = j.source()
	if locked || j.c.opts.DryRun {
		return nil
	}
	return j.lock()
}

func (j *job) lock() error {
	return j.c.locks.put(j.c.root, j.file.Local, Locked{
		Source: j.source(), Commit: j.result.Commit, SizeBytes: j.result.SizeBytes, SHA256: j.result.SHA256,
	})
}

// source is the file's address on the hub, with the commit if that is known.
func (j *job) source() string {
	revision := j.revision
	if j.result.Commit != "" {
		revision = j.result.Commit
	}
	return j.c.canonical(j.model.Repo, revision, j.file.Path)
}

// address is where the bytes are asked for: at the commit that was announced, so
// that they cannot change meanwhile.
func (j *job) address() *url.URL {
	revision := j.revision
	if j.want.commit != "" {
		revision = j.want.commit
	}
	return source(j.c.hosts.endpoint, j.model.Repo, revision, j.file.Path)
}

func (j *job) missingBytes() int64 {
	if j.result.Present {
		return 0
	}
	return j.want.size - j.note.doneBytes()
}

// tell reports progress, at most some ten times a second, and the end.
func (j *job) tell(phase string, total int64) func(done int64) {
	const pause = 100 * time.Millisecond
	var last time.Time
	return func(done int64) {
		if now := time.Now(); done >= total || now.Sub(last) >= pause {
			last = now
			j.c.opts.Progress(Progress{File: j.file.Local, Phase: phase, Done: min(done, total), Total: total})
		}
	}
}

// run fetches, verifies and locks the file.
func (j *job) run(ctx context.Context) error {
	if j.result.Present {
		return nil
	}
	if dir := filepath.Dir(filepath.FromSlash(j.file.Local)); dir != "." {
		if err := j.c.root.MkdirAll(dir, 0o755); err != nil {
			return pathError(err, "the folder %s cannot be made", filepath.Join(j.c.dir, dir))
		}
	}
	p, err := openPart(j.c.root, j.file.Local, j.note, j.c.opts.CheckpointBytes)
	if err != nil {
		return err
	}
	d := &download{job: j, part: p, tell: j.tell(Downloading, j.want.size)}
	err = d.run(ctx)
	j.result.FetchedBytes = d.fetched.Load()
	if err != nil {
		return errors.Join(err, p.file.Close())
	}
	return j.accept(ctx, p)
}

// accept publishes what was fetched if it is what was announced.
func (j *job) accept(ctx context.Context, p *part) error {
	if _, err := p.file.Seek(0, 0); err != nil {
		return errors.Join(pathError(err, "%s cannot be read", partName(p.name)), p.file.Close())
	}
	have, err := hashFile(ctx, p.file, j.want.size, j.tell(Verifying, j.want.size))
	if err != nil {
		return errors.Join(wrap(err, Path, "%s cannot be read", partName(p.name)), p.file.Close())
	}
	if !have.are(j.want) {
		expected := j.want.sha256
		got := have.sha256
		if expected == "" {
			expected, got = j.want.gitBlob, have.gitBlob
		}
		return errors.Join(&Error{Kind: Checksum,
			Message: "what was fetched for " + j.file.Local + " is not the file: its checksum is " + got + ", and should be " + expected,
			Advice:  "It was thrown away. Try again; if it stays so, the server or what lies between alters files: use another mirror or none."},
			p.discard())
	}
	if err := p.publish(); err != nil {
		return err
	}
	j.result.SHA256 = have.sha256
	return j.lock()
}

// Installed tells how much of a model is in a models directory, by the sizes
// that are locked or, without a lock, by there being a file at all. It reads no
// file.
func Installed(dir string, model catalog.Model) (complete bool, partBytes int64) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return false, 0
	}
	defer root.Close()
	locks := newLockFile()
	_ = locks.read(root) // a damaged one says nothing
	complete = true
	for _, f := range model.Files {
		local := filepath.FromSlash(f.Local)
		info, err := root.Stat(local)
		locked, known := locks.get(f.Local)
		switch {
		case err == nil && info.Mode().IsRegular() && (!known || info.Size() == locked.SizeBytes):
			partBytes += info.Size()
			continue
		case err != nil:
			partBytes += partOf(root, local)
		}
		complete = false
	}
	return complete, partBytes
}

// partOf is how much of a file is there as a part.
func partOf(root *os.Root, local string) int64 {
	f, err := openRegular(root, noteName(local), os.O_RDONLY)
	if err != nil {
		return 0
	}
	defer f.Close()
	var n note
	if decodeStrict(f, maxNoteBytes, &n) != nil {
		return 0
	}
	return n.doneBytes()
}
