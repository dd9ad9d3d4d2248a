package main

import (
	"encoding/binary"
	"strings"
	"time"
)

// FLAC of 16 kHz mono with 65,536 samples a frame, as a hostile client makes it: a
// frame of silence has 14 bytes and takes 4 seconds.
const (
	flacHeader = "fLaC\x80\x00\x00\x22\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x03\xe8\x00\xf0\x00\x00\x00\x00" +
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	flacFrameLength = 65536 * time.Second / 16000
)

var (
	flacSilence = flacFrame("\x00\x00\x00")                                     // a constant subframe of 0
	flacSound   = flacFrame("\x02" + strings.Repeat("\x12\x34\xe0\xc8", 32768)) // a tone, as it is
)

// flacFile returns a file with as much sound and then silence.
func flacFile(sound, silence time.Duration) []byte {
	return []byte(flacHeader + strings.Repeat(flacSound, int(sound/flacFrameLength)) + strings.Repeat(flacSilence, int(silence/flacFrameLength)))
}

// flacFrame returns a frame with a subframe.
func flacFrame(subframe string) string {
	b := []byte{0xff, 0xf8, 0x75, 0x08, 0x00, 0xff, 0xff}
	var sum8 byte
	for _, c := range b {
		sum8 ^= c
		for range 8 {
			sum8 = sum8<<1 ^ sum8>>7*0x07
		}
	}
	b = append(append(b, sum8), subframe...)
	var sum16 uint16
	for _, c := range b {
		sum16 ^= uint16(c) << 8
		for range 8 {
			sum16 = sum16<<1 ^ sum16>>15*0x8005
		}
	}
	return string(binary.BigEndian.AppendUint16(b, sum16))
}
