#define _GNU_SOURCE // dladdr
#include "shim.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <espeak-ng/speak_lib.h>

char *mg_espeak_folder(void) {
	Dl_info info;
	if (dladdr((void *)espeak_TextToPhonemes, &info) == 0 || info.dli_fname == NULL) {
		return strdup("");
	}
	char *folder = strdup(info.dli_fname);
	char *slash = folder == NULL ? NULL : strrchr(folder, '/');
	if (slash != NULL) {
		*slash = '\0';
	}
	return folder;
}

const char *mg_espeak_clause(const void **text, int *terminator) {
	return espeak_TextToPhonemesWithTerminator(text, espeakCHARS_AUTO, espeakPHONEMES_IPA, terminator);
}

int mg_espeak_initialize(const char *folder) {
	// Without this flag, the library exits the process if its data is missing.
	return espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, folder, espeakINITIALIZE_DONT_EXIT);
}
