// opusenc.h includes this name. The folder of the real file is not one of the
// compiler's, and with a private prefix only CGO_CFLAGS could say where it is.
#include <opus/opus.h>
