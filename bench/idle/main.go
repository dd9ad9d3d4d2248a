// Command idle measures an idle server: the time from its start to the first 200
// on /readyz, and its memory.
//
// Usage: go run ./bench/idle [flags]
package main

import (
	"context"
	"flag"
	"io"
	"time"

	"github.com/lexilingo/modelgateway/bench/internal/benchkit"
	"github.com/lexilingo/modelgateway/bench/internal/report"
)

func main() {
	program := flag.String("server", "bin/modelgateway", "the server program")
	rounds := flag.Int("rounds", 10, "number of starts")
	settle := flag.Duration("settle", 3*time.Second, "time between ready and the measurement of memory")
	flag.Parse()
	benchkit.Main("bench/idle", func(ctx context.Context) error { return run(ctx, *program, *rounds, *settle) })
}

func run(ctx context.Context, program string, rounds int, settle time.Duration) error {
	r := report.New("idle", "An idle server", program)
	r.Setting("%d starts", rounds)
	var ready, memory benchkit.Series
	for range rounds {
		g, err := benchkit.StartServer(ctx, io.Discard, program, "")
		if err != nil {
			return err
		}
		ready.Add(g.ReadyAfter.Seconds() * 1000)
		time.Sleep(settle)
		pss, err := g.PSSBytes()
		g.Stop()
		if err != nil {
			return err
		}
		memory.Add(float64(pss) / 1e6)
	}
	r.Measure("start to ready", report.Unit{Name: "ms", Better: report.Lower}, ready)
	r.Measure("idle memory (PSS)", report.Unit{Name: "MB", Better: report.Lower}, memory)
	return r.Write()
}
