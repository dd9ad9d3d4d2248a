package onnx

import (
	"fmt"
	"strings"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/lexilingo/modelgateway/engines/onnx/onnxfile"
)

// ElementType is the type of a tensor's elements.
type ElementType = ort.TensorElementDataType

// TypeName returns the name of an element type for messages, such as "int64".
func TypeName(t ElementType) string {
	name := strings.ToLower(strings.TrimPrefix(t.String(), "ONNX_TENSOR_ELEMENT_DATA_TYPE_"))
	if t == Float32 {
		return "float32" // "float" in ONNX
	}
	return name
}

// The element types that Tensor supports.
const (
	Undefined ElementType = ort.TensorElementDataTypeUndefined
	Float32   ElementType = ort.TensorElementDataTypeFloat
	Int64     ElementType = ort.TensorElementDataTypeInt64
	Int32     ElementType = ort.TensorElementDataTypeInt32
)

// Info describes an input or output of a graph.
type Info struct {
	// Name is the name in the graph.
	Name string
	// Type is the element type; Undefined if the value is not a tensor, or the file
	// does not state its type.
	Type ElementType
	// Shape is the length of each dimension, -1 if it is not fixed.
	Shape []int64
}

// infos converts what a file says. ONNX Runtime uses the same numbers for element types.
func infos(values []onnxfile.Value) []Info {
	var out []Info
	for _, v := range values {
		out = append(out, Info{Name: v.Name, Type: ElementType(v.Type), Shape: v.Shape})
	}
	return out
}

// Tensor is an input or output of a run. Exactly one of the data slices is used. It
// contains the elements row by row, as many as Shape says, in Go memory.
type Tensor struct {
	Shape   []int64
	Float32 []float32
	Int64   []int64
	Int32   []int32
}

// Floats returns a float32 tensor.
func Floats(data []float32, shape ...int64) Tensor { return Tensor{Shape: shape, Float32: data} }

// Ints returns an int64 tensor.
func Ints(data []int64, shape ...int64) Tensor { return Tensor{Shape: shape, Int64: data} }

// Type returns the tensor's element type.
func (t Tensor) Type() ElementType {
	switch {
	case t.Int64 != nil:
		return Int64
	case t.Int32 != nil:
		return Int32
	default:
		return Float32
	}
}

// value returns the tensor as a value of ONNX Runtime, which uses the same memory.
func (t Tensor) value() (ort.Value, error) {
	// asValue is needed because a nil *ort.Tensor in an interface is not nil.
	switch t.Type() {
	case Int64:
		return asValue(ort.NewTensor(ort.Shape(t.Shape), t.Int64))
	case Int32:
		return asValue(ort.NewTensor(ort.Shape(t.Shape), t.Int32))
	default:
		return asValue(ort.NewTensor(ort.Shape(t.Shape), t.Float32))
	}
}

func asValue[T ort.TensorData](t *ort.Tensor[T], err error) (ort.Value, error) {
	if err != nil {
		return nil, err
	}
	return t, nil
}

// tensorOf returns the data of a value of ONNX Runtime. onnxruntime_go has copied it to
// Go memory.
func tensorOf(v ort.Value) (Tensor, error) {
	shape := []int64(v.GetShape())
	switch t := v.(type) {
	case *ort.Tensor[float32]:
		return Tensor{Shape: shape, Float32: t.GetData()}, nil
	case *ort.Tensor[int64]:
		return Tensor{Shape: shape, Int64: t.GetData()}, nil
	case *ort.Tensor[int32]:
		return Tensor{Shape: shape, Int32: t.GetData()}, nil
	case *ort.Tensor[float64]:
		data := make([]float32, len(t.GetData()))
		for i, x := range t.GetData() {
			data[i] = float32(x)
		}
		return Tensor{Shape: shape, Float32: data}, nil
	default:
		return Tensor{}, fmt.Errorf("its type %s is not supported", TypeName(ElementType(v.DataType())))
	}
}
