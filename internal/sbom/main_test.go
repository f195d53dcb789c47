// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestSBOM reads this very test's program.
func TestSBOM(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	if err := run(&first, path, "1.2.3"); err != nil {
		t.Fatal(err)
	}
	if err := run(&second, path, "1.2.3"); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Errorf("two runs differ: %v", err)
	}
	var b bom
	if err := json.Unmarshal(first.Bytes(), &b); err != nil {
		t.Fatal(err)
	}
	main := b.Metadata.Component
	if b.Format != "CycloneDX" || main.Version != "1.2.3" || !strings.HasPrefix(main.PURL, "pkg:golang/") || !strings.HasSuffix(main.PURL, "@1.2.3") {
		t.Errorf("%+v", b)
	}
	if len(b.Components) == 0 || b.Components[0].Name != "std" || b.Components[0].Version == "" {
		t.Errorf("%+v", b.Components)
	}
	if err := run(&first, "main_test.go", "1"); err == nil {
		t.Error("no error for what is no program")
	}
}
