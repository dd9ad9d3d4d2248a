package cli

import (
	"errors"

	"github.com/lexilingo/modelgateway/server/internal/catalog"
	"github.com/lexilingo/modelgateway/server/internal/pull"
)

// explainPull returns the remedy and exit code of an error of "pull", and false for
// other errors.
func explainPull(err error) (failure, bool) {
	var unknown *catalog.NotFoundError
	if errors.As(err, &unknown) {
		return failure{Message: err.Error(), Remedy: `Run "modelgateway pull --list" to list the models.`, ExitCode: exitNotFound}, true
	}
	var e *pull.Error
	if !errors.As(err, &e) {
		return failure{}, false
	}
	f := failure{Message: e.Message, Remedy: e.Advice, ExitCode: exitFailed}
	switch e.Kind {
	case pull.Unreachable:
		f.ExitCode = exitNoServer
	case pull.NotFound:
		f.ExitCode = exitNotFound
	case pull.Limited, pull.Busy:
		f.ExitCode = exitBusy
	case pull.TimedOut:
		f.ExitCode = exitDeadline
	case pull.Denied:
		f.ExitCode = exitDenied
	}
	return f, true
}
