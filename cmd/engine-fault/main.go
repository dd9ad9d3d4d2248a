// Command engine-fault is a worker for tests and benchmarks: it fails on
// request. See package fault.
package main

import (
	"os"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/fault"
)

func main() {
	fault.BeforeServe(os.Args[1:])
	engines.Serve(fault.New())
}
