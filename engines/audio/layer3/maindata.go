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

// lengths1 are the bits of a scale factor in the lower and in the upper bands, MPEG-1.
var lengths1 = [16][2]int{
	{0, 0}, {0, 1}, {0, 2}, {0, 3}, {3, 0}, {1, 1}, {1, 2}, {1, 3},
	{2, 1}, {2, 2}, {2, 3}, {3, 1}, {3, 2}, {3, 3}, {4, 2}, {4, 3},
}

// counts2 are the numbers of scale factors of each length, MPEG-2: for long, short and
// mixed blocks; the last three rows are of the right channel of intensity stereo.
var counts2 = [3][6][4]int{
	{{6, 5, 5, 5}, {6, 5, 7, 3}, {11, 10, 0, 0}, {7, 7, 7, 0}, {6, 6, 6, 3}, {8, 8, 5, 0}},
	{{9, 9, 9, 9}, {9, 9, 12, 6}, {18, 18, 0, 0}, {12, 12, 12, 0}, {12, 9, 9, 6}, {15, 12, 9, 0}},
	{{6, 9, 9, 9}, {6, 9, 12, 6}, {15, 18, 0, 0}, {6, 15, 12, 0}, {6, 12, 9, 6}, {6, 18, 9, 0}},
}

// readMainData reads the scale factors and the frequency lines.
func readMainData(h header, b *bits, parts *[2][2]granule, shared [2][4]bool) error {
	for g := range h.granules() {
		for c := range h.channels() {
			p := &parts[g][c]
			end := b.at + p.length
			switch {
			case h.low():
				p.readScale2(b, c == 1 && h.intensity())
			case g == 1:
				p.readScale1(b, &parts[0][c], shared[c])
			default:
				p.readScale1(b, nil, [4]bool{})
			}
			if err := p.readLines(b, h.bands(), end); err != nil {
				return err
			}
			b.at = end
		}
	}
	return nil
}

// readScale1 reads the scale factors of MPEG-1. Those of shared groups are the first
// granule's.
func (p *granule) readScale1(b *bits, first *granule, shared [4]bool) {
	low, high := lengths1[p.compress][0], lengths1[p.compress][1]
	if p.isShort() {
		from := 0
		if p.mixed {
			from = 3
			for band := range 8 {
				p.long[band] = b.read(low)
			}
		}
		for band := from; band < 12; band++ {
			length := high
			if band < 6 {
				length = low
			}
			for window := range 3 {
				p.short[band][window] = b.read(length)
			}
		}
		return
	}
	for group, edges := range [4][2]int{{0, 6}, {6, 11}, {11, 16}, {16, 21}} {
		length := high
		if group < 2 {
			length = low
		}
		for band := edges[0]; band < edges[1]; band++ {
			if shared[group] {
				p.long[band] = first.long[band]
			} else {
				p.long[band] = b.read(length)
			}
		}
	}
}

// readScale2 reads the scale factors of MPEG-2.
func (p *granule) readScale2(b *bits, intensity bool) {
	lengths, row := p.lengths2(intensity)
	kind := 0
	if p.isShort() {
		kind = 1
		if p.mixed {
			kind = 2
		}
	}
	var factors [39]int
	n := 0
	for i, count := range counts2[kind][row] {
		for range count {
			factors[n] = b.read(lengths[i])
			n++
		}
	}
	switch kind {
	case 0:
		copy(p.long[:], factors[:])
		return
	case 2:
		copy(p.long[:6], factors[:])
	}
	at, from := 0, 0
	if kind == 2 {
		at, from = 6, 3
	}
	for band := from; band < 12; band++ {
		at += copy(p.short[band][:], factors[at:])
	}
}

// lengths2 returns the bits of the scale factors of MPEG-2, and the row of counts2.
func (p *granule) lengths2(intensity bool) (lengths [4]int, row int) {
	n := p.compress
	if intensity {
		switch n >>= 1; {
		case n < 180:
			return [4]int{n / 36, n % 36 / 6, n % 6, 0}, 3
		case n < 244:
			n -= 180
			return [4]int{n >> 4 & 3, n >> 2 & 3, n & 3, 0}, 4
		default:
			n -= 244
			return [4]int{n / 3, n % 3, 0, 0}, 5
		}
	}
	switch {
	case n < 400:
		return [4]int{n >> 4 / 5, n >> 4 % 5, n >> 2 & 3, n & 3}, 0
	case n < 500:
		n -= 400
		return [4]int{n >> 2 / 5, n >> 2 % 5, n & 3, 0}, 1
	default:
		n -= 500
		p.preflag = 1
		return [4]int{n / 3, n % 3, 0, 0}, 2
	}
}

// readLines reads the frequency lines, up to bit end.
func (p *granule) readLines(b *bits, on *bands, end int) error {
	if p.length == 0 {
		return nil
	}
	first, second := 3*on.short[3], lines // of the second and the third region
	if p.mixed {
		first = mixedLines
	} else if !p.isShort() {
		i, j := p.regions[0]+1, p.regions[0]+p.regions[1]+2
		first, second = on.long[min(i, 22)], on.long[min(j, 22)]
	}
	at := 0
	for ; at < 2*p.bigValues; at += 2 {
		if at+1 >= lines {
			return ErrDamaged
		}
		table := p.tables[2]
		if at < first {
			table = p.tables[0]
		} else if at < second {
			table = p.tables[1]
		}
		x, y, _, _, err := readCode(b, table)
		if err != nil {
			return err
		}
		p.is[at], p.is[at+1] = float32(x), float32(y)
	}
	for at+4 <= lines && b.at < end {
		x, y, v, w, err := readCode(b, 32+p.countTable)
		if err != nil {
			return err
		}
		p.is[at], p.is[at+1], p.is[at+2], p.is[at+3] = float32(v), float32(w), float32(x), float32(y)
		at += 4
	}
	if b.at > end { // the last code belongs to what follows
		at = max(0, at-4)
	}
	p.used = at
	clear(p.is[at:])
	return nil
}
