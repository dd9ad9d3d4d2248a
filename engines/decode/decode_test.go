package decode

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/lexilingo/modelgateway/engines/helper"
)

// largest is a decoder whose packets are damaged, or as long as any.
type largest struct{}

func (largest) Decode(packet []byte) (Sound, bool) {
	if len(packet) == 0 {
		return Sound{}, false
	}
	return Sound{Rate: 48000, Channels: 7, Samples: make([]int16, MaxSamples/7*7)}, true
}

func (largest) Close() {}

// The answer fits into a frame, however long the silence for packets before the first sound
// would be.
func TestLargestAnswer(t *testing.T) {
	var in, out bytes.Buffer
	for _, frame := range [][]byte{
		nil, // the description
		Packets(make([][]byte, MaxPackets)),
		Packets(slices.Repeat([][]byte{{1}}, MaxPackets)),
	} {
		if err := helper.WriteFrame(&in, frame); err != nil {
			t.Fatal(err)
		}
	}
	err := Serve(&in, &out, func([]byte) (Decoder, error) { return largest{}, nil })
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	for _, want := range []int{0, 0, MaxPackets * (MaxSamples / 7 * 7)} {
		frame, err := helper.ReadFrame(&out)
		if err != nil {
			t.Fatal(err)
		}
		if len(frame) == 0 {
			continue // the description's
		}
		if a, err := ParseAnswer(frame); err != nil || len(a.Samples) < want || len(a.Samples)%7 != 0 {
			t.Errorf("%d samples, want at least %d; %v", len(a.Samples), want, err)
		}
	}
}
