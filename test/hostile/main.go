// Command hostile attacks a server that it starts, with the starter models and the
// built-in configuration, while an honest client works beside. It prints what the
// attacks cost the server and the honest client, and exits with code 1 if that is
// more than docs/security.md promises.
//
//	go run ./test/hostile [-for 20s] [-only A1,A4] [-seed N]   (make hostile builds the programs first)
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// What docs/security.md promises.
const (
	mostPerByte   = 10                     // by how many bytes the server grows for each that was sent
	mostForNone   = 128 * megabyte         // and by how many for connections and calls of few bytes
	mostGrowth    = 512 * megabyte         // by how many at most, with what its workers grow by more than without
	mostPerMB     = 100 * time.Millisecond // of processor time for each megabyte that is refused
	mostLater     = 50 * time.Millisecond  // by how much the honest client's answers come later, or
	mostSlower    = 2.0                    // by what factor the honest client's answers come later
	mostLease     = 100 * time.Millisecond // until a model is free after a disconnect
	mostLeft      = 1.1                    // what is left of the memory
	mostLeftAfter = 3 * time.Minute        // and after which time
	leastCancels  = 10_000                 // random deadlines and cancels that a breaker ignores
)

// patience only ends a run that hangs.
const patience = 10 * time.Minute

type options struct {
	program string
	length  time.Duration // of an attack
	only    string
	seed    uint64
	rounds  int  // of disconnects for each surface
	between bool // measure the honest client alone after each attack
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "attack" {
		if err := runAttack(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	o := options{rounds: 10, between: true}
	flag.StringVar(&o.program, "server", "bin/modelgateway", "the server program")
	flag.DurationVar(&o.length, "for", 20*time.Second, "how long each attack takes")
	flag.StringVar(&o.only, "only", "", "some attacks, such as A1,A4")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "seed of the random deadlines") //nolint:gosec // after 1970
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	fmt.Printf("seed %d\n", o.seed)
	r, err := run(ctx, o, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		os.Exit(1)
	}
	violations := append(r.broken(), r.late()...)
	for _, v := range violations {
		fmt.Println("VIOLATION:", v)
	}
	if len(violations) > 0 {
		os.Exit(1)
	}
	fmt.Println("no violations")
}
