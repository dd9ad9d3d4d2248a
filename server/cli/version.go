package cli

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/lexilingo/modelgateway/engines"
)

// Build identifies the build of the program.
type Build struct {
	// Version is the version of the release, or "dev".
	Version string
	// Revision is the commit that was built. If it is empty, the commit that the Go
	// tool recorded in the program is used.
	Revision string
}

// versions is the output of the command "version".
type versions struct {
	Version        string `json:"version"`
	Commit         string `json:"commit"`
	Go             string `json:"go"`
	Platform       string `json:"platform"`
	EngineContract string `json:"engine_contract"`
}

type versionCommand struct{}

// Run prints the versions.
func (versionCommand) Run(g *globals, con *console, build Build) error {
	v := versions{
		Version: build.Version, Commit: build.commit(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		EngineContract: fmt.Sprintf("%s (handshake %d)", engines.Handshake().MagicCookieValue, engines.Handshake().ProtocolVersion),
	}
	if g.JSON {
		return json.NewEncoder(con.out).Encode(v)
	}
	_, err := fmt.Fprintf(con.out, "modelgateway %s\ncommit           %s\ngo               %s %s\nengine contract  %s\n",
		v.Version, v.Commit, v.Go, v.Platform, v.EngineContract)
	return err
}

// commit returns the revision, else the commit that the Go tool recorded in the
// program. It returns "unknown" for a build outside a git checkout.
func (b Build) commit() string {
	if b.Revision != "" {
		return b.Revision
	}
	recorded, changed := "unknown", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				recorded = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				changed = " with uncommitted changes"
			}
		}
	}
	return recorded + changed
}
