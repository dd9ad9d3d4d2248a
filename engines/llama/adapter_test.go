package llama

import (
	"testing"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/llama/batching"
)

// TestAbortedBatchIsProgress: a model whose callers all give up before a batch's
// end must not look hung.
func TestAbortedBatchIsProgress(t *testing.T) {
	m := load(t, starter(), nil)
	m.scheduler.Close()
	e := &executor{context: m.context, work: &engines.WorkCounter{}}
	batch := make([]batching.Input, longBatch/2) // short: no polls are counted besides
	for i := range batch {
		batch[i] = batching.Input{Token: 1, Position: i}
	}
	e.Abort()
	outcome, err := e.Decode(batch)
	if err != nil || outcome != batching.Aborted {
		t.Fatalf("got %v, %v; want an aborted batch", outcome, err)
	}
	if n := e.work.Count(); n != 1 {
		t.Errorf("the aborted batch counts %d units of work, want 1", n)
	}
	// Whole batches are counted by the scheduler, token by token.
	e.ClearAbort()
	if !e.Remove(0, 0) {
		t.Fatal("the batch's rest cannot be removed")
	}
	if outcome, err := e.Decode(batch); err != nil || outcome != batching.Decoded || e.work.Count() != 1 {
		t.Errorf("a whole batch: %v, %v, %d units of work; want 1", outcome, err, e.work.Count())
	}
}
