// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package rejections

import (
	"errors"
	"fmt"
	"os"
	"time"
)

const (
	// lockTime is how long a visit waits for another process to release the lock, and
	// lockPause how long between two tries.
	lockTime  = time.Second
	lockPause = 10 * time.Millisecond
)

// acquire takes the lock of a file that exists for nothing else, so that it is never
// replaced. The system releases it if the process ends.
func acquire(path string) (release func(), err error) {
	file, err := openLock(path)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(lockTime); ; time.Sleep(lockPause) {
		switch locked, err := tryLock(file); {
		case err != nil:
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
		case locked:
			return func() { file.Close() }, nil
		case !time.Now().Before(deadline):
			return nil, errors.Join(fmt.Errorf("another process has not released %s for %s", path, lockTime), file.Close())
		}
	}
}

// openLock opens the file of the lock, and makes it if there is none.
func openLock(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the user names it
	if errors.Is(err, os.ErrExist) {
		return os.OpenFile(path, os.O_RDWR|noFollow, 0) //nolint:gosec // the user names it
	}
	if err != nil {
		return nil, err
	}
	if err := inheritOwner(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}
