package models

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"testing"
	"unsafe"
)

// What was read of the large files must not stay in the memory of the program.
func TestExtractReleasesThePagesThatItReads(t *testing.T) {
	page := uintptr(os.Getpagesize())
	sum := byte(0)
	for i := 0; i < len(chatData); i += int(page) {
		sum += chatData[i]
	}
	if before := present(t, chatData); before < 0.9 {
		t.Fatalf("%.2f of the file is in memory after it was read (%d)", before, sum)
	}
	extractTo(t, t.TempDir())
	if after := present(t, chatData); after > 0.1 {
		t.Errorf("%.2f of the file is still in memory", after)
	}
	// Its pages are those that [Extract] reads, and come back as they were.
	again, err := embedded.ReadFile(starterDir + "/" + Chat)
	if err != nil {
		t.Fatal(err)
	}
	if after := present(t, chatData); after < 0.9 {
		t.Errorf("%.2f of the file is in memory after it was read again: the program has another copy", after)
	}
	sums, err := Checksums()
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%x", sha256.Sum256(again)); got != sums[Chat] {
		t.Errorf("the file that is read again has the checksum %s, not %s", got, sums[Chat])
	}
}

// present returns which part of data is in the memory of this process.
func present(t *testing.T, data string) float64 {
	t.Helper()
	file, err := os.Open("/proc/self/pagemap")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	page := uintptr(os.Getpagesize())
	first := uintptr(unsafe.Pointer(unsafe.StringData(data))) / page
	entries := make([]byte, 8*(uintptr(len(data))/page))
	if _, err := file.ReadAt(entries, int64(8*first)); err != nil {
		t.Fatal(err)
	}
	n := 0
	for i := 0; i < len(entries); i += 8 {
		if binary.NativeEndian.Uint64(entries[i:])>>63 == 1 {
			n++
		}
	}
	return float64(n) / float64(len(entries)/8)
}
