// Package codecs decodes AAC with FAAD2, AMR with opencore-amr, and Vorbis.
package codecs

import (
	"fmt"

	"github.com/lexilingo/modelgateway/engines/decode"
)

// New returns a decoder for a stream with a description.
func New(codec string, description []byte) (decode.Decoder, error) {
	switch codec {
	case decode.AAC:
		return newAAC(description)
	case decode.AMRNB, decode.AMRWB:
		return newAMR(codec == decode.AMRWB)
	case decode.Vorbis:
		return newVorbis(description)
	}
	return nil, fmt.Errorf("unknown codec %q", codec)
}
