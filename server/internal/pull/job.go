package pull

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/lexilingo/modelgateway/server/internal/catalog"
)

// job is the download of one file.
type job struct {
	c        *Client
	model    catalog.Model
	file     catalog.File
	revision string // to request: the locked commit, else the one of the catalogue
	packages string // to make the file from, instead of the hub
	want     remote
	state    partState
	result   Result
}

// plan compares the file on disk with the file on the hub. It does not ask the hub
// if the file on disk is correct.
func (c *Client) plan(ctx context.Context, model catalog.Model, file catalog.File) (*job, error) {
	j := &job{c: c, model: model, file: file, revision: model.Revision}
	j.result = Result{File: file.Local, Path: c.Join(file.Local)}
	locked, known := c.locks.get(file.Local)
	known = known && !c.opts.Update
	if known {
		if file.SHA256 != "" && file.SHA256 != locked.SHA256 {
			return nil, j.catalogueChanged()
		}
		if locked.Commit != "" && c.sameFile(locked.Source, model, file) {
			j.revision = locked.Commit
		}
	}
	have, exists, err := j.hashExisting(ctx)
	if err != nil {
		return nil, err
	}
	if exists {
		want := remote{size: have.size, sha256: file.SHA256}
		if known {
			want = remote{size: locked.SizeBytes, sha256: locked.SHA256, commit: locked.Commit}
		}
		if have.match(want) {
			return j, j.useExisting(have, want.commit, known)
		}
	}
	if file.SHA256 == "" && !known {
		if exists && c.opts.AcceptFiles && !c.opts.Update {
			if err := checkSize(have.size, file, j.result.Path+" has", Changed); err != nil {
				return nil, err
			}
			return j, j.useExisting(have, "", false)
		}
		j.result.FirstUse = true
		if !c.opts.TrustOnFirstUse && !c.opts.DryRun {
			return nil, j.untrusted()
		}
	}
	if err := j.resolve(ctx, locked, known); err != nil {
		return nil, err
	}
	switch {
	case exists && have.match(j.want):
		return j, j.useExisting(have, j.want.commit, false)
	case exists && !known && !c.opts.Update:
		return nil, &Error{Kind: Changed, Message: j.result.Path + " exists and differs from the file on the hub",
			Advice: "Move it away, or replace it with --update."}
	}
	j.state = readState(c.root, file.Local, j.want)
	j.result.SizeBytes, j.result.SHA256, j.result.Commit = j.want.size, j.want.sha256, j.want.commit
	j.result.Source, j.result.ResumedBytes = j.source(), j.state.doneBytes()
	return j, nil
}

// catalogueChanged is the error of a lock that differs from the catalogue.
func (j *job) catalogueChanged() error {
	e := newError(Changed, "the checksum of %s in this program's catalogue differs from the one in %s", j.file.Local, lockName)
	e.Advice = "To replace the file by the one in the catalogue, run the command again with --update."
	return e
}

// hubChanged is the error of a file that differs from its checksum in the lock or in
// the catalogue.
func (j *job) hubChanged(format string, args ...any) error {
	e := newError(Changed, format, args...)
	e.Advice = "Nothing was downloaded. The file in the catalogue is the only one that this name stands for: try another mirror, or none."
	if j.file.SHA256 == "" {
		e.Advice = "Nothing was downloaded. To trust the version that the hub has now, run the command again with --update --trust-on-first-use."
	}
	return e
}

// untrusted is the error of a file that nobody has vouched for.
func (j *job) untrusted() error {
	flags := "--trust-on-first-use"
	if j.c.opts.Update {
		flags = "--update --trust-on-first-use"
	}
	return &Error{Kind: Untrusted,
		Message: fmt.Sprintf("no checksum of %s is known, so nothing shows whether what arrives is what its publisher meant", j.file.Path),
		Advice: fmt.Sprintf("If you trust %s/%s, run the command again with %s: the checksum of what arrives is recorded in %s, and later pulls must get the same.\n"+
			"Or download the file yourself, compare its checksum, put it at %s, and run the command again with --accept-files.",
			DefaultEndpoint, j.model.Repo, flags, filepath.Join(j.c.dir, lockName), j.result.Path)}
}

// sameFile reports whether a locked source is this file, at any revision.
func (c *Client) sameFile(locked string, model catalog.Model, file catalog.File) bool {
	prefix := DefaultEndpoint + "/" + model.Repo + "/resolve/"
	return strings.HasPrefix(locked, prefix) && strings.HasSuffix(locked, "/"+file.Path)
}

// resolve asks the hub for the file, and compares the answer with the lock and
// the catalogue.
func (j *job) resolve(ctx context.Context, locked Locked, known bool) error {
	var err error
	if j.want, err = j.c.describe(ctx, j.model, j.file, j.revision); err != nil {
		return wrap(err, Broken, "invalid answer from the hub for %s", j.file.Path)
	}
	pinned := j.file.SHA256
	if known {
		pinned = locked.SHA256
		if j.want.size != locked.SizeBytes {
			return j.hubChanged("%s has %d bytes on the hub, but %d in %s", j.file.Path, j.want.size, locked.SizeBytes, lockName)
		}
	}
	if pinned != "" {
		if j.want.sha256 != "" && j.want.sha256 != pinned {
			return j.hubChanged("the hub has a different %s: its sha256 is %s, expected %s", j.file.Path, j.want.sha256, pinned)
		}
		j.want.sha256 = pinned
	}
	if j.want.sha256 == "" && j.want.gitBlob == "" {
		e := newError(Broken, "the hub gives no checksum for %s", j.file.Path)
		e.Advice = "A mirror must forward the header X-Linked-Etag or ETag of the hub. Use another mirror, or none."
		return e
	}
	return nil
}

