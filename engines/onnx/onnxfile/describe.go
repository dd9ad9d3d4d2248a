// Package onnxfile reads what an ONNX file says about its graph, without its weights. It
// is pure Go, for the server, and for engines before they load a model.
package onnxfile

import (
	"os"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Description is the part of a model's file that is read before it is loaded.
type Description struct {
	// Inputs and Outputs are those of the graph.
	Inputs, Outputs []Value
	// External are the names of files with weights, as the model's file states them.
	External []string
}

// Value describes an input or output of a graph.
type Value struct {
	// Name is the name in the graph.
	Name string
	// Type is the number of the element type in onnx.proto; 0 if the value is not a
	// tensor, or the file does not state its type.
	Type uint32
	// Shape is the length of each dimension, -1 if it is not fixed.
	Shape []int64
}

// Float is the Type of floats of 32 bits.
const Float = 1

// Limits of what is read from a file, far beyond every real model.
const (
	maxValues     = 1000    // inputs, outputs, files of weights
	maxWeights    = 1 << 20 // initializers of the graph
	maxGraphDepth = 32      // graphs inside nodes of graphs
)

// Describe reads the names, types and shapes of a graph's inputs and outputs, and the
// files of its weights, from the model's file (onnx.proto of the ONNX project). ONNX
// Runtime could replace it if it returned these before it loads the whole model, and
// did not open files of weights outside the model's folder.
func Describe(path string) (Description, error) {
	f, err := os.Open(path)
	if err != nil {
		return Description{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Description{}, err
	}
	d := describer{reader: wireReader{file: f}, weights: map[string]bool{}}
	if err := d.model(span{0, info.Size()}); err != nil {
		return Description{}, err
	}
	// Files before IR version 4 list weights among the inputs.
	d.found.Inputs = slices.DeleteFunc(d.found.Inputs, func(v Value) bool { return d.weights[v.Name] })
	return d.found, nil
}

// describer collects a description. Each method reads one message of onnx.proto.
type describer struct {
	reader  wireReader
	found   Description
	weights map[string]bool
}

// model reads a ModelProto.
func (d *describer) model(s span) error {
	return d.reader.fields(s, func(f field) error {
		switch f.number {
		case 7: // graph
			return d.graph(f.span, 0)
		case 20: // training_info
			return d.each(f.span, func(s span) error { return d.graph(s, 1) }, 1, 2)
		case 25: // functions
			return d.each(f.span, func(s span) error { return d.node(s, 1) }, 7)
		}
		return nil
	})
}

// each calls visit with the fields of these numbers.
func (d *describer) each(s span, visit func(span) error, numbers ...protowire.Number) error {
	return d.reader.fields(s, func(f field) error {
		if slices.Contains(numbers, f.number) {
			return visit(f.span)
		}
		return nil
	})
}

// graph reads a GraphProto. depth is the number of nodes around it.
func (d *describer) graph(s span, depth int) error {
	if depth > maxGraphDepth {
		return errMalformed
	}
	return d.reader.fields(s, func(f field) error {
		switch {
		case f.number == 1: // node
			return d.node(f.span, depth)
		case f.number == 5: // initializer
			return d.tensor(f.span, depth == 0)
		case f.number == 15: // sparse_initializer
			return d.sparse(f.span)
		case f.number == 11 && depth == 0: // input
			return d.value(f.span, &d.found.Inputs)
		case f.number == 12 && depth == 0: // output
			return d.value(f.span, &d.found.Outputs)
		}
		return nil
	})
}

// node reads a NodeProto, for the tensors and graphs in its attributes.
func (d *describer) node(s span, depth int) error {
	attribute := func(s span) error {
		return d.reader.fields(s, func(f field) error {
			switch f.number {
			case 5, 10: // t, tensors
				return d.tensor(f.span, false)
			case 6, 11: // g, graphs
				return d.graph(f.span, depth+1)
			case 22, 23: // sparse_tensor, sparse_tensors
				return d.sparse(f.span)
			}
			return nil
		})
	}
	return d.each(s, attribute, 5)
}

// sparse reads a SparseTensorProto.
func (d *describer) sparse(s span) error {
	return d.each(s, func(s span) error { return d.tensor(s, true) }, 1, 2)
}

// tensor reads a TensorProto. named reports whether its name is that of a weight of the
// outer graph.
func (d *describer) tensor(s span, named bool) error {
	return d.reader.fields(s, func(f field) error {
		switch {
		case f.number == 8 && named: // name
			name, err := d.reader.text(f.span)
			if err != nil || len(d.weights) >= maxWeights {
				return errMalformed
			}
			d.weights[name] = true
		case f.number == 13: // external_data
			return d.externalData(f.span)
		}
		return nil
	})
}

// externalData reads one StringStringEntryProto of a tensor's external data.
func (d *describer) externalData(s span) error {
	var key, value string
	err := d.reader.fields(s, func(f field) (err error) {
		switch f.number {
		case 1:
			key, err = d.reader.text(f.span)
		case 2:
			value, err = d.reader.text(f.span)
		}
		return err
	})
	if err != nil || key != "location" || slices.Contains(d.found.External, value) {
		return err
	}
	if len(d.found.External) >= maxValues {
		return errMalformed
	}
	d.found.External = append(d.found.External, value)
	return nil
}

// value reads a ValueInfoProto.
func (d *describer) value(s span, into *[]Value) error {
	if len(*into) >= maxValues {
		return errMalformed
	}
	var info Value
	err := d.reader.fields(s, func(f field) (err error) {
		switch f.number {
		case 1: // name
			info.Name, err = d.reader.text(f.span)
		case 2: // type: TypeProto, of which tensor_type is used
			err = d.each(f.span, func(s span) error { return d.tensorType(s, &info) }, 1)
		}
		return err
	})
	*into = append(*into, info)
	return err
}

// tensorType reads a TypeProto.Tensor. ONNX Runtime uses the same numbers for element
// types.
func (d *describer) tensorType(s span, info *Value) error {
	return d.reader.fields(s, func(f field) error {
		switch f.number {
		case 1: // elem_type
			if f.value > 1000 {
				return errMalformed
			}
			info.Type = uint32(f.value) //nolint:gosec // checked above
		case 2: // shape: TensorShapeProto
			info.Shape = []int64{}
			return d.each(f.span, func(s span) error { return d.dimension(s, info) }, 1)
		}
		return nil
	})
}

// dimension reads a TensorShapeProto.Dimension. One without a number is not fixed.
func (d *describer) dimension(s span, info *Value) error {
	if len(info.Shape) >= maxValues {
		return errMalformed
	}
	length := int64(-1)
	err := d.reader.fields(s, func(f field) error {
		if f.number == 1 { // dim_value
			length = max(-1, int64(f.value)) //nolint:gosec // negative is not fixed, as in ONNX Runtime
		}
		return nil
	})
	info.Shape = append(info.Shape, length)
	return err
}
