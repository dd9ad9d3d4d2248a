package audio

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/at-wat/ebml-go"

	"github.com/lexilingo/modelgateway/engines/decode"
	"github.com/lexilingo/modelgateway/engines/errs"
)

// Elements of WebM, by id (webmproject.org/docs/container).
const (
	webmHeader         = 0x1a45dfa3
	webmDocType        = 0x4282
	webmSegment        = 0x18538067
	webmTracks         = 0x1654ae6b
	webmTrack          = 0xae
	webmTrackNumber    = 0xd7
	webmCodecID        = 0x86
	webmCodecPrivate   = 0x63a2
	webmCodecDelay     = 0x56aa
	webmCluster        = 0x1f43b675
	webmSimpleBlock    = 0xa3
	webmBlockGroup     = 0xa0
	webmBlock          = 0xa1
	webmDiscardPadding = 0x75a2
)

// webmMaxBody is the maximum length in bytes of a header element.
const webmMaxBody = 64 << 10

// webmTrackEntry is the description of a track.
type webmTrackEntry struct {
	number  uint64
	codec   string
	private []byte
	delay   uint64 // nanoseconds to drop at the start
}

// webmDecoder decodes the first track of Opus or Vorbis of a WebM or Matroska stream.
//
// It ignores the times of clusters: when a recording is paused, the times have a
// gap, but the sound continues without one.
type webmDecoder struct {
	ebml   ebmlReader
	track  uint64
	stream packetStream
	native bool     // the stream is Vorbis
	delay  uint64   // nanoseconds that are left out at the start
	begun  bool     // the delay has become skip
	skip   int      // samples that are left out next
	queue  [][]byte // packets to decode
	// group holds the packets of a BlockGroup until the elements after the block
	// are read: they may say that its end is padding.
	group   [][]byte
	discard uint64 // nanoseconds of padding
	err     error  // of read
}

func newWebM(r *bufio.Reader) (*webmDecoder, error) {
	d := &webmDecoder{ebml: ebmlReader{r: r}}
	tracks, err := d.readTracks()
	if errors.Is(err, io.EOF) {
		return nil, errs.New(errs.AudioUnreadable, "the WebM stream ends before its first audio block: send the complete recording")
	}
	if err != nil {
		return nil, err
	}
	var codecs []string
	for _, t := range tracks {
		if t.codec == "A_OPUS" || t.codec == "A_VORBIS" {
			d.track = t.number
			return d, d.begin(t)
		}
		codecs = append(codecs, t.codec)
	}
	if len(codecs) == 0 {
		return nil, errs.New(errs.AudioUnreadable, "the WebM stream has no track: %s", sendSupported)
	}
	return nil, errs.New(errs.AudioUnreadable, "the WebM stream has no track of Opus or Vorbis, only %s, which is not supported: %s",
		strings.Join(codecs, ", "), sendSupported)
}

// begin makes the decoder of a track.
func (d *webmDecoder) begin(t webmTrackEntry) (err error) {
	d.delay = min(t.delay, 1e9)
	if t.codec == "A_VORBIS" {
		first, setup := splitVorbisPrivate(t.private)
		if first == nil {
			return damaged("header of the Vorbis stream")
		}
		d.native = true
		d.stream, err = newVorbis(first, setup)
		return err
	}
	head, err := parseOpusHead(t.private)
	if err != nil {
		return err
	}
	if d.delay == 0 {
		d.begun, d.skip = true, head.preSkip
	}
	d.stream, err = newOpusStream(head)
	return err
}

func (d *webmDecoder) info() Info {
	return Info{Encoding: webmOpus, SampleRate: d.stream.sampleRate(), Channels: d.stream.channels()}
}

// close implements nativeDecoder.
func (d *webmDecoder) close() { d.stream.close() }

// programs implements nativeDecoder.
func (d *webmDecoder) programs() int {
	if d.native {
		return 1
	}
	return 0
}

// readTracks reads the stream up to the first cluster and returns its tracks.
func (d *webmDecoder) readTracks() ([]webmTrackEntry, error) {
	var tracks []webmTrackEntry
	for {
		el, err := d.ebml.next()
		if err != nil {
			return nil, err
		}
		switch el.id {
		case webmHeader, webmSegment, webmTracks:
		case webmCluster:
			return tracks, nil
		case webmTrack:
			if len(tracks) == 16 {
				return nil, errs.New(errs.AudioUnreadable, "the WebM stream has more than 16 tracks: send only the audio track")
			}
			tracks = append(tracks, webmTrackEntry{})
		default:
			t := &webmTrackEntry{} // discarded: the element is outside any track
			if len(tracks) > 0 {
				t = &tracks[len(tracks)-1]
			}
			if err := d.describe(t, el); err != nil {
				return nil, err
			}
		}
	}
}

