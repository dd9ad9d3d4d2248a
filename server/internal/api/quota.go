package api

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/lexilingo/modelgateway/engines"
	"github.com/lexilingo/modelgateway/engines/errs"
	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/auth"
	"github.com/lexilingo/modelgateway/server/internal/quota"
	"github.com/lexilingo/modelgateway/server/internal/router"
)

// takeRequest counts a call. Those that need no key do not count, nor do the pieces of
// audio of a transcription, which is one request.
func takeRequest(ctx context.Context, limiter *quota.Limiter, rpc string) error {
	if rpc == gatewayv1.ModelGatewayService_PushAudio_FullMethodName || !auth.CallerOf(ctx).HasRole(auth.Roles()...) {
		return nil
	}
	return limiter.Of(ctx).TakeRequest()
}

// tellLimits adds what the caller has left to the header of the answer.
func tellLimits(ctx context.Context, limiter *quota.Limiter) {
	if !auth.CallerOf(ctx).HasRole(auth.Roles()...) {
		return
	}
	header := metadata.MD{}
	limiter.Of(ctx).Fields(func(name, value string) { header.Set(name, value) })
	if len(header) > 0 {
		_ = grpc.SetHeader(ctx, header) // fails only if the header was sent
	}
}

// limited is a Router that charges requests to their callers, and refuses those of a
// caller who has used up a limit.
type limited struct {
	Router
	limiter *quota.Limiter
}

// Run implements Router.
func (l limited) Run(ctx context.Context, req router.Request, sink router.Sink) (*gatewayv1.ServedBy, error) {
	account := l.limiter.Of(ctx)
	task, ok := engines.TaskOf(req.First)
	if !ok || !account.Limited() {
		return l.Router.Run(ctx, req, sink)
	}
	if err := account.Check(kindsOf(task)...); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := &charges{Sink: sink, account: account, task: task, first: req.First, end: cancel}
	req.OnAudio = c.sent
	_, complete := req.Audio.(router.Rewinder)
	c.live = req.Audio != nil && !complete
	served, err := l.Router.Run(ctx, req, c)
	c.settle(err)
	return served, endOf(ctx, err)
}

// kindsOf returns what the requests of a task use.
func kindsOf(task engines.Task) []quota.Kind {
	switch {
	case task.Usage != nil:
		return []quota.Kind{quota.Tokens}
	case task.ID == enginev1.Task_TASK_SYNTHESIZE:
		return []quota.Kind{quota.AudioOut}
	case task.NewAudioMeter != nil:
		return []quota.Kind{quota.AudioIn}
	}
	return nil
}

const (
	// bytesPerToken is about how many bytes of a request are one token.
	bytesPerToken = 4
	// messageBytes is about how many bytes a piece of an answer has beside its text.
	messageBytes = 16
	// bytesPerSecond is how many bytes of compressed audio count as a second, if no
	// model has said how long it is.
	bytesPerSecond = 16 << 10
)

// charges is the sink of a request that charges its caller: audio as it comes and
// goes, tokens at the end. Of several candidates only what the most expensive used is
// charged.
type charges struct {
	router.Sink
	account quota.Account
	task    engines.Task
	first   *enginev1.RunRequest
	live    bool                    // more audio comes as long as the client wants
	end     context.CancelCauseFunc // ends the request

	mu       sync.Mutex
	begun    bool // a model has got the request
	tokens   int64
	pieces   int64 // of the answer
	bytes    int64 // of audio that was sent
	heard    span
	spoken   span
	length   func(*enginev1.RunResponse) time.Duration // of the audio that a message stands for; nil: none
	reported bool                                      // the model has said what it used
}

// span is an amount of audio, and how much of it was charged.
type span struct{ used, charged time.Duration }

// Begin implements router.Sink.
func (c *charges) Begin() {
	c.mu.Lock()
	c.begun, c.reported, c.tokens, c.pieces, c.bytes = true, false, 0, 0, 0
	c.heard.used, c.spoken.used = 0, 0
	if c.task.NewAudioMeter != nil {
		c.length = c.task.NewAudioMeter()
	}
	c.mu.Unlock()
	c.Sink.Begin()
}

