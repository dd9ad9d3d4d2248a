package audio

import "bufio"

const (
	flacMaxChannels = 8
	flacMaxOrder    = 32
)

// Channel assignments of a frame that store a difference of two channels.
const (
	flacLeftSide  = 8
	flacSideRight = 9
	flacMidSide   = 10
)

// flacFrame is one frame of RFC 9639, section 9. Its buffers are reused.
type flacFrame struct {
	bits     flacBits
	variable bool   // number counts samples, not frames
	number   uint64 // of the frame or of its first sample
	block    int    // samples of each channel
	coding   int    // channel assignment
	depth    int    // bits of a sample
	samples  [flacMaxChannels][]int64
	channels int
}

// read decodes a frame. It returns errFLACDamaged, or the reader's error.
func (f *flacFrame) read(r *bufio.Reader, stream flacInfo) error {
	f.bits.start(r)
	valid := f.readHeader(stream)
	for c := 0; c < f.channels && valid && f.bits.err == nil; c++ {
		depth := f.depth
		if f.coding == flacSideRight && c == 0 || (f.coding == flacLeftSide || f.coding == flacMidSide) && c == 1 {
			depth++ // a difference
		}
		f.samples[c] = resize(f.samples[c], f.block)
		valid = f.readSubframe(f.samples[c], depth)
	}
	if valid {
		f.bits.align()
		sum := f.bits.crc16
		valid = f.bits.read(16) == uint64(sum)
	}
	if f.bits.err != nil {
		return f.bits.err
	}
	if !valid {
		return errFLACDamaged
	}
	f.decorrelate()
	return nil
}

// readHeader reports whether the header is valid and agrees with the stream.
func (f *flacFrame) readHeader(stream flacInfo) bool {
	b := &f.bits
	if b.read(15) != 0x7ffc { // sync code and a zero
		return false
	}
	f.variable = b.read(1) == 1
	block, rate := b.read(4), b.read(4)
	f.coding = int(b.read(4))
	f.channels = f.coding + 1
	if f.coding >= flacLeftSide {
		f.channels = 2
	}
	depth := b.read(3)
	f.depth = [8]int{stream.bits, 8, 12, 0, 16, 20, 24, 32}[depth]
	zero := b.read(1)
	valid := f.readNumber()
	f.block = f.readBlockSize(block)
	hertz := f.readRate(rate, stream.rate)
	sum := b.crc8
	return valid && b.read(8) == uint64(sum) && zero == 0 && f.depth > 0 && f.coding <= flacMidSide &&
		f.block > 0 && hertz == stream.rate && f.channels == stream.channels
}

// readNumber reads the frame's number of up to 36 bits, in the coding of UTF-8.
func (f *flacFrame) readNumber() bool {
	first := f.bits.read(8)
	length := 0
	for length < 8 && first&(0x80>>length) != 0 {
		length++
	}
	if length == 1 || length == 8 {
		return false
	}
	f.number = first & (0x7f >> length)
	for range length - 1 {
		next := f.bits.read(8)
		if next>>6 != 2 {
			return false
		}
		f.number = f.number<<6 | next&0x3f
	}
	return true
}

func (f *flacFrame) readBlockSize(code uint64) int {
	switch {
	case code == 0:
		return 0
	case code == 1:
		return 192
	case code <= 5:
		return 144 << code
	case code == 6:
		return int(f.bits.read(8)) + 1
	case code == 7:
		return int(f.bits.read(16)) + 1
	default:
		return 1 << code
	}
}

func (f *flacFrame) readRate(code uint64, stream int) int {
	switch code {
	case 0:
		return stream
	case 12:
		return int(f.bits.read(8)) * 1000
	case 13:
		return int(f.bits.read(16))
	case 14:
		return int(f.bits.read(16)) * 10
	case 15:
		return 0
	default:
		return [12]int{0, 88200, 176400, 192000, 8000, 16000, 22050, 24000, 32000, 44100, 48000, 96000}[code]
	}
}

