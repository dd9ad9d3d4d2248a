package codecs

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"

	"github.com/lexilingo/modelgateway/engines/decode"
)

// Limits of Vorbis. Encoders make tables of some thousands of entries.
const (
	vorbisMaxChannels        = 8
	vorbisMinRate            = 8000   // hertz
	vorbisMaxRate            = 192000 // hertz
	vorbisMinBlock           = 6      // logarithms
	vorbisMaxBlock           = 13
	vorbisMaxEntries         = 1 << 17 // of all tables
	vorbisMaxValues          = 1 << 21 // of all tables
	vorbisHeaderBytes        = 7       // before what a header says
	vorbisFirstBytes         = 30
	vorbisMaxCodeword uint32 = 32
)

var (
	errVorbisHeaders = errors.New("its headers are damaged")
	errVorbisFormat  = errors.New("its rate, or number of channels, is not supported")
)

// checkVorbis refuses what the library would allocate gigabytes for, or not end with: it
// believes sizes, does not see where a header ends, and does not return from tables that
// are empty or ranges that end before they begin. What it panics for is not looked for
// here.
func checkVorbis(first, setup []byte) error {
	if len(first) < vorbisFirstBytes || first[0] != 1 || len(setup) < vorbisHeaderBytes || setup[0] != 5 {
		return errVorbisHeaders
	}
	channels, rate := int(first[11]), binary.LittleEndian.Uint32(first[12:])
	short, long := first[28]&15, first[28]>>4
	if channels < 1 || channels > vorbisMaxChannels || rate < vorbisMinRate || rate > vorbisMaxRate || channels<<long/2 > decode.MaxSamples {
		return errVorbisFormat
	}
	if short < vorbisMinBlock || short > long || long > vorbisMaxBlock {
		return errVorbisHeaders
	}
	r := &vorbisBits{data: setup[vorbisHeaderBytes:]}
	var entries, values uint64
	for range r.read(8) + 1 {
		e, v := r.table()
		entries, values = entries+e, values+v
		if r.bad || entries > vorbisMaxEntries || values > vorbisMaxValues {
			return errVorbisHeaders
		}
	}
	r.skip(16 * int(r.read(6)+1)) // nothing uses them
	for n := r.read(6) + 1; n > 0 && !r.bad; n-- {
		r.floor()
	}
	for n := r.read(6) + 1; n > 0 && !r.bad; n-- {
		r.residue()
	}
	if r.bad {
		return errVorbisHeaders
	}
	return nil
}

// vorbisBits reads the bits of a header as the library does.
type vorbisBits struct {
	data []byte
	at   int // bit
	bad  bool
}

// read reads at most 32 bits.
func (r *vorbisBits) read(n int) uint32 {
	var v uint32
	if r.skip(n); r.bad {
		return 0
	}
	for i := range n {
		bit := r.at - n + i
		v |= uint32(r.data[bit/8]>>(bit%8)&1) << i
	}
	return v
}

func (r *vorbisBits) skip(n int) {
	if n > 8*len(r.data)-r.at {
		r.bad = true
		return
	}
	r.at += n
}

// table reads a codebook, and returns the number of its entries and of their values.
func (r *vorbisBits) table() (entries, values uint64) {
	const pattern = 0x564342
	r.bad = r.read(24) != pattern || r.bad
	dimensions, count := r.read(16), r.read(24)
	if r.bad = r.bad || dimensions == 0 || count < 2; r.bad {
		return 0, 0
	}
	if r.read(1) == 0 {
		r.lengths(count)
	} else {
		r.orderedLengths(count)
	}
	entries = uint64(count)
	size := entries * uint64(dimensions)
	switch r.read(4) {
	case 0:
		return entries, 0
	case 1:
		values = uint64(math.Floor(math.Pow(float64(count), 1/float64(dimensions)))) // as the library does
	case 2:
		values = size
	default:
		r.bad = true
	}
	r.skip(64)
	width := uint64(r.read(4)) + 1
	r.skip(1)
	r.skip(int(min(values*width, math.MaxInt32))) //nolint:gosec // bounded
	return entries, size
}

// lengths reads the length of each codeword.
func (r *vorbisBits) lengths(count uint32) {
	sparse, used := r.read(1) == 1, false
	for range count {
		if !sparse || r.read(1) == 1 {
			r.skip(5)
			used = true
		}
		if r.bad {
			return
		}
	}
	r.bad = !used
}

// orderedLengths reads how many codewords have each length.
func (r *vorbisBits) orderedLengths(count uint32) {
	length := r.read(5) + 1
	for at := uint32(0); at < count; length++ {
		at += r.read(bits.Len32(count - at))
		if r.bad = r.bad || at > count || length > vorbisMaxCodeword; r.bad {
			return
		}
	}
}

// floor reads one of the curves that packets have.
func (r *vorbisBits) floor() {
	switch r.read(16) {
	case 0:
		r.skip(8 + 16 + 16 + 6 + 8)
		r.skip(8 * int(r.read(4)+1))
	case 1:
		r.floor1()
	default:
		r.bad = true
	}
}

func (r *vorbisBits) floor1() {
	partitions := make([]uint32, r.read(5))
	classes := uint32(0)
	for i := range partitions {
		partitions[i] = r.read(4)
		classes = max(classes, partitions[i]+1)
	}
	// The library reads a class also if there are no partitions.
	dimensions := make([]uint32, max(classes, 1))
	for i := range dimensions {
		dimensions[i] = r.read(3) + 1
		subclasses := r.read(2)
		if subclasses != 0 {
			r.skip(8)
		}
		r.skip(8 << subclasses)
	}
	r.skip(2)
	bits := int(r.read(4))
	for _, class := range partitions {
		r.skip(bits * int(dimensions[class]))
	}
}

// residue reads how packets have what is not in the curves.
func (r *vorbisBits) residue() {
	kind, begin, end := r.read(16), r.read(24), r.read(24)
	r.bad = r.bad || kind > 2 || begin > end
	r.skip(24)
	classes := make([]uint32, r.read(6)+1)
	r.skip(8)
	for i := range classes {
		classes[i] = r.read(3)
		if r.read(1) == 1 {
			classes[i] |= r.read(5) << 3
		}
	}
	for _, passes := range classes {
		r.skip(8 * bits.OnesCount32(passes))
	}
}