// hashExisting computes the checksums of the file if it exists.
func (j *job) hashExisting(ctx context.Context) (have sums, exists bool, err error) {
	if j.c.root == nil {
		return sums{}, false, nil
	}
	info, err := j.c.root.Stat(filepath.FromSlash(j.file.Local))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return sums{}, false, nil
	case err != nil:
		return sums{}, false, pathError(err, "cannot read %s", j.file.Local)
	case !info.Mode().IsRegular():
		return sums{}, false, newError(Path, "%s exists but is not a regular file", j.result.Path)
	}
	f, err := j.c.root.Open(filepath.FromSlash(j.file.Local))
	if err != nil {
		return sums{}, false, pathError(err, "cannot read %s", j.file.Local)
	}
	defer f.Close()
	have, err = hashFile(ctx, f, info.Size(), j.progress(Verifying, info.Size()))
	if err != nil {
		return sums{}, false, wrap(err, Path, "cannot read %s", j.file.Local)
	}
	return have, true, nil
}

// useExisting records that the file exists and is correct.
func (j *job) useExisting(have sums, commit string, locked bool) error {
	j.result.Present, j.result.SizeBytes, j.result.SHA256, j.result.Commit = true, have.size, have.sha256, commit
	j.result.Source = j.source()
	if locked || j.c.opts.DryRun {
		return nil
	}
	return j.lock()
}

func (j *job) lock() error {
	err := j.c.locks.put(j.c.root, j.file.Local, Locked{
		Source: j.source(), Commit: j.result.Commit, SizeBytes: j.result.SizeBytes, SHA256: j.result.SHA256,
	})
	if err == nil && j.result.FirstUse {
		j.c.opts.Notice(fmt.Sprintf("%s was trusted on first use: sha256 %s is recorded in %s, and later pulls must get the same",
			j.file.Local, j.result.SHA256, filepath.Join(j.c.dir, lockName)))
	}
	return err
}

// source returns the packages that have the file, or else its URL on the hub, with
// the commit if it is known.
func (j *job) source() string {
	if j.packages != "" {
		return j.packages
	}
	revision := j.revision
	if j.result.Commit != "" {
		revision = j.result.Commit
	}
	return j.c.hubURL(j.model.Repo, revision, j.file.Path)
}

// address returns the URL to download from. It contains the commit, if the hub
// reported one, so that the file cannot change meanwhile.
func (j *job) address() *url.URL {
	revision := j.revision
	if j.want.commit != "" {
		revision = j.want.commit
	}
	return fileURL(j.c.hosts.endpoint, j.model.Repo, revision, j.file.Path)
}

func (j *job) missingBytes() int64 {
	if j.result.Present {
		return 0
	}
	return j.want.size - j.state.doneBytes()
}

// progress returns a function that reports progress, at most ten times a second
// and at the end.
func (j *job) progress(phase string, total int64) func(done int64) {
	const interval = 100 * time.Millisecond
	var last time.Time
	return func(done int64) {
		if now := time.Now(); done >= total || now.Sub(last) >= interval {
			last = now
			j.c.opts.Progress(Progress{File: j.file.Local, Phase: phase, Done: min(done, total), Total: total})
		}
	}
}

// run downloads, verifies and locks the file.
func (j *job) run(ctx context.Context) error {
	if j.result.Present {
		return nil
	}
	if dir := filepath.Dir(filepath.FromSlash(j.file.Local)); dir != "." {
		if err := j.c.root.MkdirAll(dir, 0o755); err != nil {
			return pathError(err, "cannot create the directory %s", filepath.Join(j.c.dir, dir))
		}
	}
	p, err := openPart(j.c.root, j.file.Local, j.state, j.c.opts.CheckpointBytes)
	if err != nil {
		return err
	}
	d := &download{job: j, part: p, progress: j.progress(Downloading, j.want.size)}
	err = d.run(ctx)
	j.result.FetchedBytes = d.fetched.Load()
	if err != nil {
		return errors.Join(err, p.file.Close())
	}
	return j.accept(ctx, p)
}

// accept verifies the download and moves it into place.
func (j *job) accept(ctx context.Context, p *part) error {
	if _, err := p.file.Seek(0, 0); err != nil {
		return errors.Join(pathError(err, "cannot read %s", partName(p.name)), p.file.Close())
	}
	have, err := hashFile(ctx, p.file, j.want.size, j.progress(Verifying, j.want.size))
	if err != nil {
		return errors.Join(wrap(err, Path, "cannot read %s", partName(p.name)), p.file.Close())
	}
	if !have.match(j.want) {
		expected := j.want.sha256
		got := have.sha256
		if expected == "" {
			expected, got = j.want.gitBlob, have.gitBlob
		}
		return errors.Join(&Error{Kind: Checksum,
			Message: "the download of " + j.file.Local + " is corrupt: its checksum is " + got + ", expected " + expected,
			Advice:  "The download was deleted. Try again. If the error persists, the server or a proxy changes the file: use another mirror, or none."},
			p.discard())
	}
	if err := p.publish(); err != nil {
		return err
	}
	j.result.SHA256 = have.sha256
	return j.lock()
}
