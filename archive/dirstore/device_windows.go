package dirstore

import (
	"errors"

	"golang.org/x/sys/windows"
)

// crossesDevices reports whether a rename failed because its ends lie on different volumes.
func crossesDevices(err error) bool { return errors.Is(err, windows.ERROR_NOT_SAME_DEVICE) }
