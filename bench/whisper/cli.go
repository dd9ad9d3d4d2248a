package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/lexilingo/modelgateway/bench/internal/benchkit"
)

// whisperCLI runs whisper-cli of whisper.cpp.
type whisperCLI struct {
	program, model, dir string
	threads             int
}

// recognise transcribes a clip. It returns the text, and the time without the
// load of the model.
func (w whisperCLI) recognise(ctx context.Context, clip benchkit.Clip, beams int) (string, time.Duration, error) {
	file, out := filepath.Join(w.dir, "clip.wav"), filepath.Join(w.dir, "out")
	if err := os.WriteFile(file, clip.WAV(), 0o600); err != nil {
		return "", 0, err
	}
	// The same settings as in serverConfig: failed windows are not decoded again,
	// and no context is passed between windows.
	cmd := exec.CommandContext(ctx, w.program, "-m", w.model, "-f", file, "-t", strconv.Itoa(w.threads), "-ng",
		"-bs", strconv.Itoa(beams), "-nf", "-mc", "0", "-l", "en", "-oj", "-of", out)
	// ggml also looks for its back ends in the working directory.
	cmd.Dir = os.Getenv("MG_GGML_BACKENDS")
	var printed bytes.Buffer
	cmd.Stderr = &printed
	if err := cmd.Run(); err != nil {
		return "", 0, fmt.Errorf("whisper-cli: %w: %.500s", err, printed.String())
	}
	took, err := computed(printed.String())
	if err != nil {
		return "", 0, err
	}
	data, err := os.ReadFile(out + ".json")
	if err != nil {
		return "", 0, err
	}
	var answer struct {
		Transcription []struct{ Text string }
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return "", 0, fmt.Errorf("the output of whisper-cli: %w", err)
	}
	var text strings.Builder
	for _, s := range answer.Transcription {
		text.WriteString(s.Text)
	}
	return text.String(), took, nil
}

var timing = regexp.MustCompile(`whisper_print_timings:\s+(load|total) time =\s+([0-9.]+) ms`)

// computed returns whisper-cli's total time without its load time, from its
// output. It includes the same work as a request to the server: reading the
// audio, creating a state, and the transcription.
func computed(printed string) (time.Duration, error) {
	found := map[string]float64{}
	for _, m := range timing.FindAllStringSubmatch(printed, -1) {
		milliseconds, err := strconv.ParseFloat(m[2], 64)
		if err != nil {
			return 0, err
		}
		found[m[1]] = milliseconds
	}
	if len(found) != 2 {
		return 0, fmt.Errorf("whisper-cli printed no timings: %.500s", printed)
	}
	return time.Duration((found["total"] - found["load"]) * float64(time.Millisecond)), nil
}