// describe reads an element of a track into t, or skips it.
func (d *webmDecoder) describe(t *webmTrackEntry, el ebmlElement) (err error) {
	switch el.id {
	case webmTrackNumber:
		t.number, err = d.ebml.uint(el)
	case webmCodecDelay:
		t.delay, err = d.ebml.uint(el)
	case webmCodecPrivate:
		t.private, err = d.ebml.body(el, webmMaxBody)
	case webmCodecID:
		var b []byte
		b, err = d.ebml.body(el, 64)
		t.codec = printable(b)
	case webmDocType:
		var b []byte
		if b, err = d.ebml.body(el, 64); err == nil && string(b) != "webm" && string(b) != "matroska" {
			err = errs.New(errs.AudioUnreadable, "the audio is EBML of type %q, not WebM: %s", printable(b), sendSupported)
		}
	default:
		err = d.ebml.skip(el)
	}
	return err
}

// printable returns the printable ASCII characters of b, for error messages.
func printable(b []byte) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return -1
		}
		return c
	}, string(b))
}

// next implements decoder.
func (d *webmDecoder) next() ([]float32, error) {
	for len(d.queue) == 0 {
		if err := d.read(); err != nil {
			end := errors.Is(err, io.EOF) || errors.Is(err, errNextFile)
			if !end || len(d.group) == 0 {
				return nil, d.end(err)
			}
			d.queueGroup()
		}
	}
	packets := d.queue[:1]
	if d.native { // each call of the program costs time
		for len(d.group) == 0 && d.discard == 0 && len(d.queue) < decode.MaxPackets && d.ebml.buffered() && d.read() == nil {
		}
		packets = d.queue
	}
	d.queue = d.queue[len(packets):]
	samples, err := d.stream.decode(packets)
	if err != nil {
		return nil, err
	}
	rate := d.stream.sampleRate()
	if len(d.queue) == 0 && d.discard > 0 {
		samples = samples[:max(0, len(samples)-int(d.discard*uint64(rate)/1e9))] //nolint:gosec // at most a second
		d.discard = 0
	}
	if !d.begun && rate > 0 {
		d.begun, d.skip = true, int(d.delay*uint64(rate)/1e9) //nolint:gosec // at most a second
	}
	skip := min(d.skip, len(samples))
	d.skip -= skip
	return samples[skip:], nil
}

// end returns the error at the end of the input.
func (d *webmDecoder) end(err error) error {
	if isEnd(err) && d.stream.sampleRate() == 0 {
		return errs.New(errs.AudioUnreadable, "the WebM stream has no sound that can be decoded: send an undamaged file")
	}
	return err
}

// read reads one element. Its error comes again.
func (d *webmDecoder) read() error {
	if d.err == nil {
		d.err = d.advance()
	}
	return d.err
}

// advance reads one element.
func (d *webmDecoder) advance() error {
	if found, err := nextFile(d.ebml.r); err != nil {
		return err
	} else if found {
		return errNextFile
	}
	el, err := d.ebml.next()
	if err != nil {
		return err
	}
	if len(d.group) > 0 && el.id == webmDiscardPadding {
		nanoseconds, err := d.ebml.uint(el)
		d.discard = min(nanoseconds, 1e9)
		return err
	}
	if el.id == webmCluster || el.id == webmBlockGroup || el.id == webmSimpleBlock || el.id == webmBlock {
		d.queueGroup()
	}
	switch el.id {
	case webmHeader, webmSegment, webmCluster, webmBlockGroup:
		return nil
	case webmSimpleBlock, webmBlock:
		return d.block(el)
	default:
		return d.ebml.skip(el)
	}
}

// queueGroup moves the packets of the last BlockGroup to the queue.
func (d *webmDecoder) queueGroup() {
	d.queue, d.group = append(d.queue, d.group...), nil
}

// block reads the packets of a block. A block that is too large for Opus belongs
// to another track and is skipped.
func (d *webmDecoder) block(el ebmlElement) error {
	if el.size != ebmlUnknown && el.size > opusMaxBytes {
		return d.ebml.skip(el)
	}
	b, err := d.ebml.body(el, opusMaxBytes)
	if err != nil {
		return err
	}
	block, err := ebml.UnmarshalBlock(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return damaged("WebM stream").WithCause(err)
	}
	switch {
	case block.TrackNumber != d.track:
	case el.id == webmBlock:
		d.group = block.Data
	default:
		d.queue = append(d.queue, block.Data...)
	}
	return nil
}
