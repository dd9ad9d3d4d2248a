// Program encode-speech encodes speech as MP3, Opus or FLAC for the server, which starts
// one for each answer. It reads samples from standard input and writes what they become;
// see package encode.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/lexilingo/modelgateway/engines/encode"
	"github.com/lexilingo/modelgateway/engines/encode/codecs"
)

func main() {
	if err := run(); err != nil && !errors.Is(err, io.EOF) { // the server ended the stream early
		fmt.Fprintln(os.Stderr, "encode-speech:", err)
		os.Exit(1)
	}
}

func run() error {
	settings, err := encode.ParseArgs(os.Args[1:])
	if err != nil {
		return err
	}
	encoder, err := codecs.New(settings)
	if err != nil {
		return err
	}
	defer encoder.Close()
	return encode.Serve(bufio.NewReader(os.Stdin), os.Stdout, encoder)
}
