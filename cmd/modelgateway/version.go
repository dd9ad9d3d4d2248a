package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/lexilingo/modelgateway/engines"
)

// version and revision are set by the build:
// -ldflags "-X main.version=1.2.3 -X main.revision=0123abcd". Without a revision
// it is what the Go tool noted.
var (
	version  = "dev"
	revision = ""
)

// versions are what "version" prints.
type versions struct {
	Version        string `json:"version"`
	Commit         string `json:"commit"`
	Go             string `json:"go"`
	Platform       string `json:"platform"`
	EngineContract string `json:"engine_contract"`
}

type versionCommand struct{}

// Run prints the versions.
func (versionCommand) Run(g *globals, con *console) error {
	v := versions{
		Version: version, Commit: commit(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		EngineContract: fmt.Sprintf("%s (handshake %d)", engines.Handshake().MagicCookieValue, engines.Handshake().ProtocolVersion),
	}
	if g.JSON {
		return json.NewEncoder(con.out).Encode(v)
	}
	_, err := fmt.Fprintf(con.out, "modelgateway %s\ncommit           %s\ngo               %s %s\nengine contract  %s\n",
		v.Version, v.Commit, v.Go, v.Platform, v.EngineContract)
	return err
}

// commit is what the build was told, else what the Go tool noted in the binary;
// "unknown" in a build outside a checkout.
func commit() string {
	if revision != "" {
		return revision
	}
	noted, changed := "unknown", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				noted = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				changed = " with changes"
			}
		}
	}
	return noted + changed
}
