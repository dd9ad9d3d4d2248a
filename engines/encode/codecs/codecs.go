// Package codecs encodes speech with LAME, libopusenc and libFLAC.
package codecs

import (
	"fmt"
	"strings"

	"github.com/lexilingo/modelgateway/engines/encode"
)

// New returns an encoder for mono samples.
func New(s encode.Settings) (encode.Encoder, error) {
	switch s.Format {
	case encode.MP3:
		return newMP3(s)
	case encode.OggOpus:
		return newOpus(s)
	case encode.FLAC:
		return newFLAC(s)
	}
	return nil, fmt.Errorf("unknown format %q: use %s", s.Format, strings.Join(encode.Formats(), ", "))
}
