package worker

import (
	"os"
	"slices"
	"strings"
)

// inherited are the variables of the gateway that a worker gets: what programs
// need to find their libraries, files and devices, and nothing that is secret.
func inherited() []string {
	return []string{
		"PATH", "HOME", "USER", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE", "TZ",
		"LD_LIBRARY_PATH", "OMP_NUM_THREADS",
		"CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES",
	}
}

// enginePrefix begins variables that are meant for engines.
const enginePrefix = "MG_"

// environment builds a worker's environment from the gateway's ("KEY=value")
// and the model's own additions, which win.
func environment(gateway, added []string) []string {
	var env []string
	for _, kv := range gateway {
		key, _, _ := strings.Cut(kv, "=")
		meant := strings.HasPrefix(key, enginePrefix) && !looksSecret(key)
		if meant || slices.Contains(inherited(), key) {
			env = append(env, kv)
		}
	}
	return append(env, added...)
}

// looksSecret tells names that hold keys, even with an engine's prefix: what
// an engine needs of that kind is named in its configuration.
func looksSecret(key string) bool {
	for _, word := range []string{"KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL"} {
		if strings.Contains(strings.ToUpper(key), word) {
			return true
		}
	}
	return false
}

func workerEnvironment(spec Spec, handshake []string) []string {
	return append(environment(os.Environ(), spec.Env), handshake...)
}
