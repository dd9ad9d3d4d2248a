package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	modelgateway "github.com/lexilingo/modelgateway/clients/go"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Exit codes.
const (
	exitOK          = 0
	exitFailed      = 1   // any other failure, and a FAIL of the doctor
	exitUsage       = 2   // invalid command line or request
	exitNoServer    = 3   // the server cannot be reached
	exitNotFound    = 4   // no such model or task
	exitUnservable  = 5   // the model cannot run as configured
	exitBusy        = 6   // temporarily unavailable, worth a retry
	exitDeadline    = 7   // timed out
	exitDenied      = 8   // not permitted
	exitInterrupted = 130 // Ctrl-C
)

// failure is what the user sees of an error.
type failure struct {
	Reason            string  `json:"reason,omitempty"`
	Message           string  `json:"message"`
	Remedy            string  `json:"remedy,omitempty"`
	RetryAfterSeconds float64 `json:"retry_after_seconds,omitempty"`
	ExitCode          int     `json:"exit_code"`
}

// report prints an error and returns the exit code.
func report(err error, g *globals, con *console) int {
	if err == nil {
		return exitOK
	}
	if errors.Is(err, errReported) {
		return exitFailed
	}
	f := explain(err, g.Addr)
	if g.JSON {
		b, _ := json.Marshal(map[string]failure{"error": f})
		fmt.Fprintln(con.err, string(b))
		return f.ExitCode
	}
	if f.ExitCode == exitInterrupted {
		return f.ExitCode // the user pressed Ctrl-C and needs no message
	}
	text := f.Message
	if f.Reason != "" {
		text = f.Reason + ": " + text
	}
	fmt.Fprintln(con.err, "modelgateway: "+text)
	if f.Remedy != "" {
		fmt.Fprintln(con.err, f.Remedy)
	}
	return f.ExitCode
}

// explain returns the reason, remedy and exit code of an error.
func explain(err error, addr string) failure {
	if f, ok := explainPull(err); ok {
		return f
	}
	if f, ok := explainImport(err); ok {
		return f
	}
	var usage usageError
	e := modelgateway.ErrorOf(err)
	switch {
	case errors.As(err, &usage):
		return failure{Message: err.Error(), ExitCode: exitUsage}
	case errors.Is(err, context.Canceled):
		return failure{Message: "interrupted", ExitCode: exitInterrupted}
	case e == nil || e.Code == codes.Unknown && e.Reason == 0:
		return failure{Message: err.Error(), ExitCode: exitFailed}
	case e.Reason == 0:
		return explainCode(e, addr)
	}
	f := failure{Reason: e.ReasonName(), Message: e.Message, RetryAfterSeconds: e.RetryAfter.Seconds()}
	f.ExitCode, f.Remedy = remedy(e)
	return f
}

// wantsClientCertificate reports whether a server ended the connection for want of a
// client certificate: with the alerts of TLS 1.3 and 1.2, and with those for a wrong one.
func wantsClientCertificate(message string) bool {
	return strings.Contains(message, "remote error: tls: certificate required") ||
		strings.Contains(message, "remote error: tls: bad certificate") ||
		strings.Contains(message, "remote error: tls: unknown certificate authority")
}

// closedAtOnce reports whether a server closed the connection before it said anything. A
// server with TLS 1.3 does so to clients without a certificate; whether they read its
// alert before is chance.
func closedAtOnce(message string) bool {
	return strings.Contains(message, "server preface") || strings.Contains(message, "broken pipe") || strings.Contains(message, "connection reset by peer")
}

const timeoutRemedy = "Allow more time with --timeout."

