package gguffile

const (
	defaultAlignment = 32
	maxDimensions    = 4
	// maxBytes is more than the size of any file. It keeps products of dimensions
	// from overflowing.
	maxBytes = 1 << 52
)

// block is the layout of a tensor type: rows consist of blocks of so many
// numbers in so many bytes.
type block struct{ numbers, bytes uint64 }

// layout returns the layout of a tensor type by its number in ggml.h. It returns
// false for types that ggml has removed, and for those that newer versions of
// ggml have: llama.cpp decides about them.
func layout(kind uint32) (block, bool) {
	layouts := [...]block{
		0:  {1, 4},     // F32
		1:  {1, 2},     // F16
		2:  {32, 18},   // Q4_0
		3:  {32, 20},   // Q4_1
		6:  {32, 22},   // Q5_0
		7:  {32, 24},   // Q5_1
		8:  {32, 34},   // Q8_0
		9:  {32, 36},   // Q8_1
		10: {256, 84},  // Q2_K
		11: {256, 110}, // Q3_K
		12: {256, 144}, // Q4_K
		13: {256, 176}, // Q5_K
		14: {256, 210}, // Q6_K
		15: {256, 292}, // Q8_K
		16: {256, 66},  // IQ2_XXS
		17: {256, 74},  // IQ2_XS
		18: {256, 98},  // IQ3_XXS
		19: {256, 50},  // IQ1_S
		20: {32, 18},   // IQ4_NL
		21: {256, 110}, // IQ3_S
		22: {256, 82},  // IQ2_S
		23: {256, 136}, // IQ4_XS
		24: {1, 1},     // I8
		25: {1, 2},     // I16
		26: {1, 4},     // I32
		27: {1, 8},     // I64
		28: {1, 8},     // F64
		29: {256, 56},  // IQ1_M
		30: {1, 2},     // BF16
		34: {256, 54},  // TQ1_0
		35: {256, 66},  // TQ2_0
		39: {32, 17},   // MXFP4
		40: {64, 36},   // NVFP4
		41: {128, 18},  // Q1_0
		42: {64, 18},   // Q2_0
	}
	if uint64(kind) >= uint64(len(layouts)) || layouts[kind].numbers == 0 {
		return block{}, false
	}
	return layouts[kind], true
}

// tensors reads the table of tensors and sets h.End.
func (s *scanner) tensors(h *Header) {
	var dataBytes uint64 // from the start of the weights to the end of the last tensor
	for count := h.Tensors; count > 0 && s.err == nil; count-- {
		dataBytes = max(dataBytes, s.tensor())
	}
	alignment, ok := h.numbers[keyAlignment]
	if !ok {
		alignment = defaultAlignment
	}
	if alignment < 1 || alignment > maxHeaderBytes {
		s.fail("its weights are aligned to %.0f bytes", alignment)
	}
	if s.err != nil {
		return
	}
	start := s.offset
	if rest := start % int64(alignment); rest > 0 {
		start += int64(alignment) - rest
	}
	h.End = start + int64(dataBytes) //nolint:gosec // at most twice maxBytes
}

// tensor reads an entry of the table of tensors. It returns the offset at which
// the tensor ends, from the start of the weights.
func (s *scanner) tensor() (end uint64) {
	s.text("tensor's name")
	dimensions := s.uint32()
	if dimensions < 1 || dimensions > maxDimensions {
		s.fail("it has a tensor of %d dimensions", dimensions)
	}
	var sizes [maxDimensions]uint64
	for i := range sizes {
		sizes[i] = 1
		if s.err == nil && i < int(dimensions) {
			sizes[i] = s.uint64()
		}
	}
	kind, offset := s.uint32(), s.uint64()
	size := uint64(0)
	if b, ok := layout(kind); ok {
		size = s.product(s.product(sizes[0]/b.numbers, b.bytes), s.product(s.product(sizes[1], sizes[2]), sizes[3]))
	}
	if offset > maxBytes {
		s.fail("it has a tensor at the offset %d", offset)
	}
	if s.err != nil {
		return 0
	}
	return offset + size
}

// product multiplies sizes. Numbers that no file can hold are an error.
func (s *scanner) product(a, b uint64) uint64 {
	if a > 0 && b > maxBytes/a {
		s.fail("it has a tensor of more bytes than a file can hold")
		return 0
	}
	return a * b
}
