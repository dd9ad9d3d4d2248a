package telemetry

import (
	"bytes"
	"log"
	"log/slog"
	"os"
	"strings"
	"testing"
)

func TestRouteStandardLog(t *testing.T) {
	flags := log.Flags()
	t.Cleanup(func() {
		log.SetFlags(flags)
		log.SetOutput(os.Stderr)
	})
	var out bytes.Buffer
	RouteStandardLog(slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	log.Printf("Error %s\n", "context canceled")
	if text := out.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, `"level":"DEBUG","msg":"library","message":"Error context canceled"`) {
		t.Errorf("%q", text)
	}
}
