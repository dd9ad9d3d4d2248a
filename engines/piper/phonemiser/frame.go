package phonemiser

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"

	"github.com/lexilingo/modelgateway/engines/piper/phonemes"
)

// request asks the child for the phonemes of a text.
type request struct {
	Voice string
	// Text is valid UTF-8 without NUL, so that offsets hold.
	Text string
	// Check asks only whether there is such a voice.
	Check bool
}

// response answers a request. The first one, which answers none, tells whether
// the child is ready.
type response struct {
	Clauses []phonemes.Translation
	// Error is why there are none; "" if all is well.
	Error string
}

// mostFrame bounds a message. The phonemes of the longest text that the API takes
// are about 1 MiB.
const mostFrame = 64 << 20

// writeFrame writes a message: its length in 4 bytes, and its JSON.
func writeFrame(w io.Writer, message any) error {
	data, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if len(data) > mostFrame {
		return fmt.Errorf("a message of %d bytes is too long", len(data))
	}
	frame := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(data)), uint32(len(data))) //nolint:gosec // bounded above
	_, err = w.Write(append(frame, data...))
	return err
}

// readFrame reads a message.
func readFrame(r io.Reader, message any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > mostFrame {
		return fmt.Errorf("a message tells a length of %d bytes", n)
	}
	data, err := io.ReadAll(io.LimitReader(r, int64(n)))
	if err != nil {
		return err
	}
	if len(data) < int(n) {
		return io.ErrUnexpectedEOF
	}
	return json.Unmarshal(data, message)
}
