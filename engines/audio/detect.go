package audio

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/lexilingo/modelgateway/engines/errs"
	gatewayv1 "github.com/lexilingo/modelgateway/gen/go/modelgateway/v1"
)

// The encodings, without the generated prefix.
const (
	unspecified = gatewayv1.AudioEncoding_AUDIO_ENCODING_UNSPECIFIED
	pcmS16LE    = gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_S16LE
	pcmF32LE    = gatewayv1.AudioEncoding_AUDIO_ENCODING_PCM_F32LE
	wavFile     = gatewayv1.AudioEncoding_AUDIO_ENCODING_WAV
	flacFile    = gatewayv1.AudioEncoding_AUDIO_ENCODING_FLAC
	mp3File     = gatewayv1.AudioEncoding_AUDIO_ENCODING_MP3
	oggOpus     = gatewayv1.AudioEncoding_AUDIO_ENCODING_OGG_OPUS
	webmOpus    = gatewayv1.AudioEncoding_AUDIO_ENCODING_WEBM_OPUS
	mp4File     = gatewayv1.AudioEncoding_AUDIO_ENCODING_MP4
	amrFile     = gatewayv1.AudioEncoding_AUDIO_ENCODING_AMR
	aacFile     = gatewayv1.AudioEncoding_AUDIO_ENCODING_AAC
)

// sniffBytes is how many bytes are needed to detect a format: less than a
// millisecond of sound, so that detection does not delay a live stream.
const sniffBytes = 12

// found is the result of format detection.
type found struct {
	encoding gatewayv1.AudioEncoding // unspecified if it is not supported
	name     string                  // for error messages; empty if nothing was recognised
	weak     bool                    // PCM samples can begin with the same bytes by chance
}

// sniff detects a format by its first bytes.
func sniff(b []byte) found {
	has := func(offset int, magic string) bool {
		return len(b) >= offset+len(magic) && string(b[offset:offset+len(magic)]) == magic
	}
	switch {
	case (has(0, "RIFF") || has(0, "RF64") || has(0, "BW64")) && has(8, "WAVE"):
		return found{encoding: wavFile, name: "WAV"}
	case has(0, "fLaC"):
		return found{encoding: flacFile, name: "FLAC"}
	case has(0, "OggS"):
		return found{encoding: oggOpus, name: "Ogg"}
	case has(0, "\x1a\x45\xdf\xa3"):
		return found{encoding: webmOpus, name: "WebM"}
	case has(0, "ID3"):
		return found{encoding: mp3File, name: "MP3", weak: true}
	case has(4, "ftyp"):
		return found{encoding: mp4File, name: "MP4"}
	case has(0, "FORM") && (has(8, "AIFF") || has(8, "AIFC")):
		return found{name: "AIFF"}
	case has(0, "#!AMR"):
		return found{encoding: amrFile, name: "AMR"}
	case has(0, "caff"):
		return found{name: "CAF"}
	case has(0, "RIFX"):
		return found{name: "big-endian WAV (RIFX)"}
	case has(0, "RIFF") && len(b) >= 12:
		return found{name: "a RIFF file that is not WAVE"}
	case has(0, "riff\x2e\x91\xcf\x11"):
		return found{name: "Wave64"}
	case has(0, "FLV\x01"):
		return found{name: "Flash video (FLV)"}
	case has(0, ".snd"):
		return found{name: "Sun audio (AU)"}
	case has(0, "\x30\x26\xb2\x75\x8e\x66\xcf\x11"):
		return found{name: "Windows Media (ASF)"}
	}
	return sniffWeak(b)
}

// sniffWeak detects formats that only two bytes identify, and text.
func sniffWeak(b []byte) found {
	if len(b) >= 2 && b[0] == 0xff && b[1]&0xe0 == 0xe0 && b[1]&0x18 != 0x08 {
		switch b[1] & 0x06 { // the layer
		case 0x02:
			return found{encoding: mp3File, name: "MP3", weak: true}
		case 0x00:
			return found{encoding: aacFile, name: "AAC (ADTS)", weak: true}
		default:
			return found{name: "MPEG audio layer I or II", weak: true}
		}
	}
	text := bytes.TrimLeft(b, " \t\r\n\xef\xbb\xbf")
	switch {
	case len(text) == 0:
	case text[0] == '{' || text[0] == '[':
		return found{name: "JSON", weak: true}
	case text[0] == '<':
		return found{name: "HTML or XML", weak: true}
	default:
		if isText(b) {
			return found{name: "text", weak: true}
		}
	}
	return found{}
}

