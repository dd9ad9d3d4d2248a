//go:build !linux && !darwin

package pull

import "errors"

// freeBytes is not implemented for this system: a write fails when the disk is full.
func freeBytes(string) (int64, error) { return 0, errors.ErrUnsupported }
