// Command engine-whisper is the worker process for speech to text on whisper.cpp's
// model files.
package main

import (
	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/whisper"
)

func main() { engines.Serve(whisper.New()) }
