package phonemiser

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/lexilingo/modelgateway/engines/piper/espeak"
	"github.com/lexilingo/modelgateway/engines/piper/phonemes"
)

const (
	// childArgument is the only argument of a child.
	childArgument = "--phonemise"

	// responsesFD is the file descriptor to which a child writes. It does not use
	// standard output, to which the library may print.
	responsesFD = 3
)

// IsChild reports whether this process was started as a child of a Phonemiser. It
// must then only call Serve.
func IsChild() bool { return len(os.Args) == 2 && os.Args[1] == childArgument }

// Serve runs the child until its parent ends, and returns the exit code.
func Serve() int {
	return serve(os.Stdin, os.NewFile(responsesFD, "responses"), openLibrary)
}

// translate answers a request.
type translate func(request) ([]phonemes.Translation, error)

// serve answers requests until in ends. The process exits then, even if the library
// is busy or hangs.
func serve(in io.Reader, out io.Writer, open func() (translate, error)) int {
	// A signal to the process group is for the worker, which ends the child itself.
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	requests := make(chan request)
	go func() {
		for {
			var r request
			if err := readFrame(in, &r); err != nil {
				code := 0
				if !errors.Is(err, io.EOF) {
					code = 1
				}
				os.Exit(code)
			}
			requests <- r
		}
	}()
	answer, err := open()
	if writeFrame(out, response{Error: messageOf(err)}) != nil || err != nil {
		return 1
	}
	for r := range requests {
		clauses, err := answer(r)
		if writeFrame(out, response{Clauses: clauses, Error: messageOf(err)}) != nil {
			return 1
		}
	}
	return 0
}

func messageOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// openLibrary initialises libespeak-ng.
func openLibrary() (translate, error) {
	library, err := espeak.Open()
	if err != nil {
		return nil, err
	}
	return func(r request) ([]phonemes.Translation, error) {
		if r.Check {
			return nil, library.CheckVoice(r.Voice)
		}
		// Clauses reads a text to its end even if the context ends.
		clauses, err := library.Clauses(context.Background(), r.Voice, r.Text)
		if err != nil {
			return nil, err
		}
		out := make([]phonemes.Translation, len(clauses))
		for i, c := range clauses {
			out[i] = phonemes.Translation(c)
		}
		return out, nil
	}, nil
}
