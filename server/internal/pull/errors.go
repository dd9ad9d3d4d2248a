package pull

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/dustin/go-humanize"

	"github.com/lexilingo/modelgateway/server/internal/catalog"
)

// Kind is the kind of an [Error].
type Kind int

// Kinds of errors.
const (
	// Unreachable: no usable response after several attempts.
	Unreachable Kind = iota + 1
	// NotFound: the hub has no such file.
	NotFound
	// Denied: the hub denies access to the file.
	Denied
	// Limited: the hub asks to wait longer than a pull waits.
	Limited
	// Refused: a URL that is not trusted.
	Refused
	// Broken: a response that is invalid or contradicts an earlier one.
	Broken
	// Untrusted: no checksum of the file is known, and TrustOnFirstUse is not set.
	Untrusted
	// Changed: the file differs from the one in models.lock or in the catalogue.
	Changed
	// Checksum: the download does not match the checksum.
	Checksum
	// NoSpace: the disk is full.
	NoSpace
	// Path: the models directory or a file in it cannot be used.
	Path
	// TimedOut: the caller's time limit passed.
	TimedOut
	// Busy: another pull uses the models directory.
	Busy
)

// Error says what failed and what the user can do about it.
type Error struct {
	// Kind is the kind of the error.
	Kind Kind
	// Message says what failed, in one sentence.
	Message string
	// Advice is what the user can do; it may have several lines.
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

// pathError explains an error of the file system.
func pathError(err error, format string, args ...any) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return &Error{Kind: NoSpace, Message: fmt.Sprintf(format, args...) + ": the disk is full", cause: err,
			Advice: "Free some space and run the command again to resume the download."}
	}
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	advice := ""
	switch {
	case errors.Is(err, fs.ErrPermission):
		advice = "Give this user write access, or choose another directory with --models-dir."
	case strings.Contains(err.Error(), "escapes"):
		advice = "The models directory contains a link that leads out of it. Remove the link, or name its target with --models-dir."
	}
	return &Error{Kind: Path, Message: fmt.Sprintf(format, args...) + ": " + err.Error(), Advice: advice, cause: err}
}

func noSpace(need, free int64, dir string) error {
	return &Error{
		Kind:    NoSpace,
		Message: fmt.Sprintf("%s are needed, but only %s are free in %s", formatBytes(need), formatBytes(free), dir),
		Advice:  "Free some space, choose a smaller quantisation, or choose another directory with --models-dir.",
	}
}

func formatBytes(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

// withOfflineAdvice adds how to install a model without access to the hub.
func (c *Client) withOfflineAdvice(e *Error, model catalog.Model) error {
	var b strings.Builder
	unknown := false
	b.WriteString("To install the model without the hub, download these files on another machine, copy them to the paths below, and run the command again to verify them:\n")
	for _, f := range model.Files {
		sum := f.SHA256
		if locked, ok := c.locks.get(f.Local); ok {
			sum = locked.SHA256
		}
		if sum == "" {
			sum, unknown = "not known to this program; the page of the file on the hub shows it", true
		}
		fmt.Fprintf(&b, "  %s\n    to      %s\n    sha256  %s\n", c.hubURL(model.Repo, model.Revision, f.Path),
			c.Join(f.Local), sum)
	}
	if unknown {
		b.WriteString("Add --accept-files for the files whose checksum is not known: compare them yourself, with sha256sum. They are recorded in models.lock.\n")
	}
	b.WriteString("Or use a mirror that this machine can reach: --mirror https://…, or HF_ENDPOINT.")
	return &Error{Kind: e.Kind, Message: e.Message, Advice: b.String(), cause: e}
}

// transientError is an error after which the request is tried again.
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
	errStalled       = errors.New("no data arrived for too long")
	errChanged       = errors.New("the file changed during the download")
	errRangesIgnored = errors.New("the server does not support ranges")
)
