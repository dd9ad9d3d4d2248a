#include <stdlib.h>
#include <string.h>

#include "flac.h"

static FLAC__StreamEncoderWriteStatus keep(const FLAC__StreamEncoder *encoder, const FLAC__byte bytes[], size_t count,
                                           uint32_t samples, uint32_t frame, void *data) {
	(void)encoder, (void)samples, (void)frame;
	flac_encoder *f = data;
	if (f->length + count > f->capacity) {
		size_t capacity = 2 * (f->length + count);
		unsigned char *grown = realloc(f->bytes, capacity);
		if (!grown) return FLAC__STREAM_ENCODER_WRITE_STATUS_FATAL_ERROR;
		f->bytes = grown;
		f->capacity = capacity;
	}
	memcpy(f->bytes + f->length, bytes, count);
	f->length += count;
	return FLAC__STREAM_ENCODER_WRITE_STATUS_OK;
}

flac_encoder *flac_new(unsigned rate) {
	flac_encoder *f = calloc(1, sizeof *f);
	if (!f) return NULL;
	f->encoder = FLAC__stream_encoder_new();
	if (f->encoder && FLAC__stream_encoder_set_channels(f->encoder, 1) && FLAC__stream_encoder_set_bits_per_sample(f->encoder, 16) &&
	    FLAC__stream_encoder_set_sample_rate(f->encoder, rate) && FLAC__stream_encoder_set_compression_level(f->encoder, 5) &&
	    FLAC__stream_encoder_init_stream(f->encoder, keep, NULL, NULL, NULL, f) == FLAC__STREAM_ENCODER_INIT_STATUS_OK)
		return f;
	flac_free(f);
	return NULL;
}

int flac_encode(flac_encoder *f, const short *samples, unsigned count) {
	FLAC__int32 wide[1024];
	while (count > 0) {
		unsigned n = count < 1024 ? count : 1024;
		for (unsigned i = 0; i < n; i++) wide[i] = samples[i];
		if (!FLAC__stream_encoder_process_interleaved(f->encoder, wide, n)) return 0;
		samples += n;
		count -= n;
	}
	return 1;
}

void flac_free(flac_encoder *f) {
	if (f->encoder) FLAC__stream_encoder_delete(f->encoder);
	free(f->bytes);
	free(f);
}
