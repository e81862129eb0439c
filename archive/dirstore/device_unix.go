//go:build unix

package dirstore

import (
	"errors"

	"golang.org/x/sys/unix"
)

// crossesDevices reports whether a rename failed because its ends lie on different file systems.
func crossesDevices(err error) bool { return errors.Is(err, unix.EXDEV) }
