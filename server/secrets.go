package server

import (
	"log/slog"
	"os"

	"golang.org/x/sys/unix"

	"github.com/lexilingo/modelgateway/server/internal/config"
)

// hideSecrets keeps other programs of the server's user from reading the keys that the
// server has: it removes them from the environment, and makes the memory of the process
// and the environment that it was started with unreadable to all but root. The kernel
// writes no core dump of such a process, and does not let a debugger attach to it.
func hideSecrets(cfg *config.Config, log *slog.Logger) {
	for _, name := range config.SecretVariables() {
		_ = os.Unsetenv(name) // it fails only for names that are not valid
	}
	if cfg.Debuggable {
		log.Warn("other programs of this user can read the server's memory, because debuggable is set")
		return
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		log.Warn("other programs of this user can read the server's memory", "error", err)
	}
}
