package api

import (
	"testing"

	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
	"github.com/lexilingo/modelgateway/server/internal/router"
)

// An engine that never stops cannot fill the memory: sinks that keep its output have
// a limit.
func TestSinksThatKeepEverythingAreBounded(t *testing.T) {
	mib := make([]byte, 1<<20)
	segment := &gatewayv1.TranscriptionEvent{Event: &gatewayv1.TranscriptionEvent_Segment{Segment: &gatewayv1.TranscriptSegment{}}}
	for name, test := range map[string]struct {
		sink  router.Sink
		resp  *enginev1.RunResponse
		fits  int // messages that must be accepted
		bound int // messages of which one must be refused
	}{
		"chat": {&chatCollector{}, &enginev1.RunResponse{Payload: &enginev1.RunResponse_Chat{
			Chat: &gatewayv1.StreamChatResponse{Delta: string(mib)},
		}}, 4, 5},
		"speech": {&speechCollector{}, &enginev1.RunResponse{Payload: &enginev1.RunResponse_Synthesize{
			Synthesize: &gatewayv1.SynthesizeResponse{Audio: mib},
		}}, 65, 66},
		"session": {newSession("s", func() {}, "", inflight.NewShares(totalQueueLimit)), &enginev1.RunResponse{Payload: &enginev1.RunResponse_Transcribe{
			Transcribe: segment,
		}}, 10_000, 20_000},
	} {
		t.Run(name, func(t *testing.T) {
			test.sink.Begin()
			n := 0
			var err error
			for ; err == nil && n < test.bound; n++ {
				err = test.sink.Emit(test.resp)
			}
			if errs.ReasonOf(err) != errs.Internal || n <= test.fits {
				t.Errorf("message %d: %v", n, err)
			}
		})
	}
}

// Interim results replace one another, so a session of any length can have them.
func TestInterimResultsTakeNoRoom(t *testing.T) {
	s := newSession("s", func() {}, "", inflight.NewShares(totalQueueLimit))
	interim := &enginev1.RunResponse{Payload: &enginev1.RunResponse_Transcribe{Transcribe: &gatewayv1.TranscriptionEvent{
		Event: &gatewayv1.TranscriptionEvent_Interim{Interim: &gatewayv1.InterimTranscript{TentativeText: string(make([]byte, 1<<20))}},
	}}}
	for range 100 {
		if err := s.Emit(interim); err != nil {
			t.Fatal(err)
		}
	}
}
