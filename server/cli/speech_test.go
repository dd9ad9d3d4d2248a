package cli

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/alecthomas/kong"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// recording writes a file of the given size. engine-fault answers with the number
// of bytes that it receives.
func recording(t *testing.T, size int) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "clip.wav")
	write(t, file, strings.Repeat("x", size))
	return file
}

func TestTranscribe(t *testing.T) {
	s := start(t)
	t.Run("a file", func(t *testing.T) {
		r := s.run(t, "transcribe", recording(t, 200_000))
		r.check(t, exitOK)
		if r.out != "200000 bytes\n" || r.err != "" {
			t.Errorf("printed %q, and %q on standard error", r.out, r.err)
		}
		s.run(t, "transcribe", "--words", "--stats", recording(t, 10)).check(t, exitOK, "10 bytes\n", "fast")
		s.run(t, "transcribe", "--json", "--language=en", "--translate", "--prompt=Anna", "--beam=5", recording(t, 10)).
			check(t, exitOK, `"text": "10 bytes"`, `"model": "fast"`)
		s.run(t, "transcribe", "--encoding=s16le", "--rate=8000", "--channels=2", recording(t, 10)).check(t, exitOK, "10 bytes\n")
		s.run(t, "transcribe", recording(t, 0)).check(t, exitOK, "0 bytes\n")
		s.run(t, "transcribe", "--format=vtt", recording(t, 10)).check(t, exitOK, "WEBVTT\n")
		s.run(t, "transcribe", "--format=verbose_json", "--words", recording(t, 10)).check(t, exitOK, `"task": "transcribe"`, `"text": "10 bytes"`)
	})
	t.Run("into a file", func(t *testing.T) {
		dir, clip := t.TempDir(), recording(t, 10)
		for name, c := range map[string]struct{ flag, want string }{
			"a.srt": {"--format=auto", ""}, "a.vtt": {"--format=auto", "WEBVTT\n"}, "a.json": {"--format=auto", `"task": "transcribe"`},
			"a.txt": {"--words", "10 bytes\n"}, "b.json": {"--json", `"served_by": {`}, "b.txt": {"--format=vtt", "WEBVTT\n"},
		} {
			file := filepath.Join(dir, name)
			if r := s.run(t, "transcribe", clip, c.flag, "-o", file); r.code != exitOK || r.out != "" {
				t.Errorf("%s: exit code %d, printed %q", name, r.code, r.out)
			}
			if got, err := os.ReadFile(file); err != nil || !strings.Contains(string(got), c.want) {
				t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
			}
		}
		file := filepath.Join(dir, "live.txt")
		cmd := s.command(t, "transcribe", "-", "-o", file)
		cmd.Stdin = bytes.NewReader(make([]byte, 150_000))
		finish(t, cmd).check(t, exitOK)
		if got, err := os.ReadFile(file); err != nil || string(got) != "150000 bytes\n" {
			t.Errorf("%q, %v", got, err)
		}
		s.run(t, "transcribe", clip, "--words", "-o", filepath.Join(dir, "a.srt")).check(t, exitUsage, "leave it out")
		s.run(t, "transcribe", clip, "-m", "missing", "-o", filepath.Join(dir, "none.srt")).check(t, exitNotFound, "MODEL_NOT_FOUND")
		s.run(t, "transcribe", clip, "-o", "/nowhere/a.srt").check(t, exitUsage, "/nowhere")
		if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 7 {
			t.Errorf("failures leave a file behind: %v", left)
		}
	})
	t.Run("standard input", func(t *testing.T) {
		for _, args := range [][]string{{"transcribe", "-"}, {"transcribe", "-", "--json"}} {
			cmd := s.command(t, args...)
			cmd.Stdin = bytes.NewReader(make([]byte, 150_000))
			finish(t, cmd).check(t, exitOK, "150000 bytes")
		}
	})
	t.Run("errors", func(t *testing.T) {
		s.run(t, "transcribe", "none.wav").check(t, exitUsage, "none.wav", "no such file")
		s.run(t, "transcribe", t.TempDir()).check(t, exitUsage, "is a directory")
		s.run(t, "transcribe", "--format=srt", "--json", recording(t, 1)).check(t, exitUsage, "--json")
		s.run(t, "transcribe", "--encoding=mp3", recording(t, 1)).check(t, exitUsage, "--encoding")
		s.run(t, "transcribe", "--encoding=s16le", "--rate=1", recording(t, 1)).check(t, exitUsage, "INVALID_REQUEST", "sample_rate_hertz")
		s.run(t, "transcribe", "-m", "missing", recording(t, 1<<20)).check(t, exitNotFound, "MODEL_NOT_FOUND")
		cmd := s.command(t, "transcribe", "-", "-m", "missing")
		if stdin, err := cmd.StdinPipe(); err != nil { // no audio is sent
			t.Fatal(err)
		} else {
			defer func() { _ = stdin.Close() }()
		}
		finish(t, cmd).check(t, exitNotFound, "MODEL_NOT_FOUND")
	})
}

