// Package pull downloads published models: resumed where it was broken off, by
// parallel ranges, and believed only once their checksum is right.
//
// What it promises, and why no library does the download: grab/v3 resumes one
// stream by file size alone and has no parallel ranges; go-getter follows any
// redirect, writes to any path and cannot resume a break in the middle; the
// hub's own clients are Python and JavaScript. None keeps to listed hosts at
// every hop of a redirect, or keeps what it writes inside one folder against
// links that lead out of it. So the requests are made here, on net/http, with
// the waits of cenkalti/backoff, the locks of gofrs/flock and [os.Root].
//
//   - A file appears by rename, after its sha256 (of small files: the git hash
//     that the hub gives) was right. What was fetched so far lies beside it as
//     NAME.part, with NAME.part.json saying which ranges are safely on disk.
//   - The checksum is the lock's (models.lock), else the catalogue's, else the
//     one that the hub announces; it is then locked, with size and commit.
//   - Requests go to the hub or its mirror, and by redirect to the hub's listed
//     download hosts, over https. Only the hub itself ever gets the token.
//   - All writes go through an [os.Root] of the models directory.
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
	"time"

	"github.com/gofrs/flock"

	"github.com/lexilingo/modelgateway/server/internal/catalog"
)

// Options say where from and where to. Zero values are the defaults.
type Options struct {
	// Dir is the models directory; it is made if it is not there.
	Dir string
	// Endpoint is the hub or its mirror: an https address, or an http address of
	// this machine. Empty: the hub, DefaultEndpoint.
	Endpoint string
	// AllowHosts are further hosts ("host" or "host:port") that the endpoint may
	// redirect to, as a mirror may need.
	AllowHosts []string
	// Token is for files that the hub gives only to some. It is sent to the hub
	// alone: to no mirror, and to no host of a redirect.
	Token string
	// Update takes what the hub has now, and locks that.
	Update bool
	// DryRun asks the hub, and writes nothing.
	DryRun bool
	// Progress is told how far it is, never by two goroutines at once.
	Progress func(Progress)

	// Streams is how many ranges are fetched at once; default 4.
	Streams int
	// ChunkBytes is the size of a range; default 32 MiB.
	ChunkBytes int64
	// CheckpointBytes is how much may be fetched before it is noted as safely on
	// disk; default 32 MiB.
	CheckpointBytes int64
	// Attempts is how often in a row a request may fail without one byte of
	// progress; default 8.
	Attempts int
	// Stall is how long a request may bring no byte; default one minute.
	Stall time.Duration
	// Transport makes the requests; default: one of net/http's.
	Transport http.RoundTripper

	free func(dir string) (int64, error)                  // bytes that the disk has left
	wait func(ctx context.Context, d time.Duration) error // between attempts
}

// DefaultEndpoint is the hub.
const DefaultEndpoint = "https://huggingface.co"

// Phases of a file.
const (
	Downloading = "downloading"
	Verifying   = "verifying"
)

// Progress is how far a file is.
type Progress struct {
	// File is its path in the models directory.
	File string
	// Phase is Downloading or Verifying.
	Phase string
	// Done and Total are bytes.
	Done, Total int64
}

// Result is what became of a file.
type Result struct {
	// File is its path in the models directory, Path where that is.
	File string `json:"file"`
	Path string `json:"path"`
	// Source is its address on the hub, whatever mirror it came from.
	Source string `json:"source"`
	// Commit of the repository; empty if the hub does not say.
	Commit string `json:"commit,omitempty"`
	// SizeBytes and SHA256 are the file's; SHA256 is empty in a dry run where only
	// the git hash is known.
	SizeBytes int64  `json:"size_bytes"`
	SHA256    string `json:"sha256,omitempty"`
	// Present tells that it was there already, and right.
	Present bool `json:"present"`
	// FetchedBytes came over the network now.
	FetchedBytes int64 `json:"fetched_bytes"`
	// ResumedBytes were there from an earlier try.
	ResumedBytes int64 `json:"resumed_bytes"`
}

// Client pulls into one models directory. While it is open, no other can.
type Client struct {
	opts  Options
	hosts *hosts
	http  *http.Client
	dir   string
	root  *os.Root // nil in a dry run without a directory
	flock *flock.Flock
	locks *lockFile
}

// Names of what lies in a models directory beside models.
const (
	lockName  = "models.lock"
	mutexName = ".pull.lock"
)

