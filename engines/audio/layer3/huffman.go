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

// huffman are the code tables: the tree, its length, and the number of bits that follow
// the largest value. Tables 0, 4 and 14 have no codes.
var huffman = [34]struct {
	tree         []uint16
	length, more int
}{
	{nil, 0, 0},
	{huffmanTable, 7, 0},
	{huffmanTable[7:], 17, 0},
	{huffmanTable[24:], 17, 0},
	{nil, 0, 0},
	{huffmanTable[41:], 31, 0},
	{huffmanTable[72:], 31, 0},
	{huffmanTable[103:], 71, 0},
	{huffmanTable[174:], 71, 0},
	{huffmanTable[245:], 71, 0},
	{huffmanTable[316:], 127, 0},
	{huffmanTable[443:], 127, 0},
	{huffmanTable[570:], 127, 0},
	{huffmanTable[697:], 511, 0},
	{nil, 0, 0},
	{huffmanTable[1208:], 511, 0},
	{huffmanTable[1719:], 511, 1},
	{huffmanTable[1719:], 511, 2},
	{huffmanTable[1719:], 511, 3},
	{huffmanTable[1719:], 511, 4},
	{huffmanTable[1719:], 511, 6},
	{huffmanTable[1719:], 511, 8},
	{huffmanTable[1719:], 511, 10},
	{huffmanTable[1719:], 511, 13},
	{huffmanTable[2230:], 512, 4},
	{huffmanTable[2230:], 512, 5},
	{huffmanTable[2230:], 512, 6},
	{huffmanTable[2230:], 512, 7},
	{huffmanTable[2230:], 512, 8},
	{huffmanTable[2230:], 512, 9},
	{huffmanTable[2230:], 512, 11},
	{huffmanTable[2230:], 512, 13},
	{huffmanTable[2742:], 31, 0},
	{huffmanTable[2773:], 31, 0},
}

// readCode reads a pair of values, or with tables 32 and 33 four of them: v, w, x and y.
func readCode(b *bits, table int) (x, y, v, w int, err error) {
	t := &huffman[table]
	if t.length == 0 {
		return 0, 0, 0, 0, nil
	}
	for at, left := 0, 32; ; left-- {
		if left == 0 || at >= t.length || at >= len(t.tree) {
			return 0, 0, 0, 0, ErrDamaged
		}
		node := t.tree[at]
		if node&0xff00 == 0 {
			x, y = int(node>>4&15), int(node&15)
			break
		}
		shift := 8
		if b.bit() == 1 {
			shift = 0
		}
		// Steps of 250 and more are continued in the node that they lead to.
		for at < len(t.tree) && t.tree[at]>>shift&0xff >= 250 {
			at += int(t.tree[at] >> shift & 0xff)
		}
		if at < len(t.tree) {
			at += int(t.tree[at] >> shift & 0xff)
		}
	}
	if table >= 32 {
		v, w, x, y = y>>3&1, y>>2&1, y>>1&1, y&1
		v = signed(b, v)
		w = signed(b, w)
		x = signed(b, x)
		return x, signed(b, y), v, w, nil
	}
	if t.more > 0 && x == 15 {
		x += b.read(t.more)
	}
	x = signed(b, x)
	if t.more > 0 && y == 15 {
		y += b.read(t.more)
	}
	return x, signed(b, y), 0, 0, nil
}

// signed reads the sign of a value that is not 0.
func signed(b *bits, value int) int {
	if value != 0 && b.bit() == 1 {
		return -value
	}
	return value
}
