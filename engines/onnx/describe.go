package onnx

import (
	ort "github.com/yalue/onnxruntime_go"
)

// describe reads the names, types and shapes of a graph's inputs and outputs.
func describe(path string) (inputs, outputs []Info, err error) {
	options, err := ort.NewSessionOptions()
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = options.Destroy() }() // it never fails
	_ = options.SetGraphOptimizationLevel(ort.GraphOptimizationLevelDisableAll)
	_ = options.SetLogSeverityLevel(ort.LoggingLevelFatal)
	in, out, err := ort.GetInputOutputInfoWithOptions(path, options)
	if err != nil {
		return nil, nil, err
	}
	return infos(in), infos(out), nil
}

func infos(from []ort.InputOutputInfo) []Info {
	to := make([]Info, len(from))
	for i, info := range from {
		to[i] = Info{Name: info.Name, Type: info.DataType, Shape: info.Dimensions}
	}
	return to
}
