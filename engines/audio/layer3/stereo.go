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

import "math"

// stereo computes the lines of the left and the right channel from those of their sum
// and difference, or from those of one channel and a position.
func stereo(h header, parts *[2]granule) {
	left, right := &parts[0], &parts[1]
	bound := lines // of intensity stereo
	if h.intensity() {
		bound = intensityBound(h.bands(), right)
		positions(h, left, right, bound)
	}
	if h.middleSide() {
		for i := range bound {
			left.is[i], right.is[i] = (left.is[i]+right.is[i])*math.Sqrt2/2, (left.is[i]-right.is[i])*math.Sqrt2/2
		}
	}
	left.used, right.used = lines, lines
}

// intensityBound returns the first line of the bands of which the right channel has no
// line.
func intensityBound(on *bands, right *granule) int {
	if right.isShort() {
		for band := range 13 {
			if edge := 3 * on.short[band]; edge >= right.used {
				return edge
			}
		}
		return lines
	}
	for _, edge := range on.long {
		if edge >= right.used {
			return edge
		}
	}
	return lines
}

// positions distributes the left channel's lines from bound on.
func positions(h header, left, right *granule, bound int) {
	on := h.bands()
	if right.isShort() {
		for band := range 13 {
			if 3*on.short[band] < bound {
				continue
			}
			width := on.short[band+1] - on.short[band]
			for window := range 3 {
				from := 3*on.short[band] + window*width
				place(h, left, right, from, from+width, right.short[min(band, 11)][window])
			}
		}
		return
	}
	for band := range 22 {
		if on.long[band] >= bound {
			place(h, left, right, on.long[band], on.long[band+1], right.long[min(band, 20)])
		}
	}
}

// place distributes lines of the left channel.
func place(h header, left, right *granule, from, to, position int) {
	toLeft, toRight := float32(1), float32(1)
	switch {
	case h.low():
		step := 0.25
		if right.compress&1 == 1 {
			step = 0.5
		}
		factor := float32(math.Exp2(-step * float64((position+1)/2)))
		if position&1 == 1 {
			toLeft = factor
		} else {
			toRight = factor
		}
	case position < 6:
		ratio := float32(math.Tan(float64(position) * math.Pi / 12))
		toLeft, toRight = ratio/(1+ratio), 1/(1+ratio)
	case position == 7 && h.middleSide(): // no position: the difference is zero
		toLeft, toRight = math.Sqrt2/2, math.Sqrt2/2
	default:
		toRight = 0
	}
	for i := from; i < to; i++ {
		left.is[i], right.is[i] = left.is[i]*toLeft, left.is[i]*toRight
	}
}
