package pull

import (
	"context"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/lexilingo/modelgateway/server/internal/catalog"
)

// remote describes a file on the hub.
type remote struct {
	commit  string
	size    int64
	sha256  string // large files only
	gitBlob string // small files only: the hash of the git blob
}

var (
	sha256Pattern = regexp.MustCompile(`^[0-9a-f]{64}$`)
	sha1Pattern   = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// describe gets the size, the checksum and the commit of a file. The hub sends them
// in the header of its own response, before it redirects to the download host.
func (c *Client) describe(ctx context.Context, model catalog.Model, file catalog.File, revision string) (remote, error) {
	var found remote
	u := fileURL(c.hosts.endpoint, model.Repo, revision, file.Path)
	err := c.retry(ctx, func() int64 { return 0 }, func() error {
		ctx, cancel := context.WithTimeoutCause(ctx, c.opts.Stall, errStalled)
		defer cancel()
		var hops []http.Header
		res, err := c.do(ctx, http.MethodHead, u, http.Header{}, true, &hops)
		if err != nil {
			return err
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK && !redirects(res.StatusCode) {
			return statusError(res, model.Repo+"/"+file.Path)
		}
		found, err = readRemote(res, hops, file)
		return err
	})
	return found, err
}

// readRemote reads the headers of the hub's own responses.
func readRemote(res *http.Response, hops []http.Header, file catalog.File) (remote, error) {
	first := func(name string) string {
		for _, h := range hops {
			if v := h.Get(name); v != "" {
				return v
			}
		}
		return ""
	}
	r := remote{commit: first("X-Repo-Commit")}
	if !sha1Pattern.MatchString(r.commit) {
		r.commit = ""
	}
	tag := etag(first("X-Linked-Etag"))
	size := first("X-Linked-Size")
	if res.StatusCode == http.StatusOK {
		if tag == "" {
			tag = etag(res.Header.Get("ETag"))
		}
		if size == "" {
			size = res.Header.Get("Content-Length")
		}
	}
	tag = strings.ToLower(strings.Trim(strings.TrimPrefix(tag, "W/"), `"`))
	switch {
	case sha256Pattern.MatchString(tag):
		r.sha256 = tag
	case sha1Pattern.MatchString(tag):
		r.gitBlob = tag
	}
	var err error
	if r.size, err = strconv.ParseInt(size, 10, 64); err != nil || r.size <= 0 {
		return r, newError(Broken, "the hub does not report the size of %s (%q)", file.Path, size)
	}
	return r, checkSize(r.size, file, "the hub reports "+file.Path+" with", Broken)
}

// maxUnknownBytes is the largest file of unknown size.
const maxUnknownBytes = 100e9

// checkSize returns an error, which begins with what, if a file is much larger than
// expected. The sizes in the catalogue are rounded, but a much larger file is a
// different one.
func checkSize(size int64, file catalog.File, what string, kind Kind) error {
	expected := file.SizeBytes()
	switch {
	case expected == 0 && size > maxUnknownBytes:
		return newError(kind, "%s %s, more than the %s that a file may have", what, formatBytes(size), formatBytes(maxUnknownBytes))
	case expected > 0 && size > 2*expected+1<<20:
		return newError(kind, "%s %s, far more than the expected %s", what, formatBytes(size), formatBytes(expected))
	}
	return nil
}

// etag trims an entity tag. A weak tag keeps its prefix.
func etag(value string) string { return strings.TrimSpace(value) }