// explainCode explains errors without a reason of the server: those of the
// connection and of the client itself.
func explainCode(e *modelgateway.Error, addr string) failure {
	switch e.Code {
	case codes.Unavailable:
		if wantsClientCertificate(e.Message) {
			return failure{
				Message:  fmt.Sprintf("the server at %s wants a client certificate of an authority that it knows", addr),
				Remedy:   "Name yours with --tls-cert and --tls-key.",
				ExitCode: exitNoServer,
			}
		}
		if strings.Contains(e.Message, "authentication handshake failed") {
			return failure{
				Message:  fmt.Sprintf("the server at %s cannot be trusted, or has no TLS: %s", addr, e.Message),
				Remedy:   "Name the authority of its certificate with --tls-ca. For a server without TLS, leave out --tls and --tls-ca.",
				ExitCode: exitNoServer,
			}
		}
		if closedAtOnce(e.Message) {
			return failure{
				Message:  fmt.Sprintf("the program at %s does not answer as a server without TLS does, or wants a client certificate", addr),
				Remedy:   "If it has TLS, use --tls, or --tls-ca with the authority of its certificate. A client certificate is named with --tls-cert and --tls-key.",
				ExitCode: exitNoServer,
			}
		}
		return failure{
			Message:  fmt.Sprintf("no server answers at %s", addr),
			Remedy:   `Start one with "modelgateway serve", or set another address with --addr or MODELGATEWAY_ADDR.`,
			ExitCode: exitNoServer,
		}
	case codes.Canceled:
		return failure{Message: "interrupted", ExitCode: exitInterrupted}
	case codes.DeadlineExceeded:
		return failure{Message: "timed out before the server answered", Remedy: timeoutRemedy, ExitCode: exitDeadline}
	case codes.Unimplemented:
		return failure{Message: fmt.Sprintf("the server at %s does not know this command: it is another version of ModelGateway, or another program", addr), ExitCode: exitFailed}
	case codes.InvalidArgument:
		return failure{Message: e.Message, ExitCode: exitUsage}
	default:
		return failure{Message: e.Error(), ExitCode: exitFailed}
	}
}

// remedy returns the exit code of a reason, and what the user can do.
func remedy(e *modelgateway.Error) (int, string) {
	switch e.Reason {
	case gatewayv1.ErrorReason_ERROR_REASON_INVALID_REQUEST, gatewayv1.ErrorReason_ERROR_REASON_CONFIG_NOT_FIRST,
		gatewayv1.ErrorReason_ERROR_REASON_AUDIO_UNREADABLE:
		return exitUsage, ""
	case gatewayv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND:
		return exitNotFound, `Run "modelgateway models" to list the models.`
	case gatewayv1.ErrorReason_ERROR_REASON_TASK_UNKNOWN:
		return exitNotFound, `Choose a model for it under "tasks" in the server's configuration, or name one with --model.`
	case gatewayv1.ErrorReason_ERROR_REASON_MODEL_EXCEEDS_BUDGET:
		return exitUnservable, "Raise MAX_MEMORY_MB, or configure a smaller model."
	case gatewayv1.ErrorReason_ERROR_REASON_MODEL_FILE_MISSING, gatewayv1.ErrorReason_ERROR_REASON_MODEL_FILE_INVALID,
		gatewayv1.ErrorReason_ERROR_REASON_ENGINE_UNAVAILABLE, gatewayv1.ErrorReason_ERROR_REASON_MODEL_CONFIG_INVALID:
		return exitUnservable, `Run "modelgateway doctor" to check the engines and model files.`
	case gatewayv1.ErrorReason_ERROR_REASON_MEMORY_BUSY, gatewayv1.ErrorReason_ERROR_REASON_QUEUE_FULL,
		gatewayv1.ErrorReason_ERROR_REASON_RATE_LIMITED, gatewayv1.ErrorReason_ERROR_REASON_ENGINE_CRASHED,
		gatewayv1.ErrorReason_ERROR_REASON_LOAD_COOLDOWN, gatewayv1.ErrorReason_ERROR_REASON_DRAINING,
		gatewayv1.ErrorReason_ERROR_REASON_SESSION_LOST:
		return exitBusy, retryAdvice(e.RetryAfter)
	case gatewayv1.ErrorReason_ERROR_REASON_DEADLINE_EXCEEDED:
		return exitDeadline, timeoutRemedy
	case gatewayv1.ErrorReason_ERROR_REASON_UNAUTHENTICATED:
		return exitDenied, `Set MODELGATEWAY_API_KEY to a key that "modelgateway keys add" made.`
	case gatewayv1.ErrorReason_ERROR_REASON_FORBIDDEN:
		return exitDenied, ""
	case gatewayv1.ErrorReason_ERROR_REASON_CANCELLED:
		return exitInterrupted, ""
	default:
		return exitFailed, "See the server's log for details."
	}
}

func retryAdvice(after time.Duration) string {
	if after <= 0 {
		return "Try again later."
	}
	return fmt.Sprintf("Try again in %s.", after.Round(100*time.Millisecond))
}
