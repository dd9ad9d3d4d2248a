// Functions over libespeak-ng's C interface for package espeak.
#ifndef MG_ESPEAK_SHIM_H
#define MG_ESPEAK_SHIM_H

// Returns the folder of the library's file, "" if it is not known. The caller must
// free it.
char *mg_espeak_folder(void);

// Translates the next clause of *text and moves *text after it, or to NULL at the
// end. The library owns the returned phonemes; they are valid until the next call.
const char *mg_espeak_clause(const void **text, int *terminator);

// Returns the sample rate, or a negative number after a failure. folder may be
// NULL.
int mg_espeak_initialize(const char *folder);

#endif
