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

// header is the header of a frame.
type header uint32

// MPEG-2 and MPEG-2.5 have lower sample rates than MPEG-1, one granule in a frame, and
// other scale factors.
func (h header) low() bool { return h>>19&3 != 3 }

func (h header) granules() int {
	if h.low() {
		return 1
	}
	return 2
}

func (h header) channels() int {
	if h>>6&3 == 3 {
		return 1
	}
	return 2
}

func (h header) protected() bool { return h>>16&1 == 0 }

func (h header) middleSide() bool { return h>>6&3 == 1 && h>>5&1 == 1 }

func (h header) intensity() bool { return h>>6&3 == 1 && h>>4&1 == 1 }

func (h header) sideInfoBytes() int {
	switch {
	case !h.low() && h.channels() == 2:
		return 32
	case !h.low() || h.channels() == 2:
		return 17
	default:
		return 9
	}
}

// bands are the first frequency lines of the scale factor bands of long and short blocks.
type bands struct {
	long  [23]int
	short [14]int
}

// bands returns the bands of the sample rate.
func (h header) bands() *bands {
	rate := h >> 10 & 3
	switch h >> 19 & 3 {
	case 3:
		return &bandsMPEG1[rate]
	case 2:
		return &bandsMPEG2[rate]
	default:
		return &bandsMPEG25[rate]
	}
}

var (
	bandsMPEG1 = [3]bands{
		{ // 44.1 kHz
			[23]int{0, 4, 8, 12, 16, 20, 24, 30, 36, 44, 52, 62, 74, 90, 110, 134, 162, 196, 238, 288, 342, 418, 576},
			[14]int{0, 4, 8, 12, 16, 22, 30, 40, 52, 66, 84, 106, 136, 192},
		},
		{ // 48 kHz
			[23]int{0, 4, 8, 12, 16, 20, 24, 30, 36, 42, 50, 60, 72, 88, 106, 128, 156, 190, 230, 276, 330, 384, 576},
			[14]int{0, 4, 8, 12, 16, 22, 28, 38, 50, 64, 80, 100, 126, 192},
		},
		{ // 32 kHz
			[23]int{0, 4, 8, 12, 16, 20, 24, 30, 36, 44, 54, 66, 82, 102, 126, 156, 194, 240, 296, 364, 448, 550, 576},
			[14]int{0, 4, 8, 12, 16, 22, 30, 42, 58, 78, 104, 138, 180, 192},
		},
	}
	bandsMPEG2 = [3]bands{
		{ // 22.05 kHz
			[23]int{0, 6, 12, 18, 24, 30, 36, 44, 54, 66, 80, 96, 116, 140, 168, 200, 238, 284, 336, 396, 464, 522, 576},
			[14]int{0, 4, 8, 12, 18, 24, 32, 42, 56, 74, 100, 132, 174, 192},
		},
		{ // 24 kHz
			[23]int{0, 6, 12, 18, 24, 30, 36, 44, 54, 66, 80, 96, 114, 136, 162, 194, 232, 278, 332, 394, 464, 540, 576},
			[14]int{0, 4, 8, 12, 18, 26, 36, 48, 62, 80, 104, 136, 180, 192},
		},
		bands16,
	}
	// 16 kHz; 11.025 and 12 kHz have the same.
	bands16 = bands{
		[23]int{0, 6, 12, 18, 24, 30, 36, 44, 54, 66, 80, 96, 116, 140, 168, 200, 238, 284, 336, 396, 464, 522, 576},
		[14]int{0, 4, 8, 12, 18, 26, 36, 48, 62, 80, 104, 134, 174, 192},
	}
	bandsMPEG25 = [3]bands{
		bands16,
		bands16,
		{ // 8 kHz
			[23]int{0, 12, 24, 36, 48, 60, 72, 88, 108, 132, 160, 192, 232, 280, 336, 400, 476, 566, 568, 570, 572, 574, 576},
			[14]int{0, 8, 16, 24, 36, 52, 72, 96, 124, 160, 162, 164, 166, 192},
		},
	}
)
