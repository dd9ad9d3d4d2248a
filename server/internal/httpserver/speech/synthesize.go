package speech

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lexilingo/modelgateway/engines/audio"
	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/reply"
	"github.com/lexilingo/modelgateway/server/internal/httpserver/rest"
	"github.com/lexilingo/modelgateway/server/internal/inflight"
	"github.com/lexilingo/modelgateway/server/internal/peers"
)

const (
	// maxWholeBytes bounds a WAV that is answered with its length: about three
	// minutes at 22.05 kHz. A longer one is sent while it is made.
	maxWholeBytes = 8 << 20
	// unsentBytes bounds all WAVs that wait to be whole. Beyond it, they are sent
	// while they are made.
	unsentBytes = 64 << 20
	// writeBytes is how much a client must read within the write timeout.
	writeBytes = 64 << 10
)

// The media types of audio in answers.
const (
	wavType  = "audio/wav"
	xWAVType = "audio/x-wav"
	pcmType  = "audio/pcm"
	l16Type  = "audio/l16"
	mp3Type  = "audio/mpeg"
	oggType  = "audio/ogg"
	flacType = "audio/flac"
)

// encodings are the encodings of the media types that encode-speech makes.
var encodings = map[string]gatewayv1.AudioEncoding{
	mp3Type:  gatewayv1.AudioEncoding_AUDIO_ENCODING_MP3,
	oggType:  gatewayv1.AudioEncoding_AUDIO_ENCODING_OGG_OPUS,
	flacType: gatewayv1.AudioEncoding_AUDIO_ENCODING_FLAC,
}

// speechTypes are the media types of answers with speech. The first is the default.
var speechTypes = []string{wavType, xWAVType, pcmType, l16Type, mp3Type, oggType, flacType, reply.JSON, rest.JSONLines, rest.EventStream}

// uncompressed returns the media types that need no encode-speech.
func uncompressed() []string {
	return slices.DeleteFunc(slices.Clone(speechTypes), func(media string) bool { return encodings[media] != 0 })
}

// Synthesize serves POST of SynthesizePath.
func (h *Handlers) Synthesize(w http.ResponseWriter, r *http.Request) {
	offers := speechTypes
	if !h.encodes() {
		offers = uncompressed()
	}
	media := reply.Negotiate(r, offers...)
	if media == "" {
		media = reply.Negotiate(r, speechTypes...) // the error of the RPC says what is missing
	}
	switch media {
	case "":
		reply.NotAcceptable(w, r, speechTypes...)
		return
	case reply.JSON, rest.JSONLines, rest.EventStream:
		r.Header.Set("Accept", media)
		h.api.ServeHTTP(w, r)
		return
	}
	req := &gatewayv1.SynthesizeRequest{}
	if err := h.api.Decode(r.Body, req); err != nil {
		reply.Error(w, err)
		return
	}
	if err := h.Speak(w, r, req, media); err != nil {
		reply.Error(w, err)
	}
}

// Speak answers with speech of a media type, or of that of the encoding that req asks
// for. It returns an error if the answer has not begun.
func (h *Handlers) Speak(w http.ResponseWriter, r *http.Request, req *gatewayv1.SynthesizeRequest, media string) error {
	if req.GetAlignWords() {
		return errs.New(errs.InvalidRequest, "an answer that is only audio has no place for words: ask for Accept: %s, or leave align_words out", rest.JSONLines).
			With("field", "align_words")
	}
	ctx, err := h.api.CallContext(r, gatewayv1.ModelGatewayService_Synthesize_FullMethodName)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	media = setEncoding(req, media)
	stream, err := h.client.Synthesize(ctx, req)
	if err != nil {
		return err
	}
	answer := &audioAnswer{
		w: w, control: http.NewResponseController(w), writeTimeout: h.writeTimeout,
		media: media, reservation: h.unsent.Reserve(inflight.Options{Caller: peers.Caller(r.Context())}),
	}
	defer answer.close()
	err = answer.send(stream)
	if err != nil && answer.begun {
		panic(http.ErrAbortHandler) // after a clean end, the client would take the part for the whole
	}
	return err
}

// setEncoding makes the encoding of a request and the media type of its answer agree. A
// WAV is made here: it states its length if it is short.
func setEncoding(req *gatewayv1.SynthesizeRequest, media string) string {
	asked := req.GetOutput().GetEncoding()
	for m, encoding := range encodings {
		if encoding == asked {
			return m
		}
	}
	if encoding := encodings[media]; encoding != 0 && asked == 0 {
		if req.Output == nil {
			req.Output = &gatewayv1.SpeechOutput{}
		}
		req.Output.Encoding = encoding
		return media
	}
	switch asked {
	case gatewayv1.AudioEncoding_AUDIO_ENCODING_WAV:
		req.Output.Encoding = gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE
		return wavType
	case gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE:
		if media != l16Type {
			return pcmType
		}
	}
	return media
}