// sent takes audio that is sent to a model.
func (c *charges) sent(audio []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes += int64(len(audio))
	c.hear(rawDuration(c.first.GetTranscribe().GetFormat(), c.bytes))
}

// hear charges the audio that models have heard up to a time in it. A request whose
// audio goes on ends when nothing is left. mu is held.
func (c *charges) hear(upTo time.Duration) {
	if !c.charge(quota.AudioIn, &c.heard, upTo) && c.live {
		c.live = false
		c.end(c.account.Refuse(quota.AudioIn))
	}
}

// charge charges the audio up to a time that was not charged yet, in whole
// milliseconds.
func (c *charges) charge(kind quota.Kind, s *span, upTo time.Duration) (left bool) {
	s.used = max(s.used, upTo)
	more := (s.used - s.charged).Truncate(time.Millisecond)
	if more <= 0 {
		return true
	}
	s.charged += more
	return c.account.Charge(kind, more.Milliseconds())
}

// Emit implements router.Sink.
func (c *charges) Emit(resp *enginev1.RunResponse) error {
	c.count(resp)
	return c.Sink.Emit(resp)
}

// count takes what a message says of tokens and audio.
func (c *charges) count(resp *enginev1.RunResponse) {
	c.mu.Lock()
	defer c.mu.Unlock()
	// A piece of a cloud model's answer may have many tokens.
	c.pieces += max(1, int64(proto.Size(resp)-messageBytes)/bytesPerToken)
	if c.task.Usage != nil {
		if u := c.task.Usage(resp); u != nil {
			c.reported = true
			c.tokens += int64(max(0, u.GetPromptTokenCount())) + int64(max(0, u.GetCompletionTokenCount()))
		}
	}
	if c.length == nil {
		return
	}
	length := max(0, c.length(resp))
	if c.task.ID == enginev1.Task_TASK_SYNTHESIZE {
		c.charge(quota.AudioOut, &c.spoken, c.spoken.used+length)
		return
	}
	c.reported = c.reported || length > 0
	event := resp.GetTranscribe()
	c.hear(max(length, event.GetInterim().GetAudioProcessed().AsDuration(), event.GetSegment().GetEnd().AsDuration()))
}

// settle charges at the end of a request what was not charged yet. A request that its
// caller has ended is charged by an estimate; one that failed otherwise is not.
func (c *charges) settle(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	reason := errs.ReasonOf(err)
	if !c.begun || err != nil && reason != errs.Cancelled && reason != errs.DeadlineExceeded {
		return
	}
	c.live = false
	for _, kind := range kindsOf(c.task) {
		switch {
		case kind == quota.Tokens && !c.reported:
			c.account.Charge(kind, int64(proto.Size(c.first))/bytesPerToken+c.pieces)
		case kind == quota.Tokens:
			c.account.Charge(kind, c.tokens)
		case kind == quota.AudioIn && !c.reported:
			c.hear(c.estimate())
		}
	}
}

// estimate returns how long the audio of the request is.
func (c *charges) estimate() time.Duration {
	format, bytes := c.first.GetTranscribe().GetFormat(), c.bytes
	if p := c.first.GetPronunciation(); p != nil {
		format, bytes = p.GetFormat(), int64(len(p.GetAudio()))
	}
	if raw := rawDuration(format, bytes); raw > 0 {
		return raw
	}
	return time.Duration(bytes) * time.Second / bytesPerSecond
}

// rawDuration returns how long raw samples are; 0 for other formats.
func rawDuration(format *gatewayv1.AudioFormat, bytes int64) time.Duration {
	size := map[gatewayv1.AudioEncoding]int64{
		gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE: 2,
		gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_F32LE: 4,
	}[format.GetEncoding()]
	if size == 0 {
		return 0
	}
	rate, channels := int64(format.GetSampleRateHertz()), int64(max(1, format.GetChannelCount()))
	if rate == 0 {
		rate = 16_000
	}
	const microsecond = int64(time.Second / time.Microsecond)
	return time.Duration(bytes*microsecond/(size*rate*channels)) * time.Microsecond
}
