package audio

import "encoding/binary"

// The companded samples of telephony (ITU-T G.711): a sign, the position of the
// highest bit, and the four bits after it. The tables have the values of 16-bit
// samples.
var (
	muLaw = g711(func(code byte) (negative bool, magnitude int) {
		const bias = 0x84
		code = ^code
		return code&0x80 != 0, (int(code&15)<<3+bias)<<(code>>4&7) - bias
	})
	aLaw = g711(func(code byte) (negative bool, magnitude int) {
		code ^= 0x55
		magnitude = int(code&15)<<4 + 8
		if exponent := code >> 4 & 7; exponent > 0 {
			magnitude = (magnitude + 0x100) << (exponent - 1)
		}
		return code&0x80 == 0, magnitude
	})
)

func g711(decode func(code byte) (negative bool, magnitude int)) *[256]int16 {
	var table [256]int16
	for code := range table {
		negative, magnitude := decode(byte(code)) //nolint:gosec // below 256
		if negative {
			magnitude = -magnitude
		}
		table[code] = int16(magnitude) //nolint:gosec // at most 32,256
	}
	return &table
}

// ExpandG711 returns the samples of 16 bits, little-endian, of a stream of µ-law or
// A-law codes.
func ExpandG711(codes []byte, isALaw bool) []byte {
	table := muLaw
	if isALaw {
		table = aLaw
	}
	samples := make([]byte, 2*len(codes))
	for i, c := range codes {
		binary.LittleEndian.PutUint16(samples[2*i:], uint16(table[c])) //nolint:gosec // two's complement
	}
	return samples
}
