package traffic_test

import (
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/lexilingo/modelgateway/internal/traffic"
)

func TestGenerate(t *testing.T) {
	shape := traffic.Shape{Rate: 50, Service: time.Second, Longest: 3, Talk: 0.4, Turns: 4, Gap: 2 * time.Second}
	requests := traffic.Generate(1, shape, 200*time.Second)
	if !reflect.DeepEqual(requests, traffic.Generate(1, shape, 200*time.Second)) {
		t.Error("two loads of one seed differ")
	}
	turns, talk, last := map[string]int{}, 0, time.Duration(0)
	for _, r := range requests {
		if r.At < last || r.At >= 200*time.Second || r.Service > 3*time.Second {
			t.Fatalf("%+v comes after %v", r, last)
		}
		last = r.At
		if r.Conversation == "" {
			continue
		}
		talk++
		if before := turns[r.Conversation]; before > 0 && r.Turn != before+1 || r.Turn < 1 || r.Turn > 4 {
			t.Errorf("turn %d of %s comes after turn %d", r.Turn, r.Conversation, before)
		}
		turns[r.Conversation] = r.Turn
	}
	// 10,000 requests: the tolerances are more than three standard errors.
	if n := float64(len(requests)); math.Abs(n/10_000-1) > 0.05 || math.Abs(float64(talk)/n-0.4) > 0.04 {
		t.Errorf("%v requests, %d of them in conversations, want 10,000 and 4,000", n, talk)
	}
}

func TestSummary(t *testing.T) {
	const second = time.Second
	run := traffic.Run{
		Requests: []traffic.Request{
			{At: 0, Conversation: "a", Turn: 1},
			{At: 1 * second, Conversation: "a", Turn: 2},
			{At: 2 * second, Conversation: "a", Turn: 3},
			{At: 3 * second, Conversation: "b", Turn: 1},
			{At: 4 * second},
			{At: 5 * second},
		},
		Results: []traffic.Result{
			{Took: 9 * second, Wait: 8 * second, Server: "s1"}, // during the warm-up
			{Took: 2 * second, Wait: 1 * second, Server: "s1"}, // which has lost its prompt
			{Took: 3 * second, Server: "s2", Kept: true},       // not where the conversation was
			{Took: 4 * second, Server: "s2"},
			{Took: 6 * second, Server: "s1"},
			{Took: 1 * second, Failed: "QUEUE_FULL"},
		},
	}
	s := run.Summary(second)
	want := traffic.Summary{
		Requests: 5, Failed: 1, Throughput: 4.0 / 9, Wait95: second, Took50: 4 * second, Took95: 6 * second,
		Served: map[string]int{"s1": 2, "s2": 2}, Returns: 2, Returned: 1, Kept: 1,
	}
	if !reflect.DeepEqual(s, want) || s.Share(s.Returned) != 0.5 {
		t.Errorf("got %+v, want %+v", s, want)
	}
	if (&traffic.Run{}).Summary(0).Share(0) != 1 || traffic.Quantile(nil, 0.5) != 0 {
		t.Error("a run without requests")
	}
}
