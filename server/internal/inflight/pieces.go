package inflight

import (
	"bytes"
	"errors"
	"io"
)

// Pieces grow from firstPiece to largestPiece bytes.
const (
	firstPiece   = 4 << 10
	largestPiece = 64 << 10
)

// Pieces is data of unknown length in memory. It takes hardly more memory than
// the data has bytes, and frees each piece once it has been read.
type Pieces struct{ list [][]byte }

// Fill reads source to its end.
func (p *Pieces) Fill(source io.Reader) error {
	for size := firstPiece; ; size = min(2*size, largestPiece) {
		piece := make([]byte, 0, size)
		for len(piece) < size {
			n, err := source.Read(piece[len(piece):size])
			piece = piece[:len(piece)+n]
			if err != nil {
				p.list = append(p.list, piece)
				if errors.Is(err, io.EOF) {
					return nil
				}
				return err
			}
		}
		p.list = append(p.list, piece)
	}
}

// Read implements io.Reader.
func (p *Pieces) Read(into []byte) (int, error) {
	for len(p.list) > 0 && len(p.list[0]) == 0 {
		p.list[0], p.list = nil, p.list[1:]
	}
	if len(p.list) == 0 {
		return 0, io.EOF
	}
	n := copy(into, p.list[0])
	p.list[0] = p.list[0][n:]
	return n, nil
}

// Bytes returns all that has not been read, in one slice.
func (p *Pieces) Bytes() []byte { return bytes.Join(p.list, nil) }