func TestSynthesize(t *testing.T) {
	s := start(t)
	const samples = 3200 // of two words
	check := func(t *testing.T, data []byte, size uint32) {
		t.Helper()
		if len(data) != 44+2*samples || string(data[:4]) != "RIFF" || binary.LittleEndian.Uint32(data[24:]) != 16000 || binary.LittleEndian.Uint32(data[40:]) != size {
			t.Errorf("%d bytes: %.60q", len(data), data)
		}
	}
	file := filepath.Join(t.TempDir(), "out.wav")
	read := func(t *testing.T) []byte {
		t.Helper()
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	t.Run("into a file", func(t *testing.T) {
		s.run(t, "synthesize", "-o", file, "one", "two").check(t, exitOK)
		check(t, read(t), 2*samples)
		s.run(t, "synthesize", "--raw", "-o", file, "--voice=fast", "--speed=2", "--volume=0.5", "--sentence-silence=1s", "one two").check(t, exitOK)
		if got := read(t); len(got) != 2*samples {
			t.Errorf("%d bytes", len(got))
		}
		s.run(t, "synthesize", "--rate=8000", "-o", file, "one two").check(t, exitOK)
		if got := read(t); len(got) != 44+samples || binary.LittleEndian.Uint32(got[24:]) != 8000 {
			t.Errorf("at 8 kHz: %d bytes: %.60q", len(got), got)
		}
		r := s.run(t, "synthesize", "--json", "-o", file, "one two")
		r.check(t, exitOK, `"sample_rate_hertz":16000`, `"audio":""`, `"model":"fast"`)
		for line := range strings.Lines(r.out) {
			if !json.Valid([]byte(line)) {
				t.Errorf("%q", line)
			}
		}
	})
	t.Run("into a pipe", func(t *testing.T) {
		for _, args := range [][]string{{"synthesize", "one two"}, {"synthesize", "-o", "-", "one two"}, {"synthesize"}} {
			cmd := s.command(t, args...)
			cmd.Stdin = strings.NewReader("one two\n")
			r := finish(t, cmd)
			r.check(t, exitOK)
			check(t, []byte(r.out), 0xffffffff)
		}
		if r := s.run(t, "synthesize", "--raw", "--phonemes", "wʌn tuː"); len(r.out) != 2*samples || r.err != "" {
			t.Errorf("%d bytes, and %q on standard error", len(r.out), r.err)
		}
	})
	t.Run("errors", func(t *testing.T) {
		s.run(t, "synthesize", "--align-words", "-o", file, "one").check(t, exitUsage, "--align-words needs --json")
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		s.run(t, "synthesize", "-o", file, "-m", "missing", "hi").check(t, exitNotFound, "MODEL_NOT_FOUND")
		s.run(t, "synthesize", "-o", file, "--speed=9", "hi").check(t, exitUsage, "INVALID_REQUEST", "speed")
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "*")); len(left) > 0 {
			t.Errorf("failures leave %v behind", left)
		}
		s.run(t, "synthesize", "-o", "/nowhere/out.wav", "hi").check(t, exitUsage, "/nowhere")
		s.run(t, "synthesize", "-o", "out.m4a", "hi").check(t, exitUsage, ".m4a files cannot be written", ".wav, .mp3, .opus, .ogg, .flac, .pcm or .raw", "--encoding")
		s.run(t, "synthesize", "--raw", "--encoding=mp3", "-o", file, "hi").check(t, exitUsage, "--raw")
		s.run(t, "synthesize", "--bitrate=64000", "-o", file, "hi").check(t, exitUsage, "INVALID_REQUEST", "only MP3 and Opus have a bitrate")
		s.run(t, "synthesize", "--voice=a", "--model=b", "hi").check(t, exitUsage, "--voice")
		s.run(t, "synthesize", "").check(t, exitUsage, "no text: give it")
	})
}

