// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package rejections

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

const noFollow = 0

// tryLock takes the lock unless another process has it.
func tryLock(file *os.File) (locked bool, err error) {
	err = windows.LockFileEx(windows.Handle(file.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &windows.Overlapped{})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}

// inheritOwner does nothing: files inherit their directory's permissions.
func inheritOwner(*os.File) error { return nil }
