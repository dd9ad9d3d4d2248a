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

var butterflies = func() (table [8]struct{ cs, ca float32 }) {
	for i, c := range [8]float64{-0.6, -0.535, -0.33, -0.185, -0.095, -0.041, -0.0142, -0.0037} {
		table[i].cs, table[i].ca = float32(1/math.Sqrt(1+c*c)), float32(c/math.Sqrt(1+c*c))
	}
	return table
}()

// antialias reduces the aliasing between neighbouring subbands of long blocks.
func (p *granule) antialias() {
	limit := subbands
	if p.isShort() {
		limit = 1
		if p.mixed {
			limit = 2
		}
	}
	for band := 1; band < limit; band++ {
		for i, b := range butterflies {
			low, high := perBand*band-1-i, perBand*band+i
			p.is[low], p.is[high] = p.is[low]*b.cs-p.is[high]*b.ca, p.is[high]*b.cs+p.is[low]*b.ca
		}
	}
}

// hybrid transforms the lines of each subband to samples, and adds the second half of
// the granule before.
func (p *granule) hybrid(overlap *[subbands][perBand]float32) {
	for band := range subbands {
		kind := p.blockType
		if p.mixed && band < 2 {
			kind = 0
		}
		part := p.is[band*perBand : (band+1)*perBand]
		raw := transform(part, kind)
		for i := range part {
			part[i] = raw[i] + overlap[band][i]
			if band&1 == 1 && i&1 == 1 {
				part[i] = -part[i] // every second subband has its frequencies the other way round
			}
			overlap[band][i] = raw[i+perBand]
		}
	}
}

var (
	windows = func() (table [4][36]float32) {
		sine := func(parts int, i float64) float32 { return float32(math.Sin(math.Pi / float64(parts) * (i + 0.5))) }
		for i := range 36 {
			table[0][i] = sine(36, float64(i))
		}
		for i := range 12 {
			table[2][i] = sine(12, float64(i))
		}
		for i := range 18 {
			table[1][i], table[3][i+18] = table[0][i], table[0][i+18]
		}
		for i := range 6 {
			table[1][i+18], table[3][i+12] = 1, 1
			table[1][i+24], table[3][i+6] = table[2][i+6], table[2][i]
		}
		return table
	}()
	cosines12 = cosines(12)
	cosines36 = cosines(36)
)

// cosines returns the factors of an inverse modified cosine transform.
func cosines(n int) [][]float32 {
	table := make([][]float32, n/2)
	for m := range table {
		table[m] = make([]float32, n)
		for i := range table[m] {
			table[m][i] = float32(math.Cos(math.Pi / float64(2*n) * float64(2*i+1+n/2) * float64(2*m+1)))
		}
	}
	return table
}

// transform returns the windowed inverse modified cosine transform of a subband.
func transform(in []float32, kind int) (out [36]float32) {
	if kind == 2 {
		for window := range 3 {
			for i := range 12 {
				sum := float32(0)
				for m := range 6 {
					sum += in[window+3*m] * cosines12[m][i]
				}
				out[6*window+i+6] += sum * windows[kind][i]
			}
		}
		return out
	}
	for i := range out {
		sum := float32(0)
		for m := range perBand {
			sum += in[m] * cosines36[m][i]
		}
		out[i] = sum * windows[kind][i]
	}
	return out
}

var matrix = func() (table [64][subbands]float32) {
	for i := range table {
		for j := range table[i] {
			table[i][j] = float32(math.Cos(float64((16+i)*(2*j+1)) * math.Pi / 64))
		}
	}
	return table
}()

// synthesise combines the subbands to samples.
func (p *granule) synthesise(state *[1024]float32, out []float32) {
	var in [subbands]float32
	for at := range perBand {
		copy(state[64:], state[:1024-64])
		for band := range in {
			in[band] = p.is[band*perBand+at]
		}
		for i := range matrix {
			sum := float32(0)
			for band, value := range in {
				sum += matrix[i][band] * value
			}
			state[i] = sum
		}
		for i := range subbands {
			sum := float32(0)
			for block := range 8 {
				sum += state[128*block+i] * window[64*block+i]
				sum += state[128*block+96+i] * window[64*block+32+i]
			}
			out[subbands*at+i] = max(-1, min(1, sum))
		}
	}
}
