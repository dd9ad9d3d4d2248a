package onnx

import (
	"os"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// description is what a model's file says of itself.
type description struct {
	inputs, outputs []Info
	// external are the names of the files that hold weights, as the file has them.
	external []string
}

// Bounds of what a file may say: far above every real model, and small enough to
// hold.
const (
	mostValues   = 1000    // inputs, outputs, files of weights
	mostWeights  = 1 << 20 // initializers of the graph
	deepestGraph = 32      // graphs inside nodes of graphs
)

// describe reads the names, types and shapes of a graph's inputs and outputs,
// and where its weights lie, from the file itself (onnx.proto of the ONNX
// project). ONNX Runtime would tell the former only after it loaded everything,
// and follows the latter wherever they point.
func describe(path string) (description, error) {
	f, err := os.Open(path)
	if err != nil {
		return description{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return description{}, err
	}
	d := describer{reader: wireReader{file: f}, weights: map[string]bool{}}
	if err := d.model(span{0, info.Size()}); err != nil {
		return description{}, err
	}
	// Files before IR version 4 list weights among the inputs.
	d.found.inputs = slices.DeleteFunc(d.found.inputs, func(i Info) bool { return d.weights[i.Name] })
	return d.found, nil
}

// describer collects a description; its methods read a message of onnx.proto
// each.
type describer struct {
	reader  wireReader
	found   description
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

// graph reads a GraphProto; depth is how many nodes it is inside of.
func (d *describer) graph(s span, depth int) error {
	if depth > deepestGraph {
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
			return d.value(f.span, &d.found.inputs)
		case f.number == 12 && depth == 0: // output
			return d.value(f.span, &d.found.outputs)
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

// tensor reads a TensorProto; named tells that its name is one of a weight of
// the outer graph.
func (d *describer) tensor(s span, named bool) error {
	return d.reader.fields(s, func(f field) error {
		switch {
		case f.number == 8 && named: // name
			name, err := d.reader.text(f.span)
			if err != nil || len(d.weights) >= mostWeights {
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
	if err != nil || key != "location" || slices.Contains(d.found.external, value) {
		return err
	}
	if len(d.found.external) >= mostValues {
		return errMalformed
	}
	d.found.external = append(d.found.external, value)
	return nil
}

// value reads a ValueInfoProto.
func (d *describer) value(s span, into *[]Info) error {
	if len(*into) >= mostValues {
		return errMalformed
	}
	var info Info
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

// tensorType reads a TypeProto.Tensor. The numbers of its element types are ONNX
// Runtime's too.
func (d *describer) tensorType(s span, info *Info) error {
	return d.reader.fields(s, func(f field) error {
		switch f.number {
		case 1: // elem_type
			if f.value > 1000 {
				return errMalformed
			}
			info.Type = ElementType(f.value) //nolint:gosec // checked above
		case 2: // shape: TensorShapeProto
			info.Shape = []int64{}
			return d.each(f.span, func(s span) error { return d.dimension(s, info) }, 1)
		}
		return nil
	})
}

// dimension reads a TensorShapeProto.Dimension; one without a number is free.
func (d *describer) dimension(s span, info *Info) error {
	if len(info.Shape) >= mostValues {
		return errMalformed
	}
	length := int64(-1)
	err := d.reader.fields(s, func(f field) error {
		if f.number == 1 { // dim_value
			length = max(-1, int64(f.value)) //nolint:gosec // negative ones are free, as for ONNX Runtime
		}
		return nil
	})
	info.Shape = append(info.Shape, length)
	return err
}
