#include <FLAC/stream_encoder.h>

// flac_encoder is an encoder and the bytes that it has made.
typedef struct {
	FLAC__StreamEncoder *encoder;
	unsigned char *bytes;
	size_t length, capacity;
} flac_encoder;

// flac_new returns an encoder for mono samples, or NULL.
flac_encoder *flac_new(unsigned rate);
// flac_encode adds samples, and reports whether that worked.
int flac_encode(flac_encoder *f, const short *samples, unsigned count);
void flac_free(flac_encoder *f);
