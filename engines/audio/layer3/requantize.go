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

var (
	power43 = func() (table [8207]float64) { // the largest value is 15 + 1<<13 - 1
		for i := range table {
			table[i] = math.Pow(float64(i), 4.0/3)
		}
		return table
	}()
	preemphasis = [22]float64{11: 1, 12: 1, 13: 1, 14: 1, 15: 2, 16: 2, 17: 3, 18: 3, 19: 3, 20: 2}
)

// requantize replaces the coded values by those of the lines.
func (p *granule) requantize(on *bands) {
	multiplier := 0.5
	if p.scale != 0 {
		multiplier = 1
	}
	gain := 0.25 * float64(p.gain-210)
	longEnd := p.used
	if p.mixed {
		longEnd = min(longEnd, mixedLines)
	} else if p.isShort() {
		longEnd = 0
	}
	for band := 0; band < 22 && on.long[band] < longEnd; band++ {
		scale := float64(p.long[band]) + float64(p.preflag)*preemphasis[band]
		p.scaleLines(on.long[band], min(on.long[band+1], longEnd), gain-multiplier*scale)
	}
	if !p.isShort() {
		return
	}
	first := 0
	if p.mixed {
		first = 3
	}
	for band := first; band < 13; band++ {
		width := on.short[band+1] - on.short[band]
		for window := range 3 {
			from := 3*on.short[band] + window*width
			exponent := gain - 2*float64(p.subblockGain[window]) - multiplier*float64(p.short[band][window])
			p.scaleLines(from, min(from+width, p.used), exponent)
		}
	}
}

func (p *granule) scaleLines(from, to int, exponent float64) {
	factor := math.Exp2(exponent)
	for i := from; i < to; i++ {
		if value := p.is[i]; value < 0 {
			p.is[i] = float32(-factor * power43[int(-value)])
		} else {
			p.is[i] = float32(factor * power43[int(value)])
		}
	}
}

// reorder interleaves the windows of short blocks.
func (p *granule) reorder(on *bands) {
	if !p.isShort() {
		return
	}
	first := 0
	if p.mixed {
		first = 3
	}
	var band [lines]float32
	for b := first; b < 13; b++ {
		from, width := 3*on.short[b], on.short[b+1]-on.short[b]
		for window := range 3 {
			for i := range width {
				band[3*i+window] = p.is[from+window*width+i]
			}
		}
		copy(p.is[from:from+3*width], band[:])
	}
}
