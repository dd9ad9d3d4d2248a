package pull

import (
	"context"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/lexilingo/modelgateway/server/internal/catalog"
)

// remote is what the hub says of a file before it is fetched.
type remote struct {
	commit  string
	size    int64
	sha256  string // of large files
	gitBlob string // of small ones: the hash that git gives them
}

var (
	sha256Pattern = regexp.MustCompile(`^[0-9a-f]{64}$`)
	sha1Pattern   = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// ask gets size, checksum and commit of a file. The hub tells them in the header
// of its own answer, before it redirects to where the bytes are.
func (c *Client) ask(ctx context.Context, model catalog.Model, file catalog.File, revision string) (remote, error) {
	var found remote
	u := source(c.hosts.endpoint, model.Repo, revision, file.Path)
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

// readRemote reads what the answers of the hub's own host say.
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
		return r, newError(Broken, "the hub does not say how large %s is (%q)", file.Path, size)
	}
	// The list's sizes are rounded; a file of another order is another file.
	if most := 2*file.SizeBytes() + 1<<20; r.size > most {
		return r, newError(Broken, "the hub says that %s has %s, which is far more than the %s that it should have",
			file.Path, bytes(r.size), bytes(file.SizeBytes()))
	}
	return r, nil
}

// etag normalises an entity tag; it stays distinguishable as weak.
func etag(value string) string { return strings.TrimSpace(value) }
