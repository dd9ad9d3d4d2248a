package httpserver

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
)

const (
	// wholeSound bounds a sound that is answered with its length, in bytes: about
	// three minutes at 22.05 kHz. Longer ones leave while they are made.
	wholeSound = 8 << 20
	// allSounds bounds all that wait to be whole, in bytes. Beyond it sounds leave
	// while they are made.
	allSounds = 64 << 20
	// soundPiece is what a caller may take its patience to read, in bytes.
	soundPiece = 64 << 10
)

// The media types of sound.
const (
	mediaWAV  = "audio/wav"
	mediaXWAV = "audio/x-wav"
	mediaPCM  = "audio/pcm"
	mediaL16  = "audio/l16"
)

// synthesize serves /v1/synthesize.
func (s *speech) synthesize(w http.ResponseWriter, r *http.Request) {
	media := accepted(r, mediaWAV, mediaXWAV, mediaPCM, mediaL16, mediaJSON, mediaLines, eventStream)
	switch media {
	case mediaJSON, mediaLines, eventStream:
		r.Header.Set("Accept", media)
		s.json.ServeHTTP(w, r)
		return
	}
	req := &gatewayv1.SynthesizeRequest{}
	if err := s.decode(r, req); err != nil {
		fail(w, r, err)
		return
	}
	ctx, err := s.call(r, "Synthesize")
	if err != nil {
		fail(w, r, err)
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := s.client.Synthesize(ctx, req)
	if err != nil {
		fail(w, r, err)
		return
	}
	answer := &soundAnswer{w: w, control: http.NewResponseController(w), patience: s.patience, held: reservation{all: s.sounds}}
	defer answer.close()
	if err := answer.relay(stream, media); err != nil {
		if answer.begun {
			panic(http.ErrAbortHandler) // a clean end would pass for the whole sound
		}
		fail(w, r, err)
	}
}

// soundAnswer writes speech as the body of an answer.
type soundAnswer struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration

	begun bool
	whole []byte // of a WAV that may be answered with its length
	held  reservation
}

// relay writes a stream's sound to its end.
func (a *soundAnswer) relay(stream gatewayv1.ModelGatewayService_SynthesizeClient, media string) error {
	piece, err := stream.Recv()
	if err != nil {
		return err
	}
	rate := piece.GetSampleRateHertz()
	if rate <= 0 {
		return errs.New(errs.Internal, "the engine did not tell its sample rate")
	}
	wav := media == mediaWAV || media == mediaXWAV
	if wav {
		a.w.Header().Set("Content-Type", media)
	} else {
		a.w.Header().Set("Content-Type", pcmType(media, rate))
	}
	var served *gatewayv1.ServedBy
	for ; err == nil; piece, err = stream.Recv() {
		served = piece.GetServedBy()
		if err := a.add(piece.GetAudio(), wav, rate); err != nil {
			return err
		}
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	return a.finish(served, wav, rate)
}

// pcmType describes raw samples.
func pcmType(media string, rate int32) string {
	if media == mediaL16 {
		return fmt.Sprintf("audio/L16;rate=%d;channels=1;endianness=little-endian", rate)
	}
	return fmt.Sprintf("%s;rate=%d;channels=1;encoding=s16le", media, rate)
}

// add takes the next samples: a WAV is kept while it may be whole.
func (a *soundAnswer) add(pcm []byte, wav bool, rate int32) error {
	if wav && !a.begun {
		size := int64(len(a.whole) + len(pcm))
		if size <= wholeSound && a.held.grow(size) {
			a.whole = append(a.whole, pcm...)
			return nil
		}
	}
	if !a.begun {
		a.begin()
		if wav {
			if err := a.write(append(audio.WAVHeader(int(rate), audio.UnknownLength), a.whole...)); err != nil {
				return err
			}
			a.whole = nil
			a.held.release()
		}
	}
	if err := a.write(pcm); err != nil {
		return err
	}
	return a.control.Flush()
}

// begin announces who answers: in trailers, as only the end tells it.
func (a *soundAnswer) begin() {
	a.begun = true
	a.w.Header().Set("Trailer", strings.Join([]string{headerModel, headerEngine, headerFallback, headerTiming}, ", "))
}

// finish writes what is left.
func (a *soundAnswer) finish(served *gatewayv1.ServedBy, wav bool, rate int32) error {
	tellServedBy(a.w.Header(), served)
	if a.begun || !wav {
		return nil
	}
	header := audio.WAVHeader(int(rate), int64(len(a.whole)))
	a.w.Header().Set("Content-Length", strconv.Itoa(len(header)+len(a.whole)))
	a.begun = true
	if err := a.write(header); err != nil {
		return err
	}
	return a.write(a.whole)
}

// write sends bytes; each piece has to be read in time.
func (a *soundAnswer) write(data []byte) error {
	for piece := range slices.Chunk(data, soundPiece) {
		if a.patience > 0 {
			// Connections that know no deadlines are not our listeners'.
			_ = a.control.SetWriteDeadline(time.Now().Add(a.patience))
		}
		if _, err := a.w.Write(piece); err != nil {
			return err
		}
	}
	return nil
}

// close gives back what is held, and the connection for the next request.
func (a *soundAnswer) close() {
	a.held.release()
	if a.patience > 0 {
		_ = a.control.SetWriteDeadline(time.Time{})
	}
}
