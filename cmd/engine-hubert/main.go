// Command engine-hubert is the worker process that scores pronunciation with CTC
// models in ONNX files.
package main

import (
	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/hubert"
)

func main() { engines.Serve(hubert.New()) }
