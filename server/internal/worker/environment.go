package worker

import (
	"os"
	"slices"
	"strings"
)

// inherited lists the variables of the server that a worker gets: those by which
// programs find their libraries, files and devices, and no secrets.
func inherited() []string {
	return []string{
		"PATH", "HOME", "USER", "TMPDIR", "LANG", "LC_ALL", "LC_CTYPE", "TZ",
		"LD_LIBRARY_PATH", "OMP_NUM_THREADS",
		"CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES",
	}
}

// enginePrefix is the prefix of variables for engines.
const enginePrefix = "MG_"

// environment returns a worker's environment: variables of the server
// ("KEY=value") and those added for the model, which take precedence.
func environment(server, added []string) []string {
	var env []string
	for _, kv := range server {
		key, _, _ := strings.Cut(kv, "=")
		forEngines := strings.HasPrefix(key, enginePrefix) && !looksSecret(key)
		if forEngines || slices.Contains(inherited(), key) {
			env = append(env, kv)
		}
	}
	return append(env, added...)
}

// looksSecret reports whether a variable may hold a secret, judged by its name. A
// secret that an engine needs must be named in the configuration.
func looksSecret(key string) bool {
	for _, word := range []string{"KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL"} {
		if strings.Contains(strings.ToUpper(key), word) {
			return true
		}
	}
	return false
}

// workerEnvironment returns the environment of a worker. When ggml fails, it would
// start a debugger in the worker to print a stack, if one is installed.
func workerEnvironment(spec Spec, handshake []string) []string {
	env := append([]string{"GGML_NO_BACKTRACE=1"}, environment(os.Environ(), spec.Env)...)
	return append(env, handshake...)
}
