package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"google.golang.org/grpc/grpclog"
)

// RouteGRPCLog sends the log of the gRPC library to log, at debug level, instead of
// to standard error as plain text. Most of it is about clients. It must be called
// once, at the start of the process: the library's logger is global, and setting it
// is not safe while the library is in use.
func RouteGRPCLog(log *slog.Logger) { grpclog.SetLoggerV2(grpcLog{log}) }

// grpcLog implements grpclog.LoggerV2.
type grpcLog struct{ log *slog.Logger }

var _ grpclog.LoggerV2 = grpcLog{}

func (g grpcLog) write(severity, message string) {
	g.log.Debug("grpc", "severity", severity, "message", strings.TrimSpace(message))
}

// Info implements grpclog.LoggerV2.
func (g grpcLog) Info(args ...any) { g.write("info", fmt.Sprint(args...)) }

// Infoln implements grpclog.LoggerV2.
func (g grpcLog) Infoln(args ...any) { g.write("info", fmt.Sprintln(args...)) }

// Infof implements grpclog.LoggerV2.
func (g grpcLog) Infof(format string, args ...any) { g.write("info", fmt.Sprintf(format, args...)) }

// Warning implements grpclog.LoggerV2.
func (g grpcLog) Warning(args ...any) { g.write("warning", fmt.Sprint(args...)) }

// Warningln implements grpclog.LoggerV2.
func (g grpcLog) Warningln(args ...any) { g.write("warning", fmt.Sprintln(args...)) }

// Warningf implements grpclog.LoggerV2.
func (g grpcLog) Warningf(format string, args ...any) {
	g.write("warning", fmt.Sprintf(format, args...))
}

// Error implements grpclog.LoggerV2.
func (g grpcLog) Error(args ...any) { g.write("error", fmt.Sprint(args...)) }

// Errorln implements grpclog.LoggerV2.
func (g grpcLog) Errorln(args ...any) { g.write("error", fmt.Sprintln(args...)) }

// Errorf implements grpclog.LoggerV2.
func (g grpcLog) Errorf(format string, args ...any) { g.write("error", fmt.Sprintf(format, args...)) }

// Fatal implements grpclog.LoggerV2: it ends the process.
func (g grpcLog) Fatal(args ...any) { g.fatal(fmt.Sprint(args...)) }

// Fatalln implements grpclog.LoggerV2.
func (g grpcLog) Fatalln(args ...any) { g.fatal(fmt.Sprintln(args...)) }

// Fatalf implements grpclog.LoggerV2.
func (g grpcLog) Fatalf(format string, args ...any) { g.fatal(fmt.Sprintf(format, args...)) }

func (g grpcLog) fatal(message string) {
	g.log.Error("fatal error of the gRPC library", "message", strings.TrimSpace(message))
	os.Exit(1)
}

// V implements grpclog.LoggerV2. Levels above the library's default are for its
// developers.
func (g grpcLog) V(level int) bool {
	return level <= 0 && g.log.Enabled(context.Background(), slog.LevelDebug)
}
