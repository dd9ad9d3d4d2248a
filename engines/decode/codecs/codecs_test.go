package codecs

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/lexilingo/modelgateway/engines/decode"
	"github.com/lexilingo/modelgateway/engines/helper"
)

// serve answers frames as decode-speech does.
func serve(t *testing.T, codec string, frames ...[]byte) (answers [][]byte, err error) {
	t.Helper()
	var in, out bytes.Buffer
	for _, frame := range frames {
		if err := helper.WriteFrame(&in, frame); err != nil {
			t.Fatal(err)
		}
	}
	err = decode.Serve(&in, &out, func(description []byte) (decode.Decoder, error) { return New(codec, description) })
	for out.Len() > 0 {
		answer, readErr := helper.ReadFrame(&out)
		if readErr != nil {
			t.Fatal(readErr)
		}
		answers = append(answers, answer)
	}
	return answers, err
}

// Packets that are no sound are silence of the same length, and counted.
func TestLostPackets(t *testing.T) {
	silence := append([]byte{0x3c}, make([]byte, 31)...) // a frame of AMR at 12.2 kbit/s
	answers, err := serve(t, decode.AMRNB, nil, decode.Packets([][]byte{silence, {}, silence, make([]byte, 100)}))
	if !errors.Is(err, io.EOF) || len(answers) != 2 {
		t.Fatalf("%d answers, %v", len(answers), err)
	}
	got, err := decode.ParseAnswer(answers[1])
	if err != nil || got.Rate != 8000 || got.Channels != 1 || got.Lost != 2 || len(got.Samples) != 4*160 {
		t.Errorf("%d Hz, %d lost, %d samples, %v", got.Rate, got.Lost, len(got.Samples), err)
	}
}

func TestRefusesWhatItCannotDecode(t *testing.T) {
	for codec, description := range map[string][]byte{
		"mp3": nil, decode.AAC: nil, decode.AAC + " ": {0x12, 0x10},
	} {
		if answers, err := serve(t, codec, description); err == nil || errors.Is(err, io.EOF) || len(answers) != 0 {
			t.Errorf("%q: %d answers, %v", codec, len(answers), err)
		}
	}
	if _, err := serve(t, decode.AAC, []byte{0xff, 0xff}); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a description of nothing: %v", err)
	}
}

// What comes from the helper is checked: what it decodes may have taken it over.
func TestAnswersAreNotTrusted(t *testing.T) {
	for name, frame := range map[string][]byte{
		"empty": {}, "short": {0, 0, 31, 64, 1}, "half a sample": {0, 0, 31, 64, 1, 0, 7}, "no channels": {0, 0, 31, 64, 0, 0, 7, 7},
		"no rate": {0, 0, 0, 0, 1, 0, 7, 7}, "half of stereo": {0, 0, 31, 64, 2, 0, 7, 7},
	} {
		if a, err := decode.ParseAnswer(frame); err == nil {
			t.Errorf("%s: %+v", name, a)
		}
	}
}
