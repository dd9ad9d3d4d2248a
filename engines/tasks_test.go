package engines

import (
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	enginev1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/engine/v1"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// The table has a row for every task of the engine protocol, and the protocol a
// field for every row.
func TestTableOfTasksMatchesTheProtocol(t *testing.T) {
	var ids []enginev1.Task
	names := map[string]bool{}
	for _, task := range Tasks() {
		ids = append(ids, task.ID)
		if want := "TASK_" + strings.ToUpper(task.Name); task.ID.String() != want {
			t.Errorf("task %s has the number of %s", task.Name, task.ID)
		}
		for _, message := range []proto.Message{&enginev1.RunRequest{}, &enginev1.RunResponse{}} {
			if message.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(task.Name)) == nil {
				t.Errorf("%T has no field %s", message, task.Name)
			}
		}
		if got, ok := TaskOf(task.EmptyRequest()); !ok || got.ID != task.ID {
			t.Errorf("an empty request of %s asks for %s", task.Name, got.Name)
		}
		for _, name := range append([]string{task.Name}, task.Aliases...) {
			if names[name] {
				t.Errorf("two tasks are named %s", name)
			}
			names[name] = true
			if got, ok := LookupTask(name); !ok || got.ID != task.ID || CanonicalTask(name) != task.Name {
				t.Errorf("%s is looked up as %q", name, got.Name)
			}
		}
	}
	for number := range enginev1.Task_name {
		if id := enginev1.Task(number); id != enginev1.Task_TASK_UNSPECIFIED && !slices.Contains(ids, id) {
			t.Errorf("%s has no row", id)
		}
	}
	for _, message := range []proto.Message{&enginev1.RunRequest{}, &enginev1.RunRequest{Payload: &enginev1.RunRequest_Audio{}}} {
		if task, ok := TaskOf(message); ok {
			t.Errorf("%v asks for %s", message, task.Name)
		}
	}
	if got := CanonicalTask("translate"); got != "translate" {
		t.Errorf("a task that the table does not have is named %s", got)
	}
}

// Every RPC that runs a task is in the table, and every RPC of the table exists.
func TestTableOfTasksNamesTheRPCs(t *testing.T) {
	methods := gatewayv1.File_modelgateway_v1_service_proto.Services().ByName("ModelGatewayService").Methods()
	var named []string
	for _, task := range Tasks() {
		named = append(named, task.RPCs...)
	}
	for i := range methods.Len() {
		name := string(methods.Get(i).Name())
		// These run no task of their own: PushAudio feeds OpenTranscription.
		other := slices.Contains([]string{"Status", "ExecuteTask", "PushAudio", "CreateAccessToken", "ListVoices"}, name)
		if slices.Contains(named, name) == other {
			t.Errorf("the RPC %s: in the table is %v", name, !other)
		}
	}
	for _, name := range named {
		if methods.ByName(protoreflect.Name(name)) == nil {
			t.Errorf("there is no RPC %s", name)
		}
	}
}

func TestSpeechMeterKeepsTheSampleRate(t *testing.T) {
	task, _ := LookupTask("synthesize")
	measure := task.NewAudioMeter()
	piece := func(rate int32, bytes int) *enginev1.RunResponse {
		return &enginev1.RunResponse{Payload: &enginev1.RunResponse_Synthesize{
			Synthesize: &gatewayv1.SynthesizeResponse{SampleRateHertz: rate, Audio: make([]byte, bytes)},
		}}
	}
	if got := measure(piece(0, 2000)); got != 0 {
		t.Errorf("samples without a rate last %v", got)
	}
	if got := measure(piece(1000, 2000)) + measure(piece(0, 1000)); got != 1500*time.Millisecond {
		t.Errorf("1500 samples at 1000 Hz last %v", got)
	}
}
