// Command engine-llama is the worker process for language models in GGUF files.
package main

import (
	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/llama"
)

func main() { engines.Serve(llama.New()) }
