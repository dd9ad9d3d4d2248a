package main

import (
	"os"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "attack" { // see startAttack
		main()
		return
	}
	os.Exit(m.Run())
}

// Whatever a hostile client does, the server's memory is bounded and comes back, no
// request of another client is refused, no breaker opens, no model is loaded again,
// and no lease is left. How late answers come is only printed: that depends on the
// machine. `make hostile` checks it.
func TestHostileClient(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes minutes")
	}
	o := options{program: "../../bin/modelgateway", length: 3 * time.Second, rounds: 2, seed: uint64(time.Now().UnixNano())} //nolint:gosec // after 1970
	t.Log("seed", o.seed)
	r, err := run(t.Context(), o, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range r.broken() {
		t.Error(v)
	}
	for _, v := range r.late() {
		t.Log("not checked here:", v)
	}
}
