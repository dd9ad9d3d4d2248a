package pull

import (
	"context"
	"crypto/sha1" //nolint:gosec // git's name of a small file, beside the sha256 that is locked
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
)

// sums are a file's checksums.
type sums struct {
	size            int64
	sha256, gitBlob string
}

// hashFile reads a file to its end.
func hashFile(ctx context.Context, r io.Reader, size int64, tell func(done int64)) (sums, error) {
	whole := sha256.New()
	blob := sha1.New() //nolint:gosec // see above
	fmt.Fprintf(blob, "blob %d\x00", size)
	s := sums{}
	buffer := make([]byte, 1<<20)
	for {
		if err := ctx.Err(); err != nil {
			return s, err
		}
		n, err := r.Read(buffer)
		for _, h := range []hash.Hash{whole, blob} {
			_, _ = h.Write(buffer[:n]) // a hash takes everything
		}
		s.size += int64(n)
		tell(s.size)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return s, err
		}
	}
	s.sha256, s.gitBlob = hex.EncodeToString(whole.Sum(nil)), hex.EncodeToString(blob.Sum(nil))
	return s, nil
}

// are tells whether a file is what was announced: by every checksum there is,
// and there is one.
func (s sums) are(want remote) bool {
	return s.size == want.size && (want.sha256 != "" || want.gitBlob != "") &&
		(want.sha256 == "" || s.sha256 == want.sha256) && (want.gitBlob == "" || s.gitBlob == want.gitBlob)
}
