// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tapo-exporter/tapo_exporter/internal/atomicfile"
)

// toStdout is the output that is not a file.
const toStdout = "-"

// checkOutput returns early the error with which writing a file would fail.
func checkOutput(path string) error {
	if path == toStdout {
		return nil
	}
	if path == "" {
		return errUsage("--output must be a file, or - for the standard output")
	}
	to, err := destination(path)
	if err == nil && !to.direct {
		if to.info != nil && to.info.IsDir() {
			return fmt.Errorf("--output: %s is a directory", to.path)
		}
		err = atomicfile.Check(to.path)
	}
	if err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	return nil
}

// writeOutput writes to a file in one step, so that it is never half written. A
// file that was there keeps its permissions, unless another user chose them.
func writeOutput(path string, stdout io.Writer, write func(io.Writer) error) error {
	if path == toStdout {
		return write(stdout)
	}
	to, err := destination(path)
	if err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	if to.direct {
		file, err := os.OpenFile(to.path, os.O_WRONLY|to.flags, 0)
		if err != nil {
			return err
		}
		return errors.Join(write(file), file.Close())
	}
	mode := os.FileMode(0o644) // another user may import it
	if to.info != nil && !ownedByAnother(to.info, os.Geteuid()) {
		mode = to.info.Mode().Perm()
	}
	return atomicfile.Write(to.path, mode, write)
}

// place is where to write.
type place struct {
	path   string
	info   fs.FileInfo // of what is there, nil if nothing is
	direct bool        // no regular file, such as a pipe: there is nothing to replace
	flags  int         // to open it with, if direct
}

// destination follows symbolic links to where a path leads.
func destination(path string) (place, error) {
	to, err := followLinks(path, os.Geteuid())
	if err != nil {
		return place{}, err
	}
	info, err := os.Lstat(to)
	if err == nil {
		return place{to, info, !info.Mode().IsRegular() && !info.IsDir(), noFollow}, nil
	}
	if _, err := os.Lstat(path); err == nil { // a link to a file without a name, such as /dev/stdout
		return place{path: path, direct: true}, nil
	}
	return place{path: to}, nil
}

// maxLinks is how many symbolic links a path may have, as on Linux.
const maxLinks = 40

// followLinks returns a path without its symbolic links. A link of another user is an
// error: in a directory such as /tmp, anybody can place one that leads to a file of the
// user. Root's are fine.
func followLinks(path string, user int) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	for range maxLinks {
		link, rest, info := firstLink(path)
		if info == nil {
			return path, nil
		}
		if ownedByAnother(info, user) {
			return "", fmt.Errorf("%s is a symbolic link of another user: name the file that it leads to, or another one", link)
		}
		to, err := os.Readlink(link)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(link), to)
		}
		path = filepath.Join(to, rest)
	}
	return "", fmt.Errorf("%s: too many symbolic links", path)
}

// firstLink returns the first part of an absolute path that is a symbolic link, and the
// rest of the path; info is nil if there is no link.
func firstLink(path string) (link, rest string, info fs.FileInfo) {
	const separator = string(filepath.Separator)
	link = filepath.VolumeName(path) + separator
	rest = strings.TrimPrefix(path, link)
	for rest != "" {
		var name string
		name, rest, _ = strings.Cut(rest, separator)
		link = filepath.Join(link, name)
		if info, err := os.Lstat(link); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return link, rest, info
		}
	}
	return path, "", nil
}
