package audio

import (
	"github.com/lexilingo/modelgateway/engines/decode"
	"github.com/lexilingo/modelgateway/engines/errs"
)

// mp4Track is the first track with sound.
type mp4Track struct {
	id          uint32
	codec       string // of package decode
	what        string // the format, for messages
	description []byte // of the stream, for the codec
	timescale   uint32 // units in a second
	skip        int64  // units at the beginning that are the encoder's delay
	length      int64  // units of sound after that; 0 if it is not known
	defaultSize uint32 // of samples in fragments
	table       mp4Table
}

// mp4Names are the names of formats in MP4 that cannot be decoded.
var mp4Names = map[string]string{
	"alac": "Apple Lossless in MP4", "Opus": "Opus in MP4", "fLaC": "FLAC in MP4", "ac-3": "AC-3 in MP4", "ec-3": "E-AC-3 in MP4",
	"enca": "encrypted MP4", ".mp3": "MP3 in QuickTime", "lpcm": "PCM in QuickTime", "sowt": "PCM in QuickTime", "twos": "PCM in QuickTime",
}

// mp4FindTrack returns the first track of a moov box that can be decoded.
func mp4FindTrack(moov mp4Bytes) (*mp4Track, error) {
	movie := moov.find("mvhd").afterDates()
	var track *mp4Track
	other, sound := "", false
	moov.each(func(name string, trak mp4Bytes) bool {
		media := trak.find("mdia")
		if handler := media.find("hdlr"); name != "trak" || len(handler) < 12 || string(handler[8:12]) != "soun" {
			return true
		}
		sound = true
		t := &mp4Track{id: trak.find("tkhd").afterDates(), timescale: media.find("mdhd").afterDates()}
		stbl := media.find("minf", "stbl")
		if format := t.describe(stbl.find("stsd")); format != "" {
			other = format
			return true
		}
		t.edit(trak.find("edts", "elst"), movie)
		t.table = newMP4Table(stbl)
		moov.find("mvex").each(func(name string, trex mp4Bytes) bool {
			if name == "trex" && trex.u32(4) == t.id {
				t.defaultSize = trex.u32(16)
			}
			return true
		})
		track = t
		return false
	})
	switch {
	case track != nil:
		return track, nil
	case other != "":
		return nil, unsupported(other)
	case sound:
		return nil, damaged("MP4 file")
	}
	return nil, errs.New(errs.AudioUnreadable, "the MP4 file has no track with sound: %s", sendSupported)
}

// describe reads the first sample description. It returns the name of a format that
// cannot be decoded.
func (t *mp4Track) describe(stsd mp4Bytes) string {
	const header, reserved = 8, 28 // of the list; of a description, before its boxes
	format := "MP4 with unknown sound"
	stsd.from(header).each(func(name string, entry mp4Bytes) bool {
		boxes := entry.from(reserved)
		switch entry.u16(8) { // QuickTime's version
		case 1:
			boxes = entry.from(reserved + 16)
		case 2:
			boxes = entry.from(reserved + 36)
		}
		switch name {
		case "samr":
			t.codec, t.what, format = decode.AMRNB, "AMR", ""
		case "sawb":
			t.codec, t.what, format = decode.AMRWB, "AMR", ""
		case "mp4a":
			esds := boxes.find("esds")
			if esds == nil {
				esds = boxes.find("wave", "esds")
			}
			format = t.describeAAC(esds)
		default:
			if named, ok := mp4Names[name]; ok {
				format = named
			}
		}
		return false
	})
	return format
}

// describeAAC reads the descriptors of a stream (ISO 14496-1).
func (t *mp4Track) describeAAC(esds mp4Bytes) string {
	const stream, decoder, specific = 3, 4, 5
	es := esds.from(4).descriptor(stream)
	optional, at := es.u8(2), 3
	if optional&0x80 != 0 {
		at += 2
	}
	if optional&0x40 != 0 {
		at += 1 + es.u8(at)
	}
	if optional&0x20 != 0 {
		at += 2
	}
	config := es.from(at).descriptor(decoder)
	switch kind := config.u8(0); {
	case kind == 0x69 || kind == 0x6b:
		return "MP3 in MP4"
	case kind != 0x40 && (kind < 0x66 || kind > 0x68):
		return "MP4 with sound that is not AAC"
	}
	t.codec, t.what = decode.AAC, "AAC"
	t.description = config.from(13).descriptor(specific)
	if len(t.description) == 0 || len(t.description) > decode.MaxPacket {
		return "MP4 without the description of its AAC"
	}
	return ""
}

// edit reads which part of the track is heard: players skip the delay of the encoder. The
// length of fragments is not in the list of the movie.
func (t *mp4Track) edit(elst mp4Bytes, movie uint32) {
	size := 12
	if elst.u8(0) == 1 {
		size = 20
	}
	entries, edits := elst.from(8), 0
	for i := range min(int(elst.u32(4)), len(entries)/size) { //nolint:gosec // bounded by what is there
		entry := entries.from(i * size)
		length, start := int64(entry.u32(0)), int64(int32(entry.u32(4))) //nolint:gosec // as the file format defines
		if size == 20 {
			length, start = int64(entry.u64(0)), int64(entry.u64(8)) //nolint:gosec // checked below
		}
		if start < 0 || length < 0 || start > 1<<40 || length > 1<<40 {
			continue // silence before the sound, or nonsense
		}
		if edits++; edits == 1 {
			t.skip = start
			if movie > 0 {
				t.length = int64(float64(length) / float64(movie) * float64(t.timescale))
			}
		}
	}
	if edits != 1 {
		t.length = 0
	}
}
