package audio

// The companded samples of telephony (ITU-T G.711): a sign, the position of the
// highest bit, and the four bits after it. The tables have the values of 16-bit
// samples, scaled to -1..1.
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

func g711(decode func(code byte) (negative bool, magnitude int)) *[256]float32 {
	var table [256]float32
	for code := range table {
		negative, magnitude := decode(byte(code)) //nolint:gosec // below 256
		table[code] = float32(magnitude) / (1 << 15)
		if negative {
			table[code] = -table[code]
		}
	}
	return &table
}
