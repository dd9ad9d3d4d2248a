package pull

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// download downloads the bytes of one file.
type download struct {
	*job
	part    *part
	fetched atomic.Int64

	reporting sync.Mutex
	progress  func(done int64)
}

// run downloads the missing bytes, and saves the state of the part in any case. If
// the file changes on the server meanwhile, run starts again, once.
func (d *download) run(ctx context.Context) error {
	err := d.attempt(ctx)
	if errors.Is(err, errChanged) {
		if err = d.part.restart(); err == nil {
			err = d.attempt(ctx)
		}
	}
	if errors.Is(err, errChanged) {
		err = &Error{Kind: Changed, Message: d.file.Path + " changed on the server twice during the download",
			Advice: "Try again later, or use another mirror.", cause: err}
	}
	return errors.Join(err, d.part.save())
}

// attempt downloads in ranges if the server supports them, and otherwise the whole
// file in one stream.
func (d *download) attempt(ctx context.Context) error {
	missing := d.part.missing(d.c.opts.ChunkBytes)
	if len(missing) == 0 {
		return nil
	}
	err := d.ranges(ctx, missing)
	if errors.Is(err, errRangesIgnored) {
		return d.c.retry(ctx, d.part.doneBytes, func() error { return d.whole(ctx) })
	}
	return err
}

// ranges downloads the missing ranges. If there are several, it first asks for one
// byte, to find out whether the server supports ranges.
func (d *download) ranges(ctx context.Context, missing []span) error {
	if len(missing) > 1 {
		probe := func() error { return d.fetch(ctx, &span{missing[0].Start, missing[0].Start + 1}) }
		if err := d.c.retry(ctx, d.part.doneBytes, probe); err != nil {
			return err
		}
		missing = d.part.missing(d.c.opts.ChunkBytes)
	}
	queue := make(chan span, len(missing))
	for _, s := range missing {
		queue <- s
	}
	close(queue)
	group, ctx := errgroup.WithContext(ctx)
	for range min(d.c.opts.Streams, len(missing)) {
		group.Go(func() error {
			for s := range queue {
				err := d.c.retry(ctx, func() int64 { return s.Start }, func() error { return d.fetch(ctx, &s) })
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// fetch downloads a range and advances its start by what arrived.
func (d *download) fetch(ctx context.Context, s *span) error {
	header := http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", s.Start, s.End-1)}}
	if tag := d.part.etag(); tag != "" && !strings.HasPrefix(tag, "W/") { // If-Range must not have a weak tag
		header.Set("If-Range", tag)
	}
	return d.get(ctx, header, func(res *http.Response, body io.Reader) error {
		tag := etag(res.Header.Get("ETag"))
		switch res.StatusCode {
		case http.StatusPartialContent:
		case http.StatusOK:
			if err := d.part.checkETag(tag); err != nil {
				return err
			}
			return errRangesIgnored
		case http.StatusRequestedRangeNotSatisfiable:
			return errChanged
		default:
			return statusError(res, d.file.Path)
		}
		if err := d.part.checkETag(tag); err != nil {
			return err
		}
		if err := checkRange(res, *s, d.want.size); err != nil {
			return err
		}
		return d.copy(body, s)
	})
}

// whole downloads the file in one stream.
func (d *download) whole(ctx context.Context) error {
	return d.get(ctx, http.Header{}, func(res *http.Response, body io.Reader) error {
		if res.StatusCode != http.StatusOK {
			return statusError(res, d.file.Path)
		}
		if err := d.part.checkETag(etag(res.Header.Get("ETag"))); err != nil {
			return err
		}
		if res.ContentLength >= 0 && res.ContentLength != d.want.size {
			return newError(Broken, "the server reports %d bytes for %s, but the hub %d", res.ContentLength, d.file.Path, d.want.size)
		}
		return d.copy(body, &span{0, d.want.size})
	})
}

// checkRange checks that a response contains the requested range.
func checkRange(res *http.Response, s span, size int64) error {
	want := fmt.Sprintf("bytes %d-%d/", s.Start, s.End-1)
	got := res.Header.Get("Content-Range")
	total, ok := strings.CutPrefix(got, want)
	if !ok || total != "*" && total != fmt.Sprint(size) {
		return newError(Broken, "the server was asked for %s%d but answered %q", want, size, got)
	}
	if res.ContentLength >= 0 && res.ContentLength != s.End-s.Start {
		return newError(Broken, "the server reports %d bytes for a range of %d bytes", res.ContentLength, s.End-s.Start)
	}
	return nil
}

// get makes one request for the file. It fails if no data arrives for too long.
func (d *download) get(parent context.Context, header http.Header, use func(*http.Response, io.Reader) error) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	watch := time.AfterFunc(d.c.opts.Stall, func() { cancel(errStalled) })
	defer watch.Stop()
	res, err := d.c.do(ctx, http.MethodGet, d.address(), header, false, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if encoding := res.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return newError(Broken, "the server sent %s with the encoding %q, which was not requested", d.file.Path, encoding)
	}
	return use(res, &watched{body: res.Body, ctx: ctx, watch: watch, stall: d.c.opts.Stall})
}

// watched is a response body that restarts the stall timer with each read.
type watched struct {
	body  io.Reader
	ctx   context.Context //nolint:containedctx // the context of the request
	watch *time.Timer
	stall time.Duration
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.body.Read(b)
	if n > 0 {
		w.watch.Reset(w.stall)
	}
	if err != nil && errors.Is(context.Cause(w.ctx), errStalled) {
		err = errStalled
	}
	return n, err
}

// copy writes the bytes of a range to their place in the part, and never more.
func (d *download) copy(body io.Reader, s *span) error {
	buffer := make([]byte, 256<<10)
	for s.Start < s.End {
		n, err := body.Read(buffer[:min(int64(len(buffer)), s.End-s.Start)])
		if n > 0 {
			if err := d.part.write(buffer[:n], s.Start); err != nil {
				return err
			}
			s.Start += int64(n)
			d.fetched.Add(int64(n))
			d.report()
		}
		if err != nil && s.Start < s.End {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return transient(fmt.Errorf("the connection was interrupted: %w", err))
		}
	}
	return nil
}

func (d *download) report() {
	d.reporting.Lock()
	defer d.reporting.Unlock()
	d.progress(d.part.doneBytes())
}
