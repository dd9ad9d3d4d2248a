//go:build linux || darwin

package pull

import "golang.org/x/sys/unix"

// freeBytes returns how many bytes a user can still write to the disk of a
// directory.
func freeBytes(dir string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil //nolint:gosec,unconvert // types differ by system; disks are below 8 EiB
}
