// Command engine-piper is the worker process for Piper voices.
//
// It links libespeak-ng: as built, this program is under the GPL, version 3 or
// later (see NOTICE).
package main

import (
	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/piper"
)

func main() { engines.Serve(piper.New()) }
