// Package gguftest writes GGUF files for tests.
package gguftest

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Value is a key of the metadata with its value: a bool, a uint32, a string, or a
// slice of the latter two.
type Value struct {
	Key   string
	Value any
}

// Tensor is an entry of the table of tensors.
type Tensor struct {
	Name   string
	Sizes  []uint64
	Kind   uint32
	Offset uint64
}

// The numbers of the types of values.
const (
	kindUint32 = 4
	kindBool   = 7
	kindString = 8
	kindArray  = 9
)

// File returns a GGUF file of version 3 with a header and the given number of
// bytes of weights.
func File(metadata []Value, tensors []Tensor, weights int) []byte {
	data := append([]byte("GGUF"), 3, 0, 0, 0)
	data = number(data, len(tensors))
	data = number(data, len(metadata))
	for _, v := range metadata {
		data = value(text(data, v.Key), v.Value)
	}
	for _, t := range tensors {
		data = text(data, t.Name)
		data = binary.LittleEndian.AppendUint32(data, uint32(len(t.Sizes)))
		for _, size := range t.Sizes {
			data = binary.LittleEndian.AppendUint64(data, size)
		}
		data = binary.LittleEndian.AppendUint32(data, t.Kind)
		data = binary.LittleEndian.AppendUint64(data, t.Offset)
	}
	for len(data)%32 != 0 {
		data = append(data, 0)
	}
	return append(data, make([]byte, weights)...)
}

// Write writes data to a file in a folder of the test and returns its path.
func Write(t testing.TB, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.gguf")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func value(data []byte, v any) []byte {
	switch v := v.(type) {
	case bool:
		b := byte(0)
		if v {
			b = 1
		}
		return append(kind(data, kindBool), b)
	case uint32:
		return binary.LittleEndian.AppendUint32(kind(data, kindUint32), v)
	case string:
		return text(kind(data, kindString), v)
	case []uint32:
		data = number(kind(kind(data, kindArray), kindUint32), len(v))
		for _, n := range v {
			data = binary.LittleEndian.AppendUint32(data, n)
		}
		return data
	case []string:
		data = number(kind(kind(data, kindArray), kindString), len(v))
		for _, s := range v {
			data = text(data, s)
		}
		return data
	default:
		panic(fmt.Sprintf("a value of type %T", v))
	}
}

func kind(data []byte, n uint32) []byte { return binary.LittleEndian.AppendUint32(data, n) }

func number(data []byte, n int) []byte { return binary.LittleEndian.AppendUint64(data, uint64(n)) }

func text(data []byte, s string) []byte { return append(number(data, len(s)), s...) }
