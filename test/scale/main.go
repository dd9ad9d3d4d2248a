// Command scale restarts servers of the built programs one after the other, behind Envoy
// and HAProxy with the configurations in deploy/, while clients make requests of every
// kind through both. It exits with code 1 if a request failed.
//
//	go run ./test/scale [-requests N] [-rate N] [-proxy envoy,haproxy] [-starters]   (make scale builds the programs first)
//	go run ./test/scale -measure FILE [-length D]   (make bench ARGS=scale)
//
// With -measure it restarts nothing, and writes how long requests took at three loads.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// repository is the path of the repository.
var repository = "."

func main() {
	requests := flag.Int("requests", 1500, "how many requests at least")
	rate := flag.Int("rate", 15, "requests a second; those that queue come on top")
	proxies := flag.String("proxy", envoy+","+haproxy, "in front of the servers")
	starters := flag.Bool("starters", false, "serve the starter models instead of an engine that costs nothing")
	bin := flag.String("bin", "bin", "folder of the built programs")
	measure := flag.String("measure", "", "restart nothing: measure three servers behind Envoy at 30, 60 and 80 % load, and write the requests and answers to this file")
	length := flag.Duration("length", time.Minute, "how long each load lasts")
	flag.Parse()
	if *measure != "" {
		exit(measureLoads(absolute(*bin), *measure, *length, []float64{0.3, 0.6, 0.8}, os.Stdout))
		return
	}
	models := faultModels()
	if *starters {
		models = starterModels()
	}
	exit(scale(absolute(*bin), models, *requests, *rate, strings.Split(*proxies, ",")))
}

// exit ends the program with code 1 if there was an error.
func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

func scale(bin string, models served, requests, rate int, proxies []string) error {
	f, err := newFleet(bin, models, loopback(), proxies...)
	if err != nil {
		return err
	}
	defer f.stop()
	return rollingRestart(f, requests, rate, os.Stdout)
}
