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
	// Text is valid UTF-8 without NUL, so that JSON does not change its offsets.
	Text string
	// Check asks only whether the voice exists.
	Check bool
}

// response is the answer to a request. The child sends a first response without a
// request when it is ready or cannot start.
type response struct {
	Clauses []phonemes.Translation
	// Error is the failure; "" if there is none.
	Error string
}

// maxFrame is the maximum length of a message. The phonemes of the longest text that
// the API accepts are about 1 MiB.
const maxFrame = 64 << 20

// writeFrame writes a message as its length in 4 bytes, followed by its JSON.
func writeFrame(w io.Writer, message any) error {
	data, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if len(data) > maxFrame {
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
	if n > maxFrame {
		return fmt.Errorf("a message has a length of %d bytes, which is too long", n)
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
