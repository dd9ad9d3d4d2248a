package audio

import (
	"encoding/binary"
	"io"
	"math"
)

// UnknownLength is the dataBytes of a WAVHeader whose samples are sent while they
// are computed: they extend to the end of the stream.
const UnknownLength = -1

// wavHeaderBytes is the length of the header of a PCM file.
const wavHeaderBytes = 44

// WAVHeader returns the header of a WAV file of 16-bit mono samples at rate
// hertz. dataBytes is the length of the samples in bytes, or UnknownLength. A
// length that does not fit into 32 bits is written as unknown.
func WAVHeader(rate int, dataBytes int64) []byte {
	data, riff := uint32(wavUnknown), uint32(wavUnknown)
	if dataBytes >= 0 && dataBytes <= wavUnknown-wavHeaderBytes {
		data = uint32(dataBytes)
		riff = data + wavHeaderBytes - 8
	}
	h := make([]byte, 0, wavHeaderBytes)
	h = append(h, "RIFF"...)
	h = binary.LittleEndian.AppendUint32(h, riff)
	h = append(h, "WAVEfmt "...)
	h = binary.LittleEndian.AppendUint32(h, 16)
	h = binary.LittleEndian.AppendUint16(h, wavPCM)
	h = binary.LittleEndian.AppendUint16(h, 1)
	h = binary.LittleEndian.AppendUint32(h, uint32(rate))
	h = binary.LittleEndian.AppendUint32(h, uint32(rate)*2) // bytes a second
	h = binary.LittleEndian.AppendUint16(h, 2)              // bytes a frame
	h = binary.LittleEndian.AppendUint16(h, 16)             // bits a sample
	h = append(h, "data"...)
	return binary.LittleEndian.AppendUint32(h, data)
}

// EncodeWAV writes a WAV file of 16-bit little-endian mono samples at rate
// hertz.
func EncodeWAV(w io.Writer, pcm []byte, rate int) error {
	if _, err := w.Write(WAVHeader(rate, int64(len(pcm)))); err != nil {
		return err
	}
	_, err := w.Write(pcm)
	return err
}

// EncodePCM16 returns samples in -1..1 as 16-bit little-endian integers, rounded.
// Samples beyond that range are clipped; NaN becomes 0.
func EncodePCM16(samples []float32) []byte {
	out := make([]byte, 0, 2*len(samples))
	for _, s := range samples {
		v := math.RoundToEven(float64(s) * (1 << 15))
		if v != v {
			v = 0
		}
		v = max(math.MinInt16, min(math.MaxInt16, v))
		out = binary.LittleEndian.AppendUint16(out, uint16(int16(v)))
	}
	return out
}
