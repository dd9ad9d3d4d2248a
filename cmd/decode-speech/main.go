// Program decode-speech decodes AAC, AMR and Vorbis for the engines and the server, which
// start one for each recording. It reads packets from standard input and writes their samples;
// see package decode.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/lexilingo/modelgateway/engines/decode"
	"github.com/lexilingo/modelgateway/engines/decode/codecs"
)

func main() {
	if err := run(); err != nil && !errors.Is(err, io.EOF) { // the end of the recording
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return decode.Usage()
	}
	return decode.Serve(bufio.NewReader(os.Stdin), os.Stdout, func(description []byte) (decode.Decoder, error) {
		return codecs.New(os.Args[1], description)
	})
}
