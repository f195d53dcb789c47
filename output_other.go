// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package main

import "io/fs"

const noFollow = 0

// ownedByAnother reports false: only privileged users make symbolic links here.
func ownedByAnother(fs.FileInfo, int) bool { return false }