func isText(b []byte) bool {
	for _, c := range b {
		if (c < ' ' || c > '~') && c != '\n' && c != '\r' && c != '\t' {
			return false
		}
	}
	return len(b) > 0
}

// sendSupported is the remedy in errors about unsupported formats.
const sendSupported = "send WAV, FLAC, MP3, AAC, AMR, MP4, Ogg or WebM with Opus or Vorbis, or raw PCM with its encoding and sample rate declared"

// unsupported returns the error for a format that was recognised but cannot be
// decoded.
func unsupported(format string) *errs.Error {
	return errs.New(errs.AudioUnreadable, "the audio is %s, which is not supported: %s", format, sendSupported)
}

// damaged returns the error for something that cannot be decoded.
func damaged(what string) *errs.Error {
	return errs.New(errs.AudioUnreadable, "the %s is damaged: send an undamaged file", what)
}

// name returns the name of an encoding for error messages.
func name(e gatewayv1.AudioEncoding) string {
	switch e {
	case pcmS16LE, pcmF32LE:
		return "raw PCM"
	case wavFile:
		return "WAV"
	case flacFile:
		return "FLAC"
	case mp3File:
		return "MP3"
	case oggOpus:
		return "Ogg"
	case webmOpus:
		return "WebM"
	case mp4File:
		return "MP4"
	case amrFile:
		return "AMR"
	case aacFile:
		return "AAC (ADTS)"
	default:
		return "an unknown encoding"
	}
}

// open returns the decoder for the declared format, or for the detected one if
// none is declared.
func open(format *gatewayv1.AudioFormat, r *bufio.Reader) (decoder, error) {
	declared := format.GetEncoding()
	raw := declared == pcmS16LE || declared == pcmF32LE
	b, err := peekFormat(r, raw)
	if err != nil {
		return nil, err
	}
	if len(b) == 0 && !raw {
		return nil, errs.New(errs.AudioUnreadable, "the audio is empty: no bytes were received")
	}
	f := sniff(b)
	switch {
	case raw && (f.name == "" || f.weak):
		return newRawPCM(format, r)
	case raw:
		return nil, errs.New(errs.AudioUnreadable, "the audio is declared as raw PCM but is %s: leave the encoding unset to detect it", f.name)
	case declared == mp3File && f.name == "":
		return newMP3(r) // MP3 may begin within a frame
	case f.name == "":
		if declared != unspecified {
			return nil, errs.New(errs.AudioUnreadable, "the audio is declared as %s but does not begin like %s: leave the encoding unset to detect it", name(declared), name(declared))
		}
		return nil, errs.New(errs.AudioUnreadable, "the audio format is not recognised: %s", sendSupported)
	case f.encoding == unspecified:
		return nil, unsupported(f.name)
	case declared != unspecified && declared != f.encoding:
		return nil, errs.New(errs.AudioUnreadable, "the audio is declared as %s but is %s: correct the encoding, or leave it unset to detect it", name(declared), f.name)
	}
	return openFile(f.encoding, r)
}

// peekFormat returns the bytes that identify the format. It skips ID3v2 tags
// before them, whatever their size, unless the audio is raw.
func peekFormat(r *bufio.Reader, raw bool) ([]byte, error) {
	for {
		b, err := r.Peek(sniffBytes)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if raw || len(b) < 10 || string(b[:3]) != "ID3" {
			return b, nil
		}
		if _, err := io.CopyN(io.Discard, r, id3Size(b)); err != nil {
			if errors.Is(err, io.EOF) {
				return nil, errs.New(errs.AudioUnreadable, "the audio ends inside its ID3 tag: send the complete file")
			}
			return nil, err
		}
	}
}

// id3Size returns the length of an ID3v2 tag from its header b: a size of four
// times seven bits, plus ten bytes each for the header and an optional footer.
func id3Size(b []byte) int64 {
	size := int64(10)
	if b[5]&0x10 != 0 {
		size += 10
	}
	return size + int64(b[6]&0x7f)<<21 + int64(b[7]&0x7f)<<14 + int64(b[8]&0x7f)<<7 + int64(b[9]&0x7f)
}

// openFile returns the decoder of a format that has a header.
func openFile(encoding gatewayv1.AudioEncoding, r *bufio.Reader) (decoder, error) {
	switch encoding {
	case wavFile:
		return newWAV(r)
	case flacFile:
		return newFLAC(r)
	case mp3File:
		return newMP3(r)
	case oggOpus:
		return newOgg(r)
	case mp4File:
		return newMP4(r)
	case amrFile:
		return newAMR(r)
	case aacFile:
		return newADTS(r)
	default:
		return newWebM(r)
	}
}
