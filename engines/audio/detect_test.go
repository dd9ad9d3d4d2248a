package audio_test

import (
	"context"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/lexilingo/modelgateway/engines/audio"
	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

func rawInt(rate, channels int32) *gatewayv1.AudioFormat {
	return &gatewayv1.AudioFormat{Encoding: pcmS16LE, SampleRateHertz: rate, ChannelCount: channels}
}

// Errors about audio that cannot be read name its format or its defect.
func TestUnreadable(t *testing.T) {
	for name, test := range map[string]struct {
		format *gatewayv1.AudioFormat
		data   string
		reason errs.Reason
		part   string
	}{
		"empty":                 {nil, "", errs.AudioUnreadable, "empty"},
		"Opus of two streams":   {nil, opusOfStreams(t, 2), errs.AudioUnreadable, "several streams"},
		"Wave64":                {nil, "riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb", errs.AudioUnreadable, "Wave64"},
		"FLV":                   {nil, "FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00", errs.AudioUnreadable, "Flash"},
		"empty FLAC":            {declare(flacFile), "", errs.AudioUnreadable, "empty"},
		"Speex":                 {nil, speex(t), errs.AudioUnreadable, "Speex in Ogg"},
		"FLAC in WebM":          {nil, strings.Replace(string(read(t, "vorbis.webm")), "A_VORBIS", "A_FLAC\x00\x00", 1), errs.AudioUnreadable, "A_FLAC"},
		"Vorbis header only":    {nil, string(read(t, "vorbis.ogg")[:58]), errs.AudioUnreadable, "ends before its first sample"},
		"Vorbis without tables": {nil, strings.Replace(string(read(t, "vorbis.webm")), "\x05vorbis", "\x07vorbis", 1), errs.AudioUnreadable, "its headers are damaged"},
		"Vorbis of 0 channels":  {nil, strings.Replace(string(read(t, "vorbis.webm")), "\x01vorbis\x00\x00\x00\x00\x01", "\x01vorbis\x00\x00\x00\x00\x00", 1), errs.AudioUnreadable, "number of channels, is not supported"},
		"a frame of ADTS":       {nil, "\xff\xf1\x50\x80\x00\x1f\xfc\x00\x00\x00\x00\x00", errs.AudioUnreadable, "no frame"},
		"blocks in ADTS":        {nil, strings.Repeat("\xff\xf1\x50\x80\x01\x7f\xfd\x00\x00\x00\x00", 3), errs.AudioUnreadable, "several blocks in a frame"},
		"ADTS as MP3":           {declare(mp3File), string(read(t, "adts.aac")), errs.AudioUnreadable, "declared as MP3 but is AAC (ADTS)"},
		"layer II":              {nil, "\xff\xfd\x50\x80\x01\x3f\xfc\x00\x00\x00\x00\x00", errs.AudioUnreadable, "layer I or II"},
		"AIFF":                  {nil, "FORM\x00\x00\x00\x00AIFFCOMM", errs.AudioUnreadable, "AIFF"},
		"AMR":                   {nil, "#!AMR\n\x3c\x00\x00\x00\x00\x00\x00", errs.AudioUnreadable, "AMR"},
		"CAF":                   {nil, "caff\x00\x01\x00\x00desc", errs.AudioUnreadable, "CAF"},
		"WMA":                   {nil, "\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa", errs.AudioUnreadable, "Windows Media"},
		"AVI":                   {nil, "RIFF\x00\x00\x00\x00AVI LIST", errs.AudioUnreadable, "a RIFF file that is not WAVE"},
		"HTML":                  {nil, "<!doctype html><title>404</title>", errs.AudioUnreadable, "HTML"},
		"JSON":                  {nil, ` {"audio":"UklGRg=="}`, errs.AudioUnreadable, "JSON"},
		"base64":                {nil, "UklGRiQAAABXQVZFZm10IBAAAAABAAEA", errs.AudioUnreadable, "text"},
		"noise":                 {nil, "\x01\x00\x03\x00\xfe\xff\x02\x00\x01\x00\x00\x00", errs.AudioUnreadable, "not recognised"},
		"FLAC as Opus":          {declare(oggOpus), string(read(t, "stereo-44k.flac")), errs.AudioUnreadable, "declared as Ogg but is FLAC"},
		"WAV as PCM":            {rawInt(16000, 1), string(read(t, "wav-16.wav")), errs.AudioUnreadable, "declared as raw PCM but is WAV"},
		"WebM as Ogg":           {declare(oggOpus), string(read(t, "browser-mono.webm")), errs.AudioUnreadable, "is WebM"},
		"noise as FLAC":         {declare(flacFile), strings.Repeat("\x01\x02\x03\x80", 9), errs.AudioUnreadable, "declared as FLAC"},
		"noise as MP3":          {declare(mp3File), strings.Repeat("\x01\x02\x03\x80", 9), errs.AudioUnreadable, "no MP3 frame"},
		"rate too low":          {rawInt(4000, 1), "\x00\x00", errs.InvalidRequest, "4000 Hz"},
		"rate too high":         {rawInt(384000, 1), "\x00\x00", errs.InvalidRequest, "384000 Hz"},
		"too many channels":     {rawInt(16000, 9), "\x00\x00", errs.InvalidRequest, "9 channels"},
		"WAV header only":       {nil, "RIFF\x24\x00\x00\x00WAVE", errs.AudioUnreadable, "ends before its first sample"},
		"WAV without format":    {nil, "RIFF\x24\x00\x00\x00WAVEdata\x02\x00\x00\x00xx", errs.AudioUnreadable, "no format"},
		"A-law of 16 bits":      {nil, wav(6, 1, 8000, 16, "xx"), errs.AudioUnreadable, "16 bits"},
		"µ-law of 0 bits":       {nil, wav(7, 1, 8000, 0, "x"), errs.AudioUnreadable, "0 bits"},
		"WAV of ADPCM":          {nil, wav(2, 1, 8000, 4, "x"), errs.AudioUnreadable, "ADPCM"},
		"WAV of 0 Hz":           {nil, wav(1, 1, 0, 16, "x"), errs.AudioUnreadable, "0 Hz"},
		"WAV of 4 GHz":          {nil, wav(1, 1, math.MaxUint32, 16, "x"), errs.AudioUnreadable, "Hz"},
		"WAV without channels":  {nil, wav(1, 0, 16000, 16, "x"), errs.AudioUnreadable, "0 channels"},
		"WAV of 48 bits":        {nil, wav(1, 1, 16000, 48, "x"), errs.AudioUnreadable, "48 bits"},
		"WAV of float 16":       {nil, wav(3, 1, 16000, 16, "x"), errs.AudioUnreadable, "16 bits"},
		"FLAC header only":      {nil, string(read(t, "stereo-44k.flac")[:60]), errs.AudioUnreadable, "ends before its first sample"},
		"Ogg header cut":        {nil, string(read(t, "silk.opus")[:30]), errs.AudioUnreadable, "incomplete or damaged"},
		"WebM header only":      {nil, string(read(t, "browser-mono.webm")[:100]), errs.AudioUnreadable, "ends before its first audio block"},
		"ID3 tag only":          {nil, "ID3\x04\x00\x00\x00\x00\x01\x00" + strings.Repeat("\x00", 50), errs.AudioUnreadable, "ID3"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := audio.ReadAll(context.Background(), test.format, []byte(test.data), audio.Limits{})
			wantReason(t, err, test.reason, test.part)
		})
	}
}

