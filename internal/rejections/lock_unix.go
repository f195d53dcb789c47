// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package rejections

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

const noFollow = syscall.O_NOFOLLOW

// tryLock takes the lock unless another process has it.
func tryLock(file *os.File) (locked bool, err error) {
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) || errors.Is(err, syscall.EINTR) {
		return false, nil
	}
	return err == nil, err
}

// inheritOwner gives a new file of root's to the owner of its directory: the service must
// be able to read what its administrator's check has written.
func inheritOwner(file *os.File) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(filepath.Dir(file.Name()))
	if err != nil {
		return err
	}
	directory := info.Sys().(*syscall.Stat_t)
	return file.Chown(int(directory.Uid), int(directory.Gid))
}