// readSubframe decodes one channel.
func (f *flacFrame) readSubframe(x []int64, depth int) bool {
	b := &f.bits
	if b.read(1) != 0 {
		return false
	}
	kind := int(b.read(6))
	wasted := 0 // low bits that are all zero
	if b.read(1) == 1 {
		wasted = int(min(b.unary(), 64)) + 1
	}
	if depth -= wasted; depth < 1 {
		return false
	}
	valid := true
	switch {
	case kind == 0: // constant
		v := b.signed(depth)
		for i := range x {
			x[i] = v
		}
	case kind == 1: // verbatim
		for i := range x {
			x[i] = b.signed(depth)
		}
	case kind >= 8 && kind <= 12:
		valid = f.readFixed(x, kind-8, depth)
	case kind >= 32:
		valid = f.readLinear(x, kind-31, depth)
	default:
		return false
	}
	for i := range x {
		x[i] <<= wasted
	}
	return valid
}

// readFixed decodes a channel that is predicted by a polynomial.
func (f *flacFrame) readFixed(x []int64, order, depth int) bool {
	coefficients := [5][]int64{{}, {1}, {2, -1}, {3, -3, 1}, {4, -6, 4, -1}}[order]
	return f.readWarmUp(x, order, depth) && f.readResidual(x, order) && predict(x, coefficients, 0)
}

// readLinear decodes a channel that is predicted by a linear filter, whose
// coefficients are stored with it.
func (f *flacFrame) readLinear(x []int64, order, depth int) bool {
	if !f.readWarmUp(x, order, depth) {
		return false
	}
	precision := int(f.bits.read(4)) + 1
	shift := f.bits.signed(5)
	if precision == 16 || shift < 0 {
		return false
	}
	var coefficients [flacMaxOrder]int64
	for i := range order {
		coefficients[i] = f.bits.signed(precision)
	}
	return f.readResidual(x, order) && predict(x, coefficients[:order], int(shift))
}

func (f *flacFrame) readWarmUp(x []int64, order, depth int) bool {
	if order > len(x) {
		return false
	}
	for i := range order {
		x[i] = f.bits.signed(depth)
	}
	return true
}

// predict adds the prediction to the residual in x, after the warm-up.
func predict(x, coefficients []int64, shift int) bool {
	order := len(coefficients)
	for i := order; i < len(x); i++ {
		sum := int64(0)
		for j, c := range coefficients {
			sum += c * x[i-1-j]
		}
		x[i] += sum >> shift
	}
	return true
}

// readResidual decodes the residual after the warm-up, by Rice codes whose
// parameter changes with the partition.
func (f *flacFrame) readResidual(x []int64, order int) bool {
	b := &f.bits
	method := b.read(2)
	if method > 1 {
		return false
	}
	width := 4 + int(method)
	escape := uint64(1)<<width - 1
	partitions := 1 << b.read(4)
	size := len(x) / partitions
	if size*partitions != len(x) || size < order {
		return false
	}
	for p := range partitions {
		part := x[p*size : (p+1)*size]
		if p == 0 {
			part = part[order:]
		}
		k := b.read(width)
		if k == escape {
			raw := int(b.read(5))
			for i := range part {
				part[i] = b.signed(raw)
			}
			continue
		}
		for i := range part {
			if b.err != nil {
				return false
			}
			v := b.unary()<<k | b.read(int(k))
			part[i] = int64(v>>1) ^ -int64(v&1)
		}
	}
	return b.err == nil
}

// decorrelate computes the two channels of a frame that stores a difference.
func (f *flacFrame) decorrelate() {
	a, b := f.samples[0], f.samples[1]
	switch f.coding {
	case flacLeftSide:
		for i := range a {
			b[i] = a[i] - b[i]
		}
	case flacSideRight:
		for i := range a {
			a[i] += b[i]
		}
	case flacMidSide:
		for i := range a {
			mid, side := a[i]<<1|b[i]&1, b[i]
			a[i], b[i] = (mid+side)>>1, (mid-side)>>1
		}
	}
}

// mean averages the channels into out, scaled to -1..1.
func (f *flacFrame) mean(out []float32, m *mixer) []float32 {
	out = resize(out, f.block)
	scale := 1 / float64(int64(1)<<(f.depth-1))
	for i := range out {
		for c, x := range f.samples[:f.channels] {
			m.in[c] = float64(x[i])
		}
		out[i] = float32(m.mean() * scale)
	}
	return out
}
