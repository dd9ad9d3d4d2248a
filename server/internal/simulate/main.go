// Command simulate simulates many servers behind several proxies, to find out what they
// can do together that a few real ones cannot show. Each replica has the real planner of
// the lifecycle, with a clock of the simulation; proxies choose, retry and check health as
// Envoy does with deploy/envoy/envoy.yaml. Time passes from one event to the next.
//
//	go run ./server/internal/simulate [-replicas N] [-proxies 1,8] [-wait D] [-requests N]   (make bench ARGS=scale)
//	go run ./server/internal/simulate -measured FILE     compares with what test/scale -measure saw
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

func main() {
	measured := flag.String("measured", "", "simulate the requests that are in this file, and print the difference")
	replicas := flag.Int("replicas", 200, "how many servers there are")
	proxies := flag.String("proxies", "1,2,4,8", "how many proxies there are")
	requests := flag.Int("requests", 40_000, "how many requests count in each run")
	wait := flag.Duration("wait", time.Second, "the 95th percentile of the wait at which throughputs are compared; a request is served in 1 s")
	flag.Parse()
	debug.SetGCPercent(400) // memory is cheaper here than time
	if err := run(*measured, *replicas, *requests, *wait, *proxies); err != nil {
		fmt.Fprintln(os.Stderr, "simulate:", err)
		os.Exit(1)
	}
}

func run(measured string, replicas, requests int, wait time.Duration, proxies string) error {
	if measured != "" {
		return calibrate(os.Stdout, measured)
	}
	var counts []int
	for text := range strings.SplitSeq(proxies, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return fmt.Errorf("-proxies %s: %q is not a number of proxies, such as 8", proxies, text)
		}
		counts = append(counts, n)
	}
	if replicas < 1 || requests < 1 || wait <= 0 {
		return fmt.Errorf("-replicas, -requests and -wait must be more than 0")
	}
	compare(os.Stdout, single, replicas, requests, wait, singlePolicies, counts)
	compare(os.Stdout, conversations, replicas, requests, wait, conversationPolicies, counts)
	faults(os.Stdout, replicas, 0.6, deployed, counts)
	return nil
}