// The encoding is that of the file's name, unless a flag names another one.
func TestSpeechFormats(t *testing.T) {
	for args, want := range map[string]string{
		"": "wav", "-o -": "wav", "-o hello": "wav", "-o hello.WAV": "wav", "-o hello.mp3": "mp3", "-o a.b/c.opus": "opus", "-o c.ogg": "opus",
		"-o c.flac": "flac", "-o c.pcm": "pcm", "--raw": "pcm", "--raw -o c.wav": "pcm", "--encoding mp3": "mp3", "--encoding flac -o c.bin": "flac",
		"-o c.bin": "", "--raw --encoding wav": "",
	} {
		var c struct {
			Synthesize synthesizeCommand `cmd:""`
		}
		parser, err := kong.New(&c)
		if err == nil {
			_, err = parser.Parse(append([]string{"synthesize"}, strings.Fields(args)...))
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Synthesize.format(); got.name != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", args, got.name, err, want)
		}
	}
}

// What is no file is written, not replaced.
func TestOutputThatIsNoFile(t *testing.T) {
	s := start(t)
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	link := pipe + ".link"
	if err := os.Symlink(pipe, link); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		pipe: {"transcribe", recording(t, 10)}, link: {"synthesize", "--encoding=wav", "one two"},
	} {
		got := make(chan []byte, 1)
		go func() {
			data, _ := os.ReadFile(pipe) // an error is no data
			got <- data
		}()
		s.run(t, append(args, "-o", name)...).check(t, exitOK)
		if data := <-got; len(data) == 0 || name == pipe && string(data) != "10 bytes\n" || name == link && len(data) != 44+6400 {
			t.Errorf("%s: %d bytes", args[0], len(data))
		}
	}
	if info, err := os.Lstat(pipe); err != nil || info.Mode().IsRegular() {
		t.Errorf("the pipe became %v, %v", info.Mode(), err)
	}
}

func TestPronounce(t *testing.T) {
	s := start(t)
	clip := recording(t, 1000)
	r := s.run(t, "pronounce", clip, "--text", "one two")
	r.check(t, exitOK, "  100  one\n", "overall 100 · accuracy 100 · fluency 100 · completeness 100\n")
	if strings.Contains(r.out, "\x1b") {
		t.Errorf("colours without a terminal: %q", r.out)
	}
	s.run(t, "pronounce", clip, "--json", "--text", "one").check(t, exitOK, `"overall_score": 100`)
	cmd := s.command(t, "pronounce", "-", "-t", "one two")
	cmd.Stdin = strings.NewReader("abc")
	finish(t, cmd).check(t, exitOK, "overall 100")
	s.run(t, "pronounce", clip).check(t, exitUsage, "--text")
	s.run(t, "pronounce", clip, "--text= ").check(t, exitUsage, "no text: give it")
	s.run(t, "pronounce", "none.wav", "--text=a").check(t, exitUsage, "no such file")
	s.run(t, "pronounce", recording(t, 0), "--text=a").check(t, exitUsage, "INVALID_REQUEST")
}

