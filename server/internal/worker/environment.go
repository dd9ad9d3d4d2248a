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
		"PATH", "HOME", "USER", "LANG", "LC_ALL", "LC_CTYPE", "TZ",
		"LD_LIBRARY_PATH", "OMP_NUM_THREADS", waitPolicy, "GOMP_SPINCOUNT",
		mallocArenas, mallocMmap, mallocTrim,
		"CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES",
	}
}

// enginePrefix is the prefix of variables for engines.
const enginePrefix = "MG_"

// waitPolicy is OpenMP's variable for what its threads do while they wait for each
// other, which those of ggml do thousands of times in a request. By default they
// spin. A thread that spins takes the time of one that it waits for if there are
// fewer cores than threads that can run, and that is not known to OpenMP: on a busy
// machine requests take ten times as long.
const waitPolicy = "OMP_WAIT_POLICY"

// Variables of glibc's malloc. By default it has up to eight heaps for each core, one
// for each thread that allocates: Go calls C from changing threads, and each heap keeps
// the memory of the largest request that ran on it. It also takes larger and larger
// blocks from the heaps instead of from the system, and a heap shrinks only at its end.
// Other C libraries ignore the variables.
const (
	mallocArenas = "MALLOC_ARENA_MAX"
	mallocMmap   = "MALLOC_MMAP_THRESHOLD_"
	mallocTrim   = "MALLOC_TRIM_THRESHOLD_"
	// mallocBytes is the size from which on a block comes from the system and goes back
	// there when it is freed, and how much free memory the end of a heap keeps. It is
	// above what the engines allocate for a token and below their buffers.
	mallocBytes = "1048576"
)

// defaults returns the variables that a worker gets unless the server's or the model's
// environment has others.
func defaults() []string {
	return []string{
		waitPolicy + "=passive",
		mallocArenas + "=1", mallocMmap + "=" + mallocBytes, mallocTrim + "=" + mallocBytes,
	}
}

// environment returns a worker's environment: variables of the server
// ("KEY=value") and those added for the model, which take precedence. Threads of
// OpenMP sleep while they wait, and freed memory goes back to the system, unless one
// of them says otherwise.
func environment(server, added []string) []string {
	env := defaults()
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

// workerEnvironment returns the environment of a worker. own is its folder for sockets
// and temporary files. When ggml fails, it would start a debugger in the worker to print
// a stack, if one is installed.
func workerEnvironment(spec Spec, handshake []string, own string) []string {
	env := environment(os.Environ(), append([]string{"GGML_NO_BACKTRACE=1", "TMPDIR=" + own}, spec.Env...))
	return append(env, handshake...)
}
