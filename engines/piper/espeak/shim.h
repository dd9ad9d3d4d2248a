// What espeak-ng's C interface lacks or leaves to its caller.
#ifndef MG_ESPEAK_SHIM_H
#define MG_ESPEAK_SHIM_H

// The folder of the library's file, "" where the system does not tell.
// The caller frees it.
char *mg_espeak_folder(void);

// Translates the next clause of *text and moves *text behind it, or to NULL at
// the end. The phonemes belong to the library until the next call.
const char *mg_espeak_clause(const void **text, int *terminator);

// The sample rate, or a negative number for a failure. folder may be NULL.
int mg_espeak_initialize(const char *folder);

#endif
