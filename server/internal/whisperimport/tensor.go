package whisperimport

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"slices"
)

// kind is the type of a tensor's values.
type kind struct {
	name  string
	bytes int64
}

var (
	float32s  = kind{"float32", 4}
	float16s  = kind{"float16", 2}
	bfloat16s = kind{"bfloat16", 2}
	int8s     = kind{"int8", 1}
)

// tensor is an array of numbers in a file.
type tensor struct {
	file   io.ReaderAt
	offset int64
	kind   kind
	shape  []int64
	// scale has a number for each row, by which the values of the row were
	// multiplied when they were made int8s.
	scale *tensor
}

const (
	maxRank   = 4
	maxValues = 1 << 32 // more than any Whisper has in one tensor
	copyBytes = 1 << 18
)

// count returns the product of the dimensions, or -1 if it is unreasonable.
func count(shape []int64) int64 {
	n := int64(1)
	for _, d := range shape {
		if d <= 0 || d > maxValues || n > maxValues/d {
			return -1
		}
		n *= d
	}
	return n
}

func (t tensor) values() int64 { return count(t.shape) }
func (t tensor) rows() int64   { return t.shape[0] }
func (t tensor) perRow() int64 { return t.values() / t.shape[0] }

// slice returns the rows from first, as many as n. Both are in the tensor.
func (t tensor) slice(first, n int64) tensor {
	part := t
	part.offset += first * t.perRow() * t.kind.bytes
	part.shape = append([]int64{n}, t.shape[1:]...)
	if t.scale != nil {
		scale := t.scale.slice(first, n)
		part.scale = &scale
	}
	return part
}

// read calls use with the values, in pieces.
func (t tensor) read(use func([]float32) error) error {
	scale, err := t.scales()
	if err != nil {
		return err
	}
	total, perRow := t.values(), t.perRow()
	raw, values := make([]byte, copyBytes), make([]float32, 0, copyBytes)
	for done := int64(0); done < total; {
		n := min(total-done, copyBytes/t.kind.bytes)
		piece := raw[:n*t.kind.bytes]
		if got, err := t.file.ReadAt(piece, t.offset+done*t.kind.bytes); got < len(piece) {
			return err
		}
		values = t.kind.decode(values[:0], piece)
		if scale != nil {
			for i := range values {
				values[i] /= scale[(done+int64(i))/perRow]
			}
		}
		if err := use(values); err != nil {
			return err
		}
		done += n
	}
	return nil
}

func (t tensor) scales() (scale []float32, err error) {
	if t.scale == nil {
		return nil, nil
	}
	err = t.scale.read(func(values []float32) error {
		scale = append(scale, values...)
		return nil
	})
	return scale, err
}

// equalBytes reports whether two tensors have the same type, shape and values.
func equalBytes(a, b tensor) (bool, error) {
	if a.kind != b.kind || !slices.Equal(a.shape, b.shape) {
		return false, nil
	}
	size := a.values() * a.kind.bytes
	bufA, bufB := make([]byte, copyBytes), make([]byte, copyBytes)
	for done := int64(0); done < size; done += copyBytes {
		n := min(size-done, copyBytes)
		if got, err := a.file.ReadAt(bufA[:n], a.offset+done); int64(got) < n {
			return false, err
		}
		if got, err := b.file.ReadAt(bufB[:n], b.offset+done); int64(got) < n {
			return false, err
		}
		if !bytes.Equal(bufA[:n], bufB[:n]) {
			return false, nil
		}
	}
	return true, nil
}

// decode appends the values in raw.
func (k kind) decode(values []float32, raw []byte) []float32 {
	switch k {
	case float32s:
		for ; len(raw) > 0; raw = raw[4:] {
			values = append(values, math.Float32frombits(binary.LittleEndian.Uint32(raw)))
		}
	case float16s:
		for ; len(raw) > 0; raw = raw[2:] {
			values = append(values, fromFloat16(binary.LittleEndian.Uint16(raw)))
		}
	case bfloat16s:
		for ; len(raw) > 0; raw = raw[2:] {
			values = append(values, math.Float32frombits(uint32(binary.LittleEndian.Uint16(raw))<<16))
		}
	case int8s:
		for _, b := range raw {
			values = append(values, float32(int8(b))) //nolint:gosec // the byte is an int8
		}
	}
	return values
}

// fromFloat16 converts an IEEE 754 half to a float32.
func fromFloat16(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10)&0x1f, uint32(h)&0x3ff
	switch exponent {
	case 0: // zero or subnormal: exact as a product
		value := float32(fraction) * (1.0 / (1 << 24))
		return math.Float32frombits(sign | math.Float32bits(value))
	case 0x1f:
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}

// toFloat16 rounds to the nearest half, ties to even. Values that are too large
// become infinite, as in numpy and PyTorch.
func toFloat16(f float32) uint16 {
	bits := math.Float32bits(f)
	sign, rest := uint16(bits>>16)&0x8000, bits&0x7fffffff //nolint:gosec // the upper bits
	switch {
	case rest > 0x7f800000: // not a number
		return sign | 0x7e00
	case rest >= 0x477ff000: // 65520 and more
		return sign | 0x7c00
	case rest < 0x38800000: // less than 2^-14: a subnormal, a multiple of 2^-24
		return sign | uint16(math.RoundToEven(float64(math.Float32frombits(rest))*(1<<24)))
	}
	rounded := rest + 0xfff + (rest>>13)&1
	return sign | uint16((rounded-(127-15)<<23)>>13) //nolint:gosec // 15 bits are left
}
