// Copyright 2017 Hajime Hoshi
//
// Licensed under the Apache License, Version 2.0 (the "License");
// you may not use this file except in compliance with the License.
// You may obtain a copy of the License at
//
//     http://www.apache.org/licenses/LICENSE-2.0
//
// Unless required by applicable law or agreed to in writing, software
// distributed under the License is distributed on an "AS IS" BASIS,
// WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
// See the License for the specific language governing permissions and
// limitations under the License.

// Package layer3 decodes frames of MPEG-1, MPEG-2 and MPEG-2.5 audio, layer III (ISO
// 11172-3 and 13818-3). It was made from github.com/hajimehoshi/go-mp3 0.3.4, which is
// archived. New are MPEG-2.5 (8 to 12 kHz), intensity stereo as in the standard, samples
// that are not rounded to 16 bits, and silence for frames whose data begins in a frame
// that is missing.
package layer3

import (
	"encoding/binary"
	"errors"
)

// MaxSamples is the largest number of samples of a frame in one channel.
const MaxSamples = 2 * lines

const (
	lines    = 576 // frequency lines, and samples, of a granule in one channel
	subbands = 32
	perBand  = lines / subbands
	// mixedLines are those of the long part of a mixed block.
	mixedLines = 2 * perBand
	// maxReservoir is how much data of earlier frames a frame may use.
	maxReservoir = 511
)

// ErrDamaged is returned for a frame that cannot be decoded.
var ErrDamaged = errors.New("damaged MP3 frame")

// Decoder decodes the frames of one stream. The zero value is ready for the first one.
type Decoder struct {
	reservoir []byte // the last data of the frames so far
	overlap   [2][subbands][perBand]float32
	synthesis [2][1024]float32
}

// granule is a part of a frame in one channel.
type granule struct {
	sideInfo
	long  [22]int    // scale factors
	short [13][3]int // of each window
	is    [lines]float32
	// used is the first line of those that are all zero.
	used int
}

// Decode decodes a frame, which begins with its header, and sets the samples of its
// channels; mono is in the first one. It returns their number. A frame that needs data of
// earlier frames which the decoder did not get is silent.
func (d *Decoder) Decode(frame []byte, out *[2][MaxSamples]float32) (samples int, err error) {
	if len(frame) < 4 {
		return 0, ErrDamaged
	}
	h := header(binary.BigEndian.Uint32(frame))
	if h>>21 != 0x7ff || h>>19&3 == 1 || h>>17&3 != 1 || h>>10&3 == 3 {
		return 0, ErrDamaged
	}
	frame = frame[4:]
	if h.protected() {
		frame = frame[min(2, len(frame)):]
	}
	if len(frame) < h.sideInfoBytes() {
		return 0, ErrDamaged
	}
	begin, parts, shared := readSideInfo(h, frame[:h.sideInfoBytes()])
	data := frame[h.sideInfoBytes():]
	have := len(d.reservoir)
	all := append(d.reservoir, data...)
	defer func() { d.reservoir = append(d.reservoir[:0:0], all[max(0, len(all)-maxReservoir):]...) }()
	samples = h.granules() * lines
	if begin > have {
		*out = [2][MaxSamples]float32{}
		return samples, nil
	}
	main := &bits{data: all[have-begin:]}
	if err := readMainData(h, main, &parts, shared); err != nil {
		return 0, err
	}
	for g := range h.granules() {
		for c := range h.channels() {
			parts[g][c].requantize(h.bands())
		}
		if h.channels() == 2 {
			stereo(h, &parts[g])
		}
		for c := range h.channels() {
			p := &parts[g][c]
			p.reorder(h.bands())
			p.antialias()
			p.hybrid(&d.overlap[c])
			p.synthesise(&d.synthesis[c], out[c][g*lines:])
		}
	}
	return samples, nil
}