// audioAnswer writes speech as the body of an answer.
type audioAnswer struct {
	w            http.ResponseWriter
	control      *http.ResponseController
	writeTimeout time.Duration
	media        string

	rate        int // in Hz
	begun       bool
	whole       []byte // of a WAV that may be answered with its length
	reservation *inflight.Reservation
}

func (a *audioAnswer) isWAV() bool { return a.media == wavType || a.media == xWAVType }

// send writes a stream's audio until its end.
func (a *audioAnswer) send(stream gatewayv1.ModelGatewayService_SynthesizeClient) error {
	piece, err := stream.Recv()
	if err != nil {
		return err
	}
	a.rate = int(piece.GetSampleRateHertz())
	if a.rate <= 0 {
		return errs.New(errs.Internal, "the engine did not state its sample rate")
	}
	a.w.Header().Set("Content-Type", a.contentType())
	var served *gatewayv1.ServedBy
	for ; err == nil; piece, err = stream.Recv() {
		served = piece.GetServedBy()
		if err := a.add(piece.GetAudio()); err != nil {
			return err
		}
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	return a.finish(served)
}

// contentType is the media type with what a client must know of raw samples.
func (a *audioAnswer) contentType() string {
	switch a.media {
	case wavType, xWAVType, mp3Type, flacType:
		return a.media
	case oggType:
		return "audio/ogg; codecs=opus"
	case l16Type:
		return fmt.Sprintf("audio/L16;rate=%d;channels=1;endianness=little-endian", a.rate)
	}
	return fmt.Sprintf("%s;rate=%d;channels=1;encoding=s16le", a.media, a.rate)
}

// add writes the next samples, or keeps them while the WAV may be sent whole.
func (a *audioAnswer) add(pcm []byte) error {
	if a.isWAV() && !a.begun {
		size := int64(len(a.whole) + len(pcm))
		if size <= maxWholeBytes && a.reservation.Grow(size) {
			a.whole = append(a.whole, pcm...)
			return nil
		}
	}
	if !a.begun {
		if err := a.begin(); err != nil {
			return err
		}
	}
	if err := a.write(pcm); err != nil {
		return err
	}
	return a.control.Flush()
}

// begin starts an answer that is sent while the speech is made. Its trailers say
// who answered, which is known at the end only.
func (a *audioAnswer) begin() error {
	a.begun = true
	reply.Unbuffered(a.w.Header())
	a.w.Header().Set("Trailer", strings.Join(ServedByHeaders(), ", "))
	if !a.isWAV() {
		return nil
	}
	if err := a.writeWhole(audio.WAVHeader(a.rate, audio.UnknownLength)); err != nil {
		return err
	}
	a.whole = nil
	a.reservation.Release()
	return nil
}

// finish sends a WAV that is whole, and says who answered.
func (a *audioAnswer) finish(served *gatewayv1.ServedBy) error {
	SetServedBy(a.w.Header(), served)
	if a.begun || !a.isWAV() {
		return nil
	}
	header := audio.WAVHeader(a.rate, int64(len(a.whole)))
	a.w.Header().Set("Content-Length", strconv.Itoa(len(header)+len(a.whole)))
	a.begun = true
	return a.writeWhole(header)
}

// writeWhole writes the header of a WAV and the samples that waited.
func (a *audioAnswer) writeWhole(header []byte) error {
	if err := a.write(header); err != nil {
		return err
	}
	return a.write(a.whole)
}

// write sends data in pieces, each within the write timeout.
func (a *audioAnswer) write(data []byte) error {
	for piece := range slices.Chunk(data, writeBytes) {
		if a.writeTimeout > 0 {
			// An error means a connection without deadlines, which no listener of
			// ours accepts.
			_ = a.control.SetWriteDeadline(time.Now().Add(a.writeTimeout))
		}
		if _, err := a.w.Write(piece); err != nil {
			return err
		}
	}
	a.endDeadline() // over HTTP/2 it would end the stream between two sentences
	return nil
}

// close releases the memory, and lets the next request use the connection.
func (a *audioAnswer) close() {
	a.reservation.Release()
	a.endDeadline()
}

func (a *audioAnswer) endDeadline() {
	if a.writeTimeout > 0 {
		_ = a.control.SetWriteDeadline(time.Time{})
	}
}