// opusOfStreams returns a file of Opus whose two channels are in so many streams, as
// discrete channels are (RFC 7845, 5.1.1.4).
func opusOfStreams(t *testing.T, streams byte) string {
	stereo := string(read(t, "celt-stereo.opus"))
	const head = 19 // of the first page, behind its 28 bytes
	body := stereo[28:28+head-1] + string([]byte{255, streams, 2 - streams, 0, 1})
	return oggPage(stereo, 2, string([]byte{byte(len(body))}), body) + stereo[28+head:]
}

// TestOpusOfOneStream checks that a stream with a table of its channels is decoded.
func TestOpusOfOneStream(t *testing.T) {
	got, err := audio.ReadAll(context.Background(), nil, []byte(opusOfStreams(t, 1)), audio.Limits{})
	if err != nil || len(got) == 0 {
		t.Errorf("%d samples, %v", len(got), err)
	}
}

func declare(e gatewayv1.AudioEncoding) *gatewayv1.AudioFormat {
	return &gatewayv1.AudioFormat{Encoding: e}
}

// wav returns a WAV file. Its header may be invalid.
func wav(tag, channels uint16, rate uint32, bits uint16, samples string) string {
	return wavChunks(tag, channels, rate, bits, "data", uint32(len(samples)), samples)
}

