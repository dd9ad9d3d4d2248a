// Package encode is the protocol between the server and encode-speech, a helper (see
// package helper) that encodes speech with native libraries.
//
// The server sends samples as frames, and gets for each frame one with what is encoded
// now, which may be empty. An empty frame from the server is the end; the answer to it is
// the rest.
package encode

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/lexilingo/modelgateway/engines/helper"
)

// The formats that encode-speech makes.
const (
	MP3     = "mp3"
	OggOpus = "opus"
	FLAC    = "flac"
)

// Formats returns all formats.
func Formats() []string { return []string{MP3, OggOpus, FLAC} }

// MaxFrame is the largest number of samples' bytes in one frame.
const MaxFrame = 64 << 10

// Settings say how to encode.
type Settings struct {
	Format string
	// Rate is the sample rate, in Hz.
	Rate int
	// Bitrate is in bits per second. FLAC has none.
	Bitrate int
}

// Args returns the arguments of encode-speech.
func (s Settings) Args() []string {
	return []string{s.Format, strconv.Itoa(s.Rate), strconv.Itoa(s.Bitrate)}
}

// ParseArgs is the reverse of Args.
func ParseArgs(args []string) (Settings, error) {
	if len(args) != 3 {
		return Settings{}, fmt.Errorf("usage: encode-speech FORMAT RATE BITRATE; the server runs it")
	}
	rate, err := strconv.Atoi(args[1])
	bitrate, err2 := strconv.Atoi(args[2])
	return Settings{Format: args[0], Rate: rate, Bitrate: bitrate}, errors.Join(err, err2)
}

// Encoder encodes samples. Its methods return what is encoded since the last call.
type Encoder interface {
	// Encode adds samples.
	Encode(samples []int16) ([]byte, error)
	// Finish ends the stream.
	Finish() ([]byte, error)
	// Close frees the encoder.
	Close()
}

// Serve answers frames of samples until the end.
func Serve(r io.Reader, w io.Writer, e Encoder) error {
	for {
		pcm, err := helper.ReadFrame(r)
		if err != nil {
			return err // also if the server is gone
		}
		if len(pcm) == 0 {
			rest, err := e.Finish()
			if err != nil {
				return err
			}
			return helper.WriteFrame(w, rest)
		}
		samples := make([]int16, len(pcm)/2)
		for i := range samples {
			samples[i] = int16(binary.LittleEndian.Uint16(pcm[2*i:])) //nolint:gosec // the sign is in the highest bit
		}
		encoded, err := e.Encode(samples)
		if err != nil {
			return err
		}
		if err := helper.WriteFrame(w, encoded); err != nil {
			return err
		}
	}
}
