// Command modelgateway is the server and its command line client.
package main

import (
	"os"

	"github.com/lexilingo/modelgateway/server/cli"
)

// version and revision are set by the build:
// -ldflags "-X main.version=1.2.3 -X main.revision=0123abcd".
var (
	version  = "dev"
	revision = ""
)

func main() {
	os.Exit(cli.Main(cli.Build{Version: version, Revision: revision}))
}
