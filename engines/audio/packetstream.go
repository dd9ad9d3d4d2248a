package audio

// packetStream decodes the packets of one stream in a container to mono.
type packetStream interface {
	// decode returns the samples of packets. They are valid until the next call.
	decode(packets [][]byte) ([]float32, error)
	// sampleRate and channels describe the stream; 0 if that is known only when the
	// first samples are.
	sampleRate() int
	channels() int
	// close frees what the stream has.
	close()
}
