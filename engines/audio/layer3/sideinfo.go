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

package layer3

// sideInfo is what a frame says about the data of a granule in one channel.
type sideInfo struct {
	length       int // of scale factors and frequency lines, in bits
	bigValues    int
	gain         int
	compress     int // of the scale factors
	blockType    int
	mixed        bool
	tables       [3]int
	subblockGain [3]int
	regions      [2]int
	preflag      int
	scale        int
	countTable   int
}

// isShort reports whether the block is divided into three windows, the first two
// subbands excepted if it is mixed.
func (s *sideInfo) isShort() bool { return s.blockType == 2 }

// readSideInfo returns how many bytes of earlier frames the data of this one begins
// with, its granules, and which groups of scale factors the granules share.
func readSideInfo(h header, data []byte) (begin int, parts [2][2]granule, shared [2][4]bool) {
	b := &bits{data: data}
	compressBits := 4
	if h.low() {
		compressBits = 9
		begin = b.read(8)
		b.read(h.channels()) // private
	} else {
		begin = b.read(9)
		b.read(7 - 2*h.channels()) // private
		for c := range h.channels() {
			for group := range shared[c] {
				shared[c][group] = b.bit() == 1
			}
		}
	}
	for g := range h.granules() {
		for c := range h.channels() {
			s := &parts[g][c].sideInfo
			s.length = b.read(12)
			s.bigValues = b.read(9)
			s.gain = b.read(8)
			s.compress = b.read(compressBits)
			s.readBlock(b)
			if !h.low() {
				s.preflag = b.bit()
			}
			s.scale = b.bit()
			s.countTable = b.bit()
		}
	}
	return begin, parts, shared
}

func (s *sideInfo) readBlock(b *bits) {
	if b.bit() == 0 {
		for i := range s.tables {
			s.tables[i] = b.read(5)
		}
		s.regions = [2]int{b.read(4), b.read(3)}
		return
	}
	s.blockType = b.read(2)
	s.mixed = b.bit() == 1
	for i := range 2 {
		s.tables[i] = b.read(5)
	}
	for i := range s.subblockGain {
		s.subblockGain[i] = b.read(3)
	}
	s.regions[0] = 7
	if s.isShort() && !s.mixed {
		s.regions[0] = 8
	}
	s.regions[1] = 20 - s.regions[0]
	s.mixed = s.mixed && s.isShort()
}