// Open prepares a models directory and takes it. Its error is an *Error.
func Open(opts Options) (*Client, error) {
	opts = opts.withDefaults()
	h, err := newHosts(opts.Endpoint, opts.AllowHosts)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, pathError(err, "the models directory %q", opts.Dir)
	}
	c := &Client{opts: opts, hosts: h, dir: dir, locks: newLockFile()}
	c.http = &http.Client{
		Transport:     opts.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if err := c.take(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (o Options) withDefaults() Options {
	if o.Endpoint == "" {
		o.Endpoint = DefaultEndpoint
	}
	if o.Streams <= 0 {
		o.Streams = 4
	}
	if o.ChunkBytes <= 0 {
		o.ChunkBytes = 32 << 20
	}
	if o.CheckpointBytes <= 0 {
		o.CheckpointBytes = 32 << 20
	}
	if o.Attempts <= 0 {
		o.Attempts = 8
	}
	if o.Stall <= 0 {
		o.Stall = time.Minute
	}
	if o.Transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.ResponseHeaderTimeout = o.Stall
		o.Transport = t
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	if o.free == nil {
		o.free = freeBytes
	}
	if o.wait == nil {
		o.wait = sleep
	}
	return o
}

// take opens the directory, locks it and reads what is locked in it.
func (c *Client) take() (err error) {
	if !c.opts.DryRun {
		if err := os.MkdirAll(c.dir, 0o755); err != nil { //nolint:gosec // models are no secret
			return pathError(err, "the models directory %s cannot be made", c.dir)
		}
	}
	if c.root, err = os.OpenRoot(c.dir); err != nil {
		if c.opts.DryRun && errors.Is(err, fs.ErrNotExist) {
			c.root = nil
			return nil
		}
		return pathError(err, "the models directory %s cannot be opened", c.dir)
	}
	if !c.opts.DryRun {
		if err := c.lockDir(); err != nil {
			return err
		}
	}
	return c.locks.read(c.root)
}

// lockDir keeps other pulls away from the directory.
func (c *Client) lockDir() error {
	// Made through the root, so that it is no link that leads out.
	f, err := openRegular(c.root, mutexName, os.O_CREATE|os.O_RDWR)
	if err != nil {
		return pathError(err, "%s cannot be written", filepath.Join(c.dir, mutexName))
	}
	if err := f.Close(); err != nil {
		return pathError(err, "%s cannot be written", mutexName)
	}
	lock := flock.New(filepath.Join(c.dir, mutexName))
	got, err := lock.TryLock()
	switch {
	case err != nil:
		return pathError(err, "%s cannot be locked", mutexName)
	case !got:
		return &Error{Kind: Busy, Message: "another pull is at work in " + c.dir, Advice: "Wait until it has ended, or end it; what it has fetched is kept."}
	}
	c.flock = lock
	return nil
}

// Close gives the directory back.
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

// Pull fetches what is missing of a model. Its error is an *Error, or that of ctx;
// what was fetched is kept for the next try.
func (c *Client) Pull(ctx context.Context, model catalog.Model) ([]Result, error) {
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

// spareBytes stay free on the disk.
const spareBytes = 16 << 20

// checkDisk refuses to begin what the disk has no room for.
func (c *Client) checkDisk(need int64) error {
	free, err := c.opts.free(c.dir)
	if err != nil || need == 0 {
		return nil // the disk itself will tell
	}
	if need+spareBytes > free {
		return noSpace(need+spareBytes, free, c.dir)
	}
	return nil
}

// explain adds what helps someone who has no network.
func (c *Client) explain(ctx context.Context, err error, model catalog.Model) error {
	var e *Error
	if ctx.Err() != nil || !errors.As(err, &e) || e.Kind != Unreachable {
		return err
	}
	return c.offline(e, model)
}

// source is the address of a file on the hub, or below another endpoint.
func source(endpoint *url.URL, repo, revision, path string) *url.URL {
	return endpoint.JoinPath(repo, "resolve", revision, path)
}

func (c *Client) canonical(repo, revision, path string) string {
	hub, _ := url.Parse(DefaultEndpoint)
	return source(hub, repo, revision, path).String()
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

// wrap keeps an *Error and the context's error, and makes an *Error of others.
func wrap(err error, kind Kind, format string, args ...any) error {
	var e *Error
	if errors.As(err, &e) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...) + ": " + err.Error(), cause: err}
}
