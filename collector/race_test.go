// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

//go:build race

package collector

func init() { raceDetector = true }
