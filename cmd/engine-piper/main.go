// Command engine-piper is the worker process for Piper voices.
//
// It links libespeak-ng: as built, this program is under the GPL, version 3 or
// later (see NOTICE).
package main

import (
	"os"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/piper"
	"github.com/lexilingo/modelgateway/engines/piper/phonemiser"
)

func main() {
	if phonemiser.IsChild() {
		os.Exit(phonemiser.Serve())
	}
	engines.Serve(piper.New())
}
