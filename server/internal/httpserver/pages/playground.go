package pages

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/lexilingo/modelgateway/playground"
)

// PlaygroundPath is the path of the playground.
const PlaygroundPath = "/ui/"

// playgroundPolicy lets the playground use its own files and this server, and nothing
// else.
const playgroundPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// mediaTypes are those of its files, whatever the system says.
var mediaTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8",
}

// playgroundFile is a file of the playground, as it is and compressed.
type playgroundFile struct {
	mediaType, tag string
	plain          []byte
	zipped         func() ([]byte, error) // compresses it once
}

// Playground serves the page on which people try the server. The program contains all
// of it.
func Playground() (http.Handler, error) {
	dist, err := fs.Sub(playground.Files, "dist")
	if err != nil {
		return nil, err
	}
	files := map[string]playgroundFile{}
	err = fs.WalkDir(dist, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(dist, name)
		if err != nil {
			return err
		}
		files[PlaygroundPath+strings.TrimSuffix(name, "index.html")] = newPlaygroundFile(name, text)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("the playground: %w", err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, ok := files[r.URL.Path]
		if !ok {
			http.Redirect(w, r, PlaygroundPath, http.StatusFound)
			return
		}
		file.serve(w, r)
	}), nil
}

func newPlaygroundFile(name string, text []byte) playgroundFile {
	sum := sha256.Sum256(text)
	return playgroundFile{
		mediaType: mediaTypes[path.Ext(name)], tag: hex.EncodeToString(sum[:8]), plain: text,
		zipped: sync.OnceValues(func() ([]byte, error) { return zip(text) }), // not now: the server shall start soon
	}
}

func zip(text []byte) ([]byte, error) {
	var zipped bytes.Buffer
	writer, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := writer.Write(text); err != nil {
		return nil, err
	}
	err = writer.Close()
	return zipped.Bytes(), err
}

func (f playgroundFile) serve(w http.ResponseWriter, r *http.Request) {
	text, tag := f.plain, f.tag
	h := w.Header()
	h.Set("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		if zipped, err := f.zipped(); err == nil { // else as it is
			text, tag = zipped, f.tag+"-gzip"
			h.Set("Content-Encoding", "gzip")
		}
	}
	h.Set("Content-Type", f.mediaType)
	h.Set("Etag", `"`+tag+`"`)
	h.Set("Cache-Control", "no-cache") // a new version of the server has other files
	h.Set("Content-Security-Policy", playgroundPolicy)
	h.Set("Permissions-Policy", "microphone=(self), camera=(), geolocation=()")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
}
