package llama

import (
	"testing"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/llama/batching"
)

// TestAbortedBatchIsProgress checks that a model whose callers all cancel before the
// end of a batch does not look as if it hangs.
func TestAbortedBatchIsProgress(t *testing.T) {
	m := load(t, starter(), nil)
	m.scheduler.Close()
	e := &executor{context: m.context, work: &engines.WorkCounter{}}
	batch := make([]batching.Input, longBatch/2) // too short for countPolls
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
	// The scheduler counts the tokens of complete batches.
	e.ClearAbort()
	if !e.Remove(0, 0) {
		t.Fatal("the rest of the batch cannot be removed")
	}
	if outcome, err := e.Decode(batch); err != nil || outcome != batching.Decoded || e.work.Count() != 1 {
		t.Errorf("a complete batch: %v, %v, %d units of work; want 1", outcome, err, e.work.Count())
	}
}
