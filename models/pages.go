package models

import (
	_ "embed" // for the variables below
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The large files again, as strings: those have an address. The linker keeps one copy
// of equal data.
var (
	//go:embed starter/chat.gguf
	chatData string
	//go:embed starter/voice.onnx
	voiceData string
	//go:embed starter/pronunciation.onnx
	pronunciationData string
	//go:embed starter/pronunciation.lexicon.txt
	lexiconData string
	//go:embed starter/whisper.bin
	whisperData string
)

// releasePages gives back the memory that the large files take after they were read:
// pages of the program, which the kernel reads again if they are needed. It is only a
// hint, so errors do not matter.
func releasePages() {
	page := uintptr(os.Getpagesize())
	for _, data := range []string{chatData, voiceData, pronunciationData, lexiconData, whisperData} {
		start := unsafe.Pointer(unsafe.StringData(data))
		skip := -uintptr(start) % page // only whole pages: others have more than the file
		if size := uintptr(len(data)); size >= skip+page {
			whole := unsafe.Slice((*byte)(unsafe.Add(start, skip)), (size-skip)/page*page)
			_ = unix.Madvise(whole, unix.MADV_DONTNEED)
		}
	}
}
