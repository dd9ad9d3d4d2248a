package cli

import (
	"fmt"
	"io"
	"os"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// standardInput stands for standard input instead of a file name.
const standardInput = "-"

// recordingFlags describe the format of a recording.
type recordingFlags struct {
	Encoding string `enum:"auto,s16le,f32le" default:"auto" help:"Encoding of the recording (${enum}). Only raw samples need it; other formats are detected."`
	Rate     int32  `default:"16000" help:"Sample rate of raw samples, in Hz."`
	Channels int32  `default:"1" help:"Number of channels of raw samples."`
}

func (f recordingFlags) format() *gatewayv1.AudioFormat {
	encoding := map[string]gatewayv1.AudioEncoding{
		"s16le": gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE, "f32le": gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_F32LE,
	}[f.Encoding]
	if encoding == 0 {
		return &gatewayv1.AudioFormat{}
	}
	return &gatewayv1.AudioFormat{Encoding: encoding, SampleRateHertz: f.Rate, ChannelCount: f.Channels}
}

// openRecording opens a file, or standard input. size is 0 if it is unknown.
func openRecording(name string, con *console) (audio io.ReadCloser, size int64, err error) {
	if name == standardInput {
		if con.inTTY {
			return nil, 0, usagef("standard input is a terminal: pipe audio into it, for example\n  arecord -f S16_LE -r 16000 -c 1 | modelgateway transcribe -")
		}
		return io.NopCloser(con.in), 0, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, 0, usageError{fmt.Errorf("cannot read the recording: %w", err)}
	}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a directory", name)
	}
	if err != nil {
		_ = file.Close() // nothing was written
		return nil, 0, usageError{fmt.Errorf("cannot read the recording: %w", err)}
	}
	return file, info.Size(), nil
}
