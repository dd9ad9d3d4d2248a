package e2e

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	modelgateway "github.com/lexilingo/modelgateway/clients/go"
	"github.com/lexilingo/modelgateway/engines/audio"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/models/modelstest"
)

// librivox is the folder of read sentences in Debian's package pocketsphinx-testdata.
const librivox = "/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-"

// people returns 16 kHz PCM of two people who speak in turn.
func people(t *testing.T) []byte {
	t.Helper()
	module, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/ggerganov/whisper.cpp/bindings/go").Output()
	if err != nil {
		t.Fatal(err)
	}
	kennedy := filepath.Join(strings.TrimSpace(string(module)), "samples", "jfk.wav")
	var pcm []byte
	for _, file := range []string{librivox + "0930.wav", kennedy} {
		wav, err := os.ReadFile(file)
		if err != nil {
			t.Skipf("people's speech is in Debian's package pocketsphinx-testdata: %v", err)
		}
		at := strings.Index(string(wav), "data") + 4
		size := binary.LittleEndian.Uint32(wav[at:])
		pcm = append(pcm, wav[at+4:at+4+int(size)]...)
	}
	return pcm
}

// heard is what a session heard.
type heard struct {
	text     string
	segments []*gatewayv1.TranscriptSegment
	final    *gatewayv1.Transcript
}

