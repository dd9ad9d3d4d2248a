//go:build !linux && !darwin

package pull

import "errors"

// freeBytes is not known here: the disk itself will tell.
func freeBytes(string) (int64, error) { return 0, errors.ErrUnsupported }
