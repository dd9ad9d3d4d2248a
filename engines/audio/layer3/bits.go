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

// bits reads a stream of bits. Behind the end it reads zeros.
type bits struct {
	data []byte
	at   int // in bits
}

func (b *bits) bit() int { return b.read(1) }

// read returns the next n bits, at most 24.
func (b *bits) read(n int) int {
	var word [4]byte
	if first := b.at >> 3; first < len(b.data) {
		copy(word[:], b.data[first:])
	}
	all := uint32(word[0])<<24 | uint32(word[1])<<16 | uint32(word[2])<<8 | uint32(word[3])
	all <<= b.at & 7
	b.at += n
	return int(all >> (32 - n))
}
