// Package audio turns what clients send as speech into what the engines
// compute on: mono samples at 16 kHz in -1..1. It decodes while the bytes
// arrive, tells the format by the bytes where the client does not, and trusts
// no header: sizes that lie cost nothing, and whatever cannot be read is an
// AUDIO_UNREADABLE error that names what was found.
//
// Formats: raw PCM (s16le, f32le), WAV, FLAC, MP3, Ogg/Opus and WebM/Opus. The
// package has no cgo, because the gateway itself uses it (engines/gemini).
//
// docs/audio.md is the guide for clients.
package audio

import (
	"time"

	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// SampleRate is the rate in hertz of all samples that leave this package.
const SampleRate = 16000

// What input may be, by raw PCM's description or by a header.
const (
	minRate     = 8000   // hertz
	maxRate     = 192000 // hertz
	maxChannels = 8
)

// DefaultMaxBytes bounds the encoded input where Limits does not: 1 GiB, nine
// hours of 16 kHz PCM. Input is not kept, so this bounds time, not memory.
const DefaultMaxBytes = 1 << 30

// DefaultClipDuration bounds what ReadAll returns where Limits does not: it
// holds all samples, and a few kilobytes of FLAC can be hours of silence.
const DefaultClipDuration = time.Hour

// Source gives audio bytes; engines.AudioSource is one.
type Source interface {
	// Next returns the next bytes, or io.EOF after the last. The slice is
	// used until the next call.
	Next() ([]byte, error)
}

// Limits bound what one stream may hold or cost. What goes over them is an
// INVALID_REQUEST error, after the samples before it.
type Limits struct {
	// MaxDuration of the decoded audio; 0 is no limit for a Reader, and
	// DefaultClipDuration for ReadAll.
	MaxDuration time.Duration
	// MaxBytes of encoded input; 0 is DefaultMaxBytes.
	MaxBytes int64
}

// Info is what the bytes turned out to be.
type Info struct {
	// Encoding as declared or detected.
	Encoding gatewayv1.AudioEncoding
	// SampleRate in hertz before resampling; for Opus the 48,000 that its
	// decoder works at.
	SampleRate int
	// Channels before they are averaged.
	Channels int
}
