package codecs

// #cgo LDFLAGS: -lfaad
// #include <neaacdec.h>
//
// // The configuration is a structure that cgo cannot see behind its pointer type.
// static int configure(NeAACDecHandle handle) {
//   NeAACDecConfigurationPtr config = NeAACDecGetCurrentConfiguration(handle);
//   config->outputFormat = FAAD_FMT_16BIT;
//   config->downMatrix = 1;
//   return NeAACDecSetConfiguration(handle, config);
// }
import "C"

import (
	"errors"
	"unsafe"

	"github.com/lexilingo/modelgateway/engines/decode"
)

// aac decodes with FAAD2: AAC-LC and HE-AAC, more than two channels mixed down to two.
type aac struct{ handle C.NeAACDecHandle }

func newAAC(description []byte) (decode.Decoder, error) {
	a := &aac{handle: C.NeAACDecOpen()}
	if a.handle == nil {
		return nil, errors.New("FAAD2 does not start")
	}
	var rate C.ulong
	var channels C.uchar
	if len(description) == 0 || C.configure(a.handle) == 0 ||
		C.NeAACDecInit2(a.handle, (*C.uchar)(&description[0]), C.ulong(len(description)), &rate, &channels) != 0 {
		a.Close()
		return nil, errors.New("this kind of AAC is not supported")
	}
	return a, nil
}

// Decode implements decode.Decoder. FAAD2 returns no samples for the first packet.
func (a *aac) Decode(packet []byte) (decode.Sound, bool) {
	if len(packet) == 0 {
		return decode.Sound{}, false
	}
	var info C.NeAACDecFrameInfo
	samples := C.NeAACDecDecode(a.handle, &info, (*C.uchar)(&packet[0]), C.ulong(len(packet)))
	if info.error != 0 || samples == nil || info.samples == 0 {
		return decode.Sound{}, false
	}
	sound := decode.Sound{Rate: int(info.samplerate), Channels: int(info.channels)}
	sound.Samples = append(sound.Samples, unsafe.Slice((*int16)(samples), int(info.samples))...)
	return sound, true
}

// Close implements decode.Decoder.
func (a *aac) Close() { C.NeAACDecClose(a.handle) }
