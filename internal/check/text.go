// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/safetext"
)

const (
	red   = "\x1b[31m"
	green = "\x1b[32m"
	bold  = "\x1b[1m"
	plain = "\x1b[0m"

	wide = 74 // how many characters a line of advice has
)

// Write writes a report as text, with the colours of a terminal if wanted.
func (r Report) Write(w io.Writer, colours bool) error {
	paint := func(colour, text string) string {
		if !colours {
			return text
		}
		return colour + text + plain
	}
	var b strings.Builder
	b.WriteString(paint(bold, r.Target))
	if r.Address != r.Target && r.Address != "" {
		b.WriteString("  " + r.Address)
	}
	b.WriteByte('\n')
	for _, s := range r.Steps {
		mark, took := "–", ""
		switch s.Status {
		case OK:
			mark = paint(green, "✓")
		case Failed:
			mark = paint(red, "✗")
		}
		if s.Status != Skipped {
			took = time.Duration(s.Seconds * float64(time.Second)).Round(time.Millisecond).String()
		}
		b.WriteString(strings.TrimRight(fmt.Sprintf("  %s %-10s %8s  %s", mark, s.Name, took, s.Detail), " ") + "\n")
	}
	if r.Advice != "" {
		head := string(r.Reason)
		if head != "" {
			head += ": "
		}
		for i, line := range wrap(head+r.Advice, wide) {
			if i == 0 {
				line = strings.Replace(line, head, paint(red, head), 1)
			}
			b.WriteString("    " + line + "\n")
		}
	}
	for _, n := range r.Notes {
		b.WriteString("  ! " + n + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// clean makes the report safe for a terminal, since plugs choose parts of it.
func (r *Report) clean() {
	for _, text := range []*string{&r.Target, &r.Address, &r.Model, &r.Firmware, &r.Problem, &r.Advice} {
		*text = safetext.Clean(*text)
	}
	for i := range r.Steps {
		r.Steps[i].Detail = safetext.Clean(r.Steps[i].Detail)
	}
	for i := range r.Notes {
		r.Notes[i] = safetext.Clean(r.Notes[i])
	}
}

// wrap breaks a text into lines.
func wrap(text string, width int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
