// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package plug

import (
	"fmt"
	"io"
	"log/slog"
)

// Credentials are those of a TP-Link account.
type Credentials struct {
	// Username is the account's e-mail, exactly as registered: plugs hash it
	// as it is, so letter case counts.
	Username string
	Password Secret
}

// Secret is a string that shows itself as "<secret>" wherever it is printed,
// logged or encoded. Convert it to string to get at the value.
type Secret string

const hidden = "<secret>"

// String hides the value.
func (s Secret) String() string { return hidden }

// Format hides the value from every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, hidden) }

// LogValue hides the value in logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText hides the value in JSON and other encodings.
func (s Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// MarshalYAML hides the value in YAML; an empty one stays empty.
func (s Secret) MarshalYAML() (any, error) {
	if s == "" {
		return "", nil
	}
	return hidden, nil
}
