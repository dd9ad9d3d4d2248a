// Encodes raw samples (16 bits, of 8 or 16 kHz) as AMR; make.sh compiles it.
// Usage: amr narrow|wide <samples >file.amr
#include <opencore-amrnb/interf_enc.h>
#include <stdio.h>
#include <string.h>
#include <vo-amrwbenc/enc_if.h>

int main(int argc, char **argv) {
	short samples[320];
	unsigned char frame[64];
	if (argc > 1 && strcmp(argv[1], "wide") == 0) {
		void *state = E_IF_init();
		fputs("#!AMR-WB\n", stdout);
		while (fread(samples, 2, 320, stdin) == 320)
			fwrite(frame, 1, E_IF_encode(state, 8, samples, frame, 0), stdout);
	} else {
		void *state = Encoder_Interface_init(0);
		fputs("#!AMR\n", stdout);
		while (fread(samples, 2, 160, stdin) == 160)
			fwrite(frame, 1, Encoder_Interface_Encode(state, MR122, samples, frame, 0), stdout);
	}
}
