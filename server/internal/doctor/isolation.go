package doctor

import (
	"maps"
	"slices"
	"strings"

	"github.com/lexilingo/modelgateway/internal/isolate"
	"github.com/lexilingo/modelgateway/server/internal/config"
)

// checkIsolation tells what the kernel lacks to isolate workers, and which engines may
// do more than others.
func checkIsolation(cfg *config.Config, support isolate.Support) []Finding {
	const check = "isolation"
	var findings []Finding
	for _, lack := range support.Lacks() {
		findings = append(findings, warn(check,
			"Use a newer kernel or, in a container, allow seccomp filters and Landlock; docs/security.md says what that protects.", "%s", lack))
	}
	if findings == nil {
		findings = append(findings, ok(check, "workers have no network and only their own files (seccomp, Landlock %d)", support.Version))
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Engines)) {
		if may := rightsOf(cfg.Engines[name].Rights()); may != "" && len(modelsOf(cfg, name)) > 0 {
			findings = append(findings, ok(check, "engine %s may also use %s, as configured", name, may))
		}
	}
	return findings
}

// rightsOf describes what an engine may use in addition to the minimum.
func rightsOf(p isolate.Policy) string {
	var may []string
	if p.Network {
		may = append(may, "the network")
	}
	if p.AllFiles {
		may = append(may, "all files of the server's user")
	}
	if len(p.Read) > 0 {
		may = append(may, "files in "+strings.Join(p.Read, ", "))
	}
	if len(p.Write) > 0 {
		may = append(may, "and change files in "+strings.Join(p.Write, ", "))
	}
	return strings.Join(may, ", ")
}
