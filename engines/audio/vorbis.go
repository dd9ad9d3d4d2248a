package audio

import (
	"strings"

	"github.com/lexilingo/modelgateway/engines/decode"
)

// Headers of Vorbis begin with their type, which is odd, and "vorbis".
const (
	vorbisFirst = "\x01vorbis" // rate, channels
	vorbisSetup = "\x05vorbis" // tables
	vorbisName  = "Vorbis"     // for messages
)

// newVorbis returns a stream with its first header and the one with its tables. The one
// between them has only tags.
func newVorbis(first, setup []byte) (packetStream, error) {
	s, err := newNativeStream(vorbisName, decode.Vorbis, decode.Packets([][]byte{first, setup}))
	if err != nil {
		return nil, err
	}
	return s, nil
}

// hasPrefix reports whether b begins with magic.
func hasPrefix(b []byte, magic string) bool {
	return strings.HasPrefix(string(b[:min(len(b), len(magic))]), magic)
}

// splitVorbisPrivate returns the headers that Matroska keeps (Xiph's lacing: the sizes of
// all but the last); nil if they are damaged.
func splitVorbisPrivate(b []byte) (first, setup []byte) {
	if len(b) == 0 || b[0] != 2 {
		return nil, nil
	}
	b = b[1:]
	var sizes [2]int
	for i := range sizes {
		for more := true; more; b = b[1:] {
			if len(b) == 0 {
				return nil, nil
			}
			sizes[i] += int(b[0])
			more = b[0] == 255
		}
	}
	if sizes[0]+sizes[1] > len(b) {
		return nil, nil
	}
	return b[:sizes[0]], b[sizes[0]+sizes[1]:]
}