func wavChunks(tag, channels uint16, rate uint32, bits uint16, id string, length uint32, samples string) string {
	b := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00")
	b = binary.LittleEndian.AppendUint16(b, tag)
	b = binary.LittleEndian.AppendUint16(b, channels)
	b = binary.LittleEndian.AppendUint32(b, rate)
	b = binary.LittleEndian.AppendUint32(b, rate*uint32(channels)*uint32(bits)/8)
	b = binary.LittleEndian.AppendUint16(b, channels*bits/8)
	b = binary.LittleEndian.AppendUint16(b, bits)
	b = binary.LittleEndian.AppendUint32(append(b, id...), length)
	return string(b) + samples
}

// A WAV header may have wrong lengths and unknown chunks.
func TestWAVLengths(t *testing.T) {
	samples := string(audio.EncodePCM16([]float32{0.25, -0.25, 0.5, -0.5}))
	want := []float32{0.25, -0.25, 0.5, -0.5}
	odd := "odd \x03\x00\x00\x00abc\x00" // padded to an even length
	for name, data := range map[string]string{
		"right":          wav(1, 1, 16000, 16, samples),
		"zero":           wavChunks(1, 1, 16000, 16, "data", 0, samples),
		"all ones":       wavChunks(1, 1, 16000, 16, "data", math.MaxUint32, samples),
		"too long":       wavChunks(1, 1, 16000, 16, "data", 1<<30, samples),
		"a chunk after":  wav(1, 1, 16000, 16, samples) + odd,
		"a chunk before": wavChunks(1, 1, 16000, 16, "odd ", 3, "abc\x00data\x08\x00\x00\x00"+samples),
		"RF64": strings.Replace(strings.Replace(wavChunks(1, 1, 16000, 16, "data", math.MaxUint32, samples+odd), "RIFF", "RF64", 1),
			"WAVE", "WAVEds64\x10\x00\x00\x00"+strings.Repeat("\x00", 8)+"\x08"+strings.Repeat("\x00", 7), 1),
		"half a sample more": wavChunks(1, 1, 16000, 16, "data", 9, samples+"\x11"),
		"24 bits in 32":      strings.Replace(wav(1, 1, 16000, 32, wide(want)), " \x00data", "\x18\x00data", 1),
	} {
		if got := decode(t, nil, []byte(data)); !equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if got := decode(t, nil, []byte(wavChunks(1, 1, 16000, 16, "data", 0, ""))); len(got) != 0 {
		t.Errorf("without samples: got %v", got)
	}
}

// wide encodes samples as 32-bit integers.
func wide(samples []float32) string {
	var b []byte
	for _, s := range samples {
		b = binary.LittleEndian.AppendUint32(b, uint32(int32(float64(s)*(1<<31))))
	}
	return string(b)
}

func TestRawPCM(t *testing.T) {
	for name, test := range map[string]struct {
		format *gatewayv1.AudioFormat
		data   []byte
		want   []float32
	}{
		"defaults":       {declare(pcmS16LE), audio.EncodePCM16([]float32{0.5, -0.5}), []float32{0.5, -0.5}},
		"empty":          {declare(pcmS16LE), nil, nil},
		"half a sample":  {declare(pcmS16LE), []byte{0, 0x40, 1}, []float32{0.5}},
		"stereo":         {rawInt(16000, 2), audio.EncodePCM16([]float32{0.5, 0.25, -0.5, 0}), []float32{0.375, -0.25}},
		"eight channels": {rawInt(16000, 8), audio.EncodePCM16([]float32{0.5, 0, 0, 0, 0, 0, 0, -0.25}), []float32{0.03125}},
		"NaN and infinities": {rawFloat(16000), floats([]float32{0.5, float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 0.25}),
			[]float32{0.5, 0, 0, 0, 0.25}},
		"magic by chance": {rawInt(16000, 1), []byte("ID\x03\x00"), []float32{17481.0 / 32768, 3.0 / 32768}},
	} {
		if got := decode(t, test.format, test.data); !equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// MP3 and FLAC may follow one or two ID3 tags, and MP3 may begin inside a frame.
func TestTagsBeforeTheSound(t *testing.T) {
	tag := "ID3\x04\x00\x00\x00\x00\x02\x00" + strings.Repeat("\xff\xfb", 128)
	for _, name := range []string{"mono-16k.mp3", "stereo-44k.flac"} {
		data := string(read(t, name))
		want := decode(t, nil, []byte(data))
		for _, prefix := range []string{tag, tag + tag} {
			if got := decode(t, nil, []byte(prefix+data)); !equal(got, want) {
				t.Errorf("%s after %d bytes of tags: other samples", name, len(prefix))
			}
		}
	}
	joined := decode(t, declare(mp3File), read(t, "mono-16k.mp3")[1000:])
	if len(joined) < 4000 {
		t.Errorf("from inside a frame: %d samples", len(joined))
	}
}