func word(text string, score float32, kind gatewayv1.PronunciationErrorType, units ...*gatewayv1.PronouncedUnit) *gatewayv1.PronouncedWord {
	return &gatewayv1.PronouncedWord{Text: text, Score: score, ErrorType: kind, Units: units}
}

func unit(symbol string, score float32, heard string) *gatewayv1.PronouncedUnit {
	return &gatewayv1.PronouncedUnit{Symbol: symbol, Score: score, Heard: heard}
}

var reading = &gatewayv1.PronunciationResponse{
	OverallScore: 71, AccuracyScore: 65, FluencyScore: 80, CompletenessScore: 75, Unit: gatewayv1.PronunciationUnit_PRONUNCIATION_UNIT_LETTER,
	Words: []*gatewayv1.PronouncedWord{
		word("It's", 90, gatewayv1.PronunciationErrorType_PRONUNCIATION_ERROR_TYPE_NONE, unit("I", 90, ""), unit("T", 70, ""), unit("'", 90, ""), unit("S", 10, "Z")),
		word("a", 0, gatewayv1.PronunciationErrorType_PRONUNCIATION_ERROR_TYPE_OMISSION),
		word("um\x1b[2J", 50, gatewayv1.PronunciationErrorType_PRONUNCIATION_ERROR_TYPE_INSERTION),
		word("cat.", 30, gatewayv1.PronunciationErrorType_PRONUNCIATION_ERROR_TYPE_MISPRONUNCIATION),
	},
}

func TestPronunciationWithColours(t *testing.T) {
	var out bytes.Buffer
	if err := writePronunciation(&console{out: &out, outTTY: true}, reading); err != nil {
		t.Fatal(err)
	}
	line, rest, _ := strings.Cut(out.String(), "\n")
	want := "\x1b[32mI\x1b[0m\x1b[33mt\x1b[0m\x1b[32m'\x1b[0m\x1b[31;1ms\x1b[0m \x1b[31;9ma\x1b[0m \x1b[35m(um[2J)\x1b[0m \x1b[31;1mcat.\x1b[0m"
	if plain := strings.NewReplacer("\x1b[0;22m", "\x1b[0m", "\x1b[0;29m", "\x1b[0m").Replace(line); plain != want {
		t.Errorf("%q, want %q", plain, want)
	}
	for _, has := range []string{"left out", "80 or more", "cat.  [mispronounced]", "overall 71"} {
		if !strings.Contains(rest, has) {
			t.Errorf("no %q in %q", has, rest)
		}
	}
}

func TestPronunciationWithoutColours(t *testing.T) {
	for name, con := range map[string]*console{"a file": {}, "NO_COLOR": {outTTY: true, noColor: true}} {
		var out bytes.Buffer
		con.out = &out
		if err := writePronunciation(con, reading); err != nil {
			t.Fatal(err)
		}
		want := "   90  It's  S → Z\n    -  a  [left out]\n    -  um[2J  [not in the text]\n   30  cat.  [mispronounced]\n" +
			"overall 71 · accuracy 65 · fluency 80 · completeness 75\n"
		if got := strings.ReplaceAll(out.String(), "\x1b", ""); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestWordsOfASegment(t *testing.T) {
	var out bytes.Buffer
	segment := &gatewayv1.TranscriptSegment{Text: " Hello there.", Words: []*gatewayv1.TranscribedWord{{Text: " Hello", Confidence: 0.97}, {Text: " there.", Confidence: 1}}}
	if err := writeSegment(&console{out: &out}, segment); err != nil {
		t.Fatal(err)
	}
	if want := "Hello there.\n     0.00     0.00   97%  Hello\n     0.00     0.00  100%  there.\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

func TestTailOfLongText(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{{"short", 10, "short"}, {"xin chào bạn", 5, "… bạn"}, {"abc", 1, ""}, {"abc", 0, ""}, {"日本語", 4, "… 語"}} {
		if got := tail(c.text, c.width); got != c.want {
			t.Errorf("%q in %d: %q, want %q", c.text, c.width, got, c.want)
		}
	}
}
