package pull

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/dustin/go-humanize"

	"github.com/lexilingo/modelgateway/server/internal/catalog"
)

// Kind tells errors apart.
type Kind int

// Kinds of errors.
const (
	// Unreachable: no answer that helps, after several tries.
	Unreachable Kind = iota + 1
	// NotFound: the hub has no such file.
	NotFound
	// Denied: the hub gives the file only to some.
	Denied
	// Limited: the hub asks to come back later than one wants to wait.
	Limited
	// Refused: an address that is not to be trusted.
	Refused
	// Broken: an answer that contradicts itself or what was agreed.
	Broken
	// Changed: the file is another than the one that was locked, or listed.
	Changed
	// Checksum: what was fetched is not what was announced.
	Checksum
	// NoSpace: the disk is too full.
	NoSpace
	// Path: the models directory cannot be used as it is.
	Path
	// Busy: another pull is at work.
	Busy
)

// Error is what went wrong and what can be done about it.
type Error struct {
	// Kind tells errors apart.
	Kind Kind
	// Message is one sentence for people.
	Message string
	// Advice is what they can do; it may have several lines.
	Advice string

	cause error
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

func newError(kind Kind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// pathError explains what the file system refused.
func pathError(err error, format string, args ...any) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &Error{Kind: NoSpace, Message: fmt.Sprintf(format, args...) + ": the disk is full", cause: err,
			Advice: "Make room and run the command again: it goes on where it stopped."}
	}
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	advice := ""
	switch {
	case errors.Is(err, fs.ErrPermission):
		advice = "Give this user the right to write there, or name another directory with --models-dir."
	case strings.Contains(err.Error(), "escapes"):
		advice = "Something in the models directory is a link that leads out of it. Remove the link, or give the directory that it leads to with --models-dir."
	}
	return &Error{Kind: Path, Message: fmt.Sprintf(format, args...) + ": " + err.Error(), Advice: advice, cause: err}
}

func noSpace(need, free int64, dir string) error {
	return &Error{
		Kind:    NoSpace,
		Message: fmt.Sprintf("%s are needed and %s are free in %s", bytes(need), bytes(free), dir),
		Advice:  "Make room, take a smaller quantisation, or name another directory with --models-dir.",
	}
}

func bytes(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

// offline says how the files of a model come here without a network.
func (c *Client) offline(e *Error, model catalog.Model) error {
	var b strings.Builder
	b.WriteString("Without the hub: fetch these on another machine, put them there, and run the command again; it checks them.\n")
	for _, f := range model.Files {
		sum := f.SHA256
		if locked, ok := c.locks.get(f.Local); ok {
			sum = locked.SHA256
		}
		if sum == "" {
			sum = "the hub's page of the file shows it"
		}
		fmt.Fprintf(&b, "  %s\n    to      %s\n    sha256  %s\n", c.canonical(model.Repo, model.Revision, f.Path),
			filepath.Join(c.dir, filepath.FromSlash(f.Local)), sum)
	}
	b.WriteString("Or name a mirror that can be reached: --mirror https://…, or HF_ENDPOINT.")
	return &Error{Kind: e.Kind, Message: e.Message, Advice: b.String(), cause: e}
}

// transientError is worth another try.
type transientError struct {
	cause error
	after int64 // seconds that the server asks to wait
}

func (e *transientError) Error() string { return e.cause.Error() }
func (e *transientError) Unwrap() error { return e.cause }

func transient(err error) error {
	if errors.Is(err, context.Canceled) && !errors.Is(err, errStalled) {
		return err
	}
	return &transientError{cause: err}
}

var (
	errStalled       = errors.New("no byte came for too long")
	errChanged       = errors.New("the file changed while it was fetched")
	errRangesIgnored = errors.New("the server ignores ranges")
)
