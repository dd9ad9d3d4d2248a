package whisperimport

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ct2 is a model.bin of CTranslate2.
type ct2 struct {
	file      *file
	variables map[string]variable
}

type variable struct {
	kind   int // an index of ct2Kinds, or another value
	shape  []int64
	offset int64
	bytes  int64
}

// ct2Kinds are the types of CTranslate2, by their numbers.
var ct2Kinds = []kind{float32s, int8s, {"int16", 2}, {"int32", 4}, float16s, bfloat16s}

// Limits of what a header may contain.
const (
	minCT2Version, maxCT2Version = 4, 6
	maxTensors                   = 20_000
	maxLayers                    = 200
)

func openCT2(f *file) (source, error) {
	c := &ct2{file: f, variables: map[string]variable{}}
	if err := c.readHeader(); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = &FormatError{Message: "model.bin is incomplete: it ends before its last variable", Advice: "Fetch it again."}
		}
		return nil, errors.Join(err, f.Close())
	}
	return c, nil
}

func (c *ct2) close() error { return c.file.Close() }

// cursor reads little-endian values at an offset of a file.
type cursor struct {
	file   *file
	offset int64
	reader *bufio.Reader
}

func (c *cursor) seek(offset int64) {
	c.offset = offset
	section := io.NewSectionReader(c.file, offset, c.file.size-offset)
	if c.reader == nil {
		c.reader = bufio.NewReaderSize(section, 512)
	}
	c.reader.Reset(section)
}

func (c *cursor) bytes(n int) ([]byte, error) {
	b := make([]byte, n)
	_, err := io.ReadFull(c.reader, b)
	c.offset += int64(n)
	return b, err
}

func (c *cursor) uint(n int) (int64, error) {
	b, err := c.bytes(n)
	if err != nil {
		return 0, err
	}
	var padded [8]byte
	copy(padded[:], b)
	return int64(binary.LittleEndian.Uint64(padded[:])), nil //nolint:gosec // at most 4 bytes
}

// text reads a string of CTranslate2: its length, then bytes that end with a zero.
func (c *cursor) text() (string, error) {
	n, err := c.uint(2)
	if err != nil {
		return "", err
	}
	b, err := c.bytes(int(n))
	return strings.TrimSuffix(string(b), "\x00"), err
}

func (c *ct2) readHeader() error {
	in := &cursor{file: c.file}
	in.seek(0)
	version, err := in.uint(4)
	if err != nil {
		return err
	}
	if version < minCT2Version || version > maxCT2Version {
		return formatError("model.bin is not a model of CTranslate2 that this program knows: its version is %d, not %d to %d",
			version, minCT2Version, maxCT2Version)
	}
	spec, err := in.text()
	if err != nil {
		return err
	}
	if spec != "WhisperSpec" {
		return formatError("model.bin holds a %.100q, not a WhisperSpec: only Whisper models can be imported", spec)
	}
	if _, err := in.uint(4); err != nil { // the revision of the specification
		return err
	}
	if err := c.readVariables(in); err != nil {
		return err
	}
	if err := c.readAliases(in); err != nil {
		return err
	}
	if in.offset != c.file.size {
		return formatError("model.bin has %d bytes too many: its parts were joined wrongly, or it is damaged", c.file.size-in.offset)
	}
	return nil
}

func (c *ct2) readVariables(in *cursor) error {
	n, err := in.uint(4)
	if err != nil {
		return err
	}
	if n > maxTensors {
		return formatError("model.bin claims to have %d variables; it is damaged", n)
	}
	for range n {
		name, v, err := c.readVariable(in)
		if err != nil {
			return err
		}
		c.variables[name] = v
		in.seek(v.offset + v.bytes)
	}
	return nil
}

func (c *ct2) readVariable(in *cursor) (string, variable, error) {
	var v variable
	name, err := in.text()
	if err != nil {
		return "", v, err
	}
	rank, err := in.uint(1)
	if err != nil {
		return "", v, err
	}
	if rank > maxRank {
		return "", v, formatError("%.100q in model.bin has %d dimensions; the file is damaged", name, rank)
	}
	for range rank {
		d, err := in.uint(4)
		if err != nil {
			return "", v, err
		}
		v.shape = append(v.shape, d)
	}
	number, err := in.uint(1)
	if err != nil {
		return "", v, err
	}
	v.kind = int(number)
	if v.bytes, err = in.uint(4); err != nil {
		return "", v, err
	}
	v.offset = in.offset
	if v.bytes > c.file.size-v.offset {
		return "", v, io.ErrUnexpectedEOF
	}
	if v.kind >= len(ct2Kinds) || count(v.shape)*ct2Kinds[v.kind].bytes != v.bytes {
		return "", v, formatError("%.100q in model.bin has the unknown type %d or a wrong size", name, v.kind)
	}
	return name, v, nil
}

func (c *ct2) readAliases(in *cursor) error {
	n, err := in.uint(4)
	if err != nil {
		return err
	}
	if n > maxTensors {
		return formatError("model.bin claims to have %d aliases; it is damaged", n)
	}
	for range n {
		alias, err := in.text()
		if err != nil {
			return err
		}
		name, err := in.text()
		if err != nil {
			return err
		}
		v, ok := c.variables[name]
		if !ok {
			return formatError("%.100q in model.bin stands for %.100q, which is missing", alias, name)
		}
		c.variables[alias] = v
	}
	return nil
}

func (c *ct2) layers(side string) int {
	for n := range maxLayers {
		if _, ok := c.variables[fmt.Sprintf("%s/layer_%d/ffn/linear_0/weight", side, n)]; !ok {
			return n
		}
	}
	return maxLayers
}

func (c *ct2) heads(side string) (int, error) {
	v, ok := c.variables[side+"/num_heads"]
	if !ok || v.bytes > 4 || v.bytes < 1 {
		return 0, formatError("model.bin does not say how many attention heads the %s has", side)
	}
	in := &cursor{file: c.file}
	in.seek(v.offset)
	n, err := in.uint(int(v.bytes))
	return int(n), err
}

func (c *ct2) tensor(n name) (tensor, error) {
	v, ok := c.variables[n.ct2]
	if !ok {
		return tensor{}, formatError("model.bin has no %s", n.ct2)
	}
	t := tensor{file: c.file, offset: v.offset, kind: ct2Kinds[v.kind], shape: v.shape}
	switch t.kind {
	case float32s, float16s, bfloat16s:
	case int8s:
		scale, ok := c.variables[n.ct2+"_scale"]
		if !ok || len(v.shape) == 0 || ct2Kinds[scale.kind] != float32s || count(scale.shape) != v.shape[0] {
			return tensor{}, formatError("%s in model.bin has no usable scale for its int8 values", n.ct2)
		}
		t.scale = &tensor{file: c.file, offset: scale.offset, kind: float32s, shape: []int64{v.shape[0]}}
	default:
		return tensor{}, formatError("%s in model.bin has values of type %s, which this program cannot convert", n.ct2, t.kind.name)
	}
	if n.parts > 1 {
		if len(t.shape) == 0 || t.rows()%n.parts != 0 {
			return tensor{}, formatError("%s in model.bin has a shape that cannot be divided by %d", n.ct2, n.parts)
		}
		rows := t.rows() / n.parts
		t = t.slice(n.index*rows, rows)
	}
	return t, nil
}
