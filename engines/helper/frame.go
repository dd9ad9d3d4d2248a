package helper

import (
	"encoding/binary"
	"fmt"
	"io"
)

// MaxFrame is the largest frame that is read, in bytes.
const MaxFrame = 1 << 20

// WriteFrame writes a frame: its length, 4 bytes in big-endian order, and so many bytes.
func WriteFrame(w io.Writer, data []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...)) //nolint:gosec // of at most MaxFrame
	return err
}

// ReadFrame reads a frame.
func ReadFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > MaxFrame {
		return nil, fmt.Errorf("a frame has %d bytes, more than %d", size, MaxFrame)
	}
	data := make([]byte, size)
	_, err := io.ReadFull(r, data)
	return data, err
}
