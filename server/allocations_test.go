package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"testing"
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// How often memory is allocated for a unary call, and for a token of a stream, by the
// server and by the client of the test, which are one process. Lower them when less is
// needed; raise them only for something that is worth it.
const (
	maxCallAllocations  = 460.0
	maxTokenAllocations = 20.0
)

// It counts, because times depend on the machine.
func TestAllocationsOfCallsAndTokens(t *testing.T) {
	if raceDetector() {
		t.Skip("the race detector allocates too")
	}
	r := start(t, faultModels)
	load(t, r, "qwen", true)
	ctx := within(t, 5*time.Minute)
	for _, test := range []struct {
		what  string
		n     int
		do    func(n int)
		bound float64
	}{
		{"a unary call", 300, func(n int) {
			for range n {
				if _, err := r.chat.Chat(ctx, &gatewayv1.ChatRequest{Messages: tokens(1)}); err != nil {
					t.Fatal(err)
				}
			}
		}, maxCallAllocations},
		{"a streamed token", 5000, func(n int) { readTokens(ctx, t, r, n) }, maxTokenAllocations},
	} {
		got := allocationsOf(test.do, test.n)
		t.Logf("%s: %.2f allocations", test.what, got)
		if got > test.bound {
			t.Errorf("%s takes %.2f allocations, more than %.2f", test.what, got, test.bound)
		}
	}
}

// tokens makes engine-fault answer with n tokens.
func tokens(n int) []*gatewayv1.ChatMessage {
	return say(fmt.Sprintf(`fault: {"token_count": %d}`, n))
}

// readTokens reads a stream of n tokens.
func readTokens(ctx context.Context, t *testing.T, r *running, n int) {
	t.Helper()
	stream, err := r.chat.StreamChat(ctx, &gatewayv1.StreamChatRequest{Messages: tokens(n)})
	for err == nil {
		_, err = stream.Recv()
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
}

// allocationsOf returns how many allocations each of n units of f takes: the fewest of
// several tries. What other goroutines allocate in as much time does not count: on a busy
// machine, where f takes longer, that is much.
func allocationsOf(f func(n int), n int) float64 {
	fewest := math.Inf(1)
	for range 5 {
		start := time.Now()
		all := allocated(func() { f(n) })
		took := time.Since(start)
		fewest = min(fewest, float64(all-allocated(func() { time.Sleep(took) }))/float64(n))
	}
	return fewest
}

// allocated returns how many allocations all goroutines make while f runs.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.Mallocs - before.Mallocs)
}
