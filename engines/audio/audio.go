// Package audio decodes the speech that clients send to mono samples at 16 kHz
// in -1..1, the input of all engines. It decodes while the bytes arrive and
// detects the format if the client does not declare it. It does not trust
// headers: a wrong size in a header allocates nothing. Audio that cannot be read
// is an AUDIO_UNREADABLE error that names the detected format.
//
// Formats: raw PCM (s16le, f32le), WAV, FLAC, MP3, Ogg and WebM with Opus or Vorbis, MP4
// with AAC or AMR, AAC in ADTS, and AMR. The package must not use cgo, because the server
// itself imports it (through engines/gemini): the program decode-speech decodes AAC, AMR
// and Vorbis.
//
// docs/audio.md is the guide for clients.
package audio

import (
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// SampleRate is the rate in hertz of all samples that this package returns.
const SampleRate = 16000

// Limits of the input, as declared for raw PCM or read from a header.
const (
	minRate     = 8000   // hertz
	maxRate     = 192000 // hertz
	maxChannels = 8
	// Of files one after the other: each needs a decoder, and each rate a table of
	// the resampler.
	maxFiles = 1000
	// Of those, files that a program of their own decodes.
	maxNativeFiles = 20
	maxRates       = 6
)

// DefaultMaxBytes is the limit of the encoded input if Limits sets none: 1 GiB,
// nine hours of 16 kHz PCM. The input is not kept, so this bounds time, not
// memory.
const DefaultMaxBytes = 1 << 30

// DefaultClipDuration is the limit of ReadAll if Limits sets none. ReadAll keeps
// all samples, and a few kilobytes of FLAC can decode to hours of silence.
const DefaultClipDuration = time.Hour

// Sound must have cost bytes: a megabyte of FLAC can decode to days of silence,
// and an engine would work on all of it. Silence of minutes is normal in a
// recording, so a stream may have freeDuration in any case. In the long run it
// needs bytesPerSecond. PCM, WAV and MP3 cannot have less than 1,000, speech in
// Opus has 700 or more, and FLAC of digital silence at 44.1 kHz has 150.
const (
	bytesPerSecond = 128
	freeDuration   = 5 * time.Minute
)

// Source returns audio bytes; engines.AudioSource implements it.
type Source interface {
	// Next returns the next bytes, or io.EOF after the last. The caller uses the
	// slice until its next call.
	Next() ([]byte, error)
}

// Limits bound one stream. Exceeding one is an INVALID_REQUEST error, returned
// after the samples within the limit. The same error ends a stream whose bytes
// hold far more sound than speech can.
type Limits struct {
	// MaxDuration of the decoded audio; 0 is no limit for a Reader, and
	// DefaultClipDuration for ReadAll.
	MaxDuration time.Duration
	// MaxBytes of encoded input; 0 is DefaultMaxBytes.
	MaxBytes int64
}

// Info describes the input of a Reader.
type Info struct {
	// Encoding is the declared or detected encoding.
	Encoding gatewayv1.AudioEncoding
	// SampleRate is the rate in hertz before resampling; 48,000 for Opus, the
	// rate of its decoder.
	SampleRate int
	// Channels is the number of channels before they are averaged.
	Channels int
}
