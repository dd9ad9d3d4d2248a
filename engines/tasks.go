package engines

import (
	"context"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// Task is a row of the table of tasks: what the SDK and the server know about
// one task. A new task is a value of enginev1.Task, a field of that name in
// RunRequest and RunResponse, a row in taskTable, and a handler of its RPC in the
// server.
type Task struct {
	// ID is the task's number in the engine protocol.
	ID enginev1.Task
	// Name is the canonical name, e.g. "explain_vietnamese". It is the name of the
	// task's field in RunRequest and RunResponse, and the only name in what the
	// server writes: metrics, logs, messages.
	Name string
	// Aliases are the Python gateway's names of the task. The server accepts them
	// wherever a caller or the configuration names a task.
	Aliases []string
	// RPCs are the methods of ModelGatewayService that run the task.
	RPCs []string
	// ByMethod is true for the task of untyped calls, which name a method of the
	// engine. The configuration does not route it.
	ByMethod bool
	// Last reports whether a message is the last of a streamed answer. It is nil
	// for tasks whose messages do not show it.
	Last func(*enginev1.RunResponse) bool
	// Usage returns the tokens that a message reports, or nil. It is nil for tasks
	// that do not count tokens.
	Usage func(*enginev1.RunResponse) *gatewayv1.Usage
	// NewAudioMeter returns a function that returns how much audio a message stands
	// for; it is called with the messages of one answer in order. NewAudioMeter is
	// nil for tasks that do not count audio.
	NewAudioMeter func() func(*enginev1.RunResponse) time.Duration

	handler handler
}

// TaskKind says how a task runs.
type TaskKind int

const (
	// Unary is one request and one answer.
	Unary TaskKind = iota
	// ServerStream is one request and an answer in pieces.
	ServerStream
	// AudioStream is a config, then a stream of audio from the caller, and an answer
	// in pieces.
	AudioStream
)

// taskTable is the table of tasks. The order matters where a model has several
// tasks and none is named: the first is taken.
var taskTable = []Task{
	{
		ID:      enginev1.Task_TASK_CHAT,
		Name:    "chat",
		RPCs:    []string{"Chat", "StreamChat"},
		handler: streamed(Chatter.Chat),
		Last: func(r *enginev1.RunResponse) bool {
			return r.GetChat().GetFinishReason() != gatewayv1.FinishReason_FINISH_REASON_UNSPECIFIED
		},
		Usage: func(r *enginev1.RunResponse) *gatewayv1.Usage { return r.GetChat().GetUsage() },
	},
	{
		ID:      enginev1.Task_TASK_GRAMMAR,
		Name:    "grammar",
		RPCs:    []string{"Grammar"},
		handler: unary(GrammarChecker.Grammar),
		Usage:   func(r *enginev1.RunResponse) *gatewayv1.Usage { return r.GetGrammar().GetUsage() },
	},
	{
		ID:      enginev1.Task_TASK_RESPOND,
		Name:    "respond",
		Aliases: []string{"response"},
		RPCs:    []string{"Respond"},
		handler: unary(Responder.Respond),
		Usage:   func(r *enginev1.RunResponse) *gatewayv1.Usage { return r.GetRespond().GetUsage() },
	},
	{
		ID:      enginev1.Task_TASK_EXPLAIN_VIETNAMESE,
		Name:    "explain_vietnamese",
		Aliases: []string{"explain_vi", "vietnamese"},
		RPCs:    []string{"ExplainVietnamese"},
		handler: unary(VietnameseExplainer.ExplainVietnamese),
		Usage:   func(r *enginev1.RunResponse) *gatewayv1.Usage { return r.GetExplainVietnamese().GetUsage() },
	},
	{
		ID:      enginev1.Task_TASK_TRANSCRIBE,
		Name:    "transcribe",
		Aliases: []string{"stt"},
		RPCs:    []string{"Recognize", "Transcribe", "StreamTranscribe", "OpenTranscription"},
		handler: audioStreamed(Transcriber.Transcribe),
		Last:    func(r *enginev1.RunResponse) bool { return r.GetTranscribe().GetFinal() != nil },
		NewAudioMeter: reportedAudio(func(r *enginev1.RunResponse) time.Duration {
			return r.GetTranscribe().GetFinal().GetAudioDuration().AsDuration()
		}),
	},
	{
		ID:            enginev1.Task_TASK_SYNTHESIZE,
		Name:          "synthesize",
		Aliases:       []string{"tts"},
		RPCs:          []string{"Synthesize"},
		handler:       streamed(Synthesizer.Synthesize),
		NewAudioMeter: newSpeechMeter,
	},
	{
		ID:      enginev1.Task_TASK_PRONUNCIATION,
		Name:    "pronunciation",
		RPCs:    []string{"Pronunciation"},
		handler: unary(PronunciationScorer.Pronunciation),
		NewAudioMeter: reportedAudio(func(r *enginev1.RunResponse) time.Duration {
			return r.GetPronunciation().GetAudioDuration().AsDuration()
		}),
	},
	{
		ID:       enginev1.Task_TASK_INVOKE,
		Name:     "invoke",
		RPCs:     []string{"Invoke"},
		ByMethod: true,
		handler: unary(func(m Invoker, ctx context.Context, call *enginev1.InvokeTask) (*structpb.Struct, error) {
			return m.Invoke(ctx, call.GetMethod(), call.GetParams())
		}),
	},
}

// reportedAudio is the meter of tasks whose messages report a duration.
func reportedAudio(duration func(*enginev1.RunResponse) time.Duration) func() func(*enginev1.RunResponse) time.Duration {
	return func() func(*enginev1.RunResponse) time.Duration { return duration }
}

// newSpeechMeter is the meter of speech: signed 16-bit samples, mono, whose sample
// rate is in the first message.
func newSpeechMeter() func(*enginev1.RunResponse) time.Duration {
	const bytesPerSample = 2
	var sampleRate int32
	return func(r *enginev1.RunResponse) time.Duration {
		if rate := r.GetSynthesize().GetSampleRateHertz(); rate > 0 {
			sampleRate = rate
		}
		if sampleRate == 0 {
			return 0
		}
		samples := len(r.GetSynthesize().GetAudio()) / bytesPerSample
		return time.Duration(samples) * time.Second / time.Duration(sampleRate)
	}
}

// Kind returns how the task runs.
func (t Task) Kind() TaskKind { return t.handler.kind }

// Tasks returns the table of tasks.
func Tasks() []Task { return slices.Clone(taskTable) }

// LookupTask returns the task of a canonical name or an alias.
func LookupTask(name string) (Task, bool) {
	return findTask(func(t *Task) bool { return t.Name == name || slices.Contains(t.Aliases, name) })
}

// TaskOf returns the task that a RunRequest asks for, or that a RunResponse
// answers. It returns false for a message without a payload and for audio.
func TaskOf(message proto.Message) (Task, bool) {
	field := payloadOf(message)
	if field == nil {
		return Task{}, false
	}
	return findTask(func(t *Task) bool { return t.Name == string(field.Name()) })
}

// TaskName returns the canonical name of a task, e.g. "explain_vietnamese".
func TaskName(id enginev1.Task) string {
	if t, ok := findTask(func(t *Task) bool { return t.ID == id }); ok {
		return t.Name
	}
	return strings.ToLower(strings.TrimPrefix(id.String(), "TASK_")) // of a newer engine
}

// CanonicalTask returns the canonical name of a task. It returns other names
// unchanged: the configuration can add tasks.
func CanonicalTask(name string) string {
	if t, ok := LookupTask(name); ok {
		return t.Name
	}
	return name
}

func findTask(match func(*Task) bool) (Task, bool) {
	for i := range taskTable {
		if match(&taskTable[i]) {
			return taskTable[i], true
		}
	}
	return Task{}, false
}

// EmptyRequest returns the task's request with no field set.
func (t Task) EmptyRequest() *enginev1.RunRequest {
	req := &enginev1.RunRequest{}
	m := req.ProtoReflect()
	field := m.Descriptor().Fields().ByName(protoreflect.Name(t.Name))
	m.Set(field, m.NewField(field))
	return req
}

// payloadOf returns the field of the oneof payload that is set, or nil.
func payloadOf(message proto.Message) protoreflect.FieldDescriptor {
	m := message.ProtoReflect()
	return m.WhichOneof(m.Descriptor().Oneofs().ByName("payload"))
}