// listen transcribes speech in a session, in pieces of 1.9 s: each after the interim
// result about the one before, so that the passes do not depend on the machine. It calls
// each with the number of segments so far, after every event.
func listen(t *testing.T, address string, pcm []byte, each func(segments int)) heard {
	t.Helper()
	client, err := modelgateway.New(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	session, err := client.OpenSession(within(t, patience), &gatewayv1.TranscriptionConfig{
		Format:   &gatewayv1.AudioFormat{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE},
		Language: "en", InterimResults: true, WordTimestamps: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	const piece = 2 * 16000 * 19 / 10
	pushed, finished := time.Duration(0), false
	push := func() {
		if len(pcm) == 0 {
			finished, err = true, session.Finish(t.Context())
		} else {
			n := min(piece, len(pcm))
			err = session.Push(t.Context(), pcm[:n])
			pcm, pushed = pcm[n:], pushed+time.Duration(n/2)*time.Second/16000
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var h heard
	behind := func(processed time.Duration) bool { return !finished && pushed-processed < 2*time.Second } // no pass begins
	for behind(0) {
		push()
	}
	for event, err := range session.Events() {
		if err != nil {
			t.Fatal(err)
		}
		if segment := event.GetSegment(); segment != nil {
			h.segments = append(h.segments, segment)
		}
		each(len(h.segments))
		for i := event.GetInterim(); i != nil && behind(i.GetAudioProcessed().AsDuration()); {
			push()
		}
	}
	h.final = session.Transcript()
	h.text = h.final.GetText()
	return h
}

// People speak, their server is killed twice, and the words are those of a run without
// that, with their times in order. One word in ten may differ, because the passes begin
// elsewhere; a phrase that is lost or comes twice is more.
func TestSpeechSurvivesLostServers(t *testing.T) {
	pcm := people(t)
	config := fmt.Sprintf(`
models:
  whisper: {engine: whisper, path: %q, preload: true, parameters: {interim_step_ms: 2000, interim_trim_seconds: 4}}
tasks:
  transcribe: {primary: whisper, fallbacks: []}
`, modelstest.Path(t, "whisper-tiny.en"))
	servers := []*server{start(t, config), start(t, config), start(t, config)}
	undisturbed := listen(t, servers[0].grpc, pcm, func(int) {})

	front := newRelay(t, servers[0].grpc)
	killed, events := 0, 0 // events since a server was killed
	disturbed := listen(t, front.address, pcm, func(segments int) {
		if events++; killed == 0 && segments > 0 || killed == 1 && events > 1 {
			lost := servers[killed]
			killed, events = killed+1, 0
			front.to(servers[killed].grpc)
			_ = lost.cmd.Process.Kill()
			<-lost.exited
		}
	})
	if killed != 2 {
		t.Fatalf("%d servers were killed in %d segments", killed, len(disturbed.segments))
	}
	t.Logf("undisturbed: %s\ndisturbed: %s", undisturbed.text, disturbed.text)
	want, got := wordsOf(undisturbed.text), wordsOf(disturbed.text)
	if wrong := wordErrors(want, got); 10*wrong > len(want) || len(want) < 30 {
		t.Errorf("%d of %d words differ", wrong, len(want))
	}
	if disturbed.final.GetAudioDuration().AsDuration() != undisturbed.final.GetAudioDuration().AsDuration() {
		t.Errorf("the audio is %v long, not %v", disturbed.final.GetAudioDuration().AsDuration(), undisturbed.final.GetAudioDuration().AsDuration())
	}
	if !slices.EqualFunc(disturbed.segments, disturbed.final.GetSegments(), func(a, b *gatewayv1.TranscriptSegment) bool { return a.GetText() == b.GetText() }) {
		t.Errorf("the transcript has other segments than the events: %v", disturbed.final)
	}
	end := time.Duration(0)
	for _, s := range disturbed.segments {
		if s.GetStart().AsDuration() < end {
			t.Errorf("a segment begins at %v, before the end of the one before it, %v", s.GetStart().AsDuration(), end)
		}
		end = s.GetEnd().AsDuration()
	}

	first := undisturbed.segments[0]
	rest := continued(t, servers[2].models, append(audio.WAVHeader(audio.SampleRate, int64(len(pcm))), pcm...), &gatewayv1.TranscriptionOffset{
		CommittedTime: first.GetEnd(), CommittedText: first.GetText(),
	})
	if want, got := wordsOf(undisturbed.text), wordsOf(first.GetText()+" "+rest.GetText()); 10*wordErrors(want, got) > len(want) {
		t.Errorf("of a file that is sent again, heard %q", rest.GetText())
	}
	if begin := rest.GetSegments()[0].GetStart().AsDuration(); begin < first.GetEnd().AsDuration() {
		t.Errorf("the rest of the file begins at %v, before %v", begin, first.GetEnd().AsDuration())
	}
}

// continued transcribes what is in a file after an offset.
func continued(t *testing.T, models gatewayv1.ModelGatewayServiceClient, file []byte, from *gatewayv1.TranscriptionOffset) *gatewayv1.Transcript {
	t.Helper()
	stream, err := models.StreamTranscribe(within(t, patience))
	if err != nil {
		t.Fatal(err)
	}
	cfg := &gatewayv1.TranscriptionConfig{Language: "en", ResumeFrom: from}
	err = stream.Send(&gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Config{Config: cfg}})
	for piece := range slices.Chunk(file, 100_000) {
		err = errors.Join(err, stream.Send(&gatewayv1.StreamTranscribeRequest{Payload: &gatewayv1.StreamTranscribeRequest_Audio{Audio: piece}}))
	}
	if err := errors.Join(err, stream.CloseSend()); err != nil {
		t.Fatal(err)
	}
	for {
		m, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if final := m.GetEvent().GetFinal(); final != nil {
			return final
		}
	}
}

// A session leaves a server that does not answer any more, though its connection stays
// open, as that of a machine without power.
func TestSessionLeavesSilentServer(t *testing.T) {
	config := fmt.Sprintf(`
engines:
  fault: {command: [engine-fault], max_concurrency: 4}
models:
  numbers: {engine: fault, path: %q, memory_mb: 64, parameters: {hear_numbers: true}}
tasks:
  transcribe: {primary: numbers, fallbacks: []}
`, modelFile(t))
	silent, other := start(t, config), start(t, config)
	front := newRelay(t, silent.grpc)
	client, err := modelgateway.New(front.address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	session, err := client.OpenSession(within(t, patience), &gatewayv1.TranscriptionConfig{
		Format: &gatewayv1.AudioFormat{Encoding: gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	second := make([]byte, 2*16000) // ten times the number 0
	push := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	push(session.Push(t.Context(), second))
	for event, err := range session.Events() {
		if err != nil {
			t.Fatal(err)
		}
		if event.GetSegment() != nil {
			break
		}
	}
	front.to(other.grpc)
	push(silent.cmd.Process.Signal(syscall.SIGSTOP))
	defer func() { push(silent.cmd.Process.Kill()) }()
	push(session.Push(t.Context(), second))
	push(session.Finish(t.Context()))
	for _, err := range session.Events() {
		push(err)
	}
	if got := session.Transcript().GetText(); got != strings.TrimSpace(strings.Repeat("0 ", 20)) {
		t.Errorf("heard %q", got)
	}
}

// modelFile returns a file for a model of the test engine.
func modelFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "model")
	if err := os.WriteFile(file, []byte("a model"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
