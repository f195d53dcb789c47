// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
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
	r = r.printable()
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

// printable replaces unprintable characters, since names come from plugs.
func (r Report) printable() Report {
	clean := func(text string) string {
		return strings.Map(func(c rune) rune {
			if !unicode.IsPrint(c) {
				return '?'
			}
			return c
		}, text)
	}
	r.Target, r.Address, r.Advice = clean(r.Target), clean(r.Address), clean(r.Advice)
	r.Steps, r.Notes = slices.Clone(r.Steps), slices.Clone(r.Notes)
	for i := range r.Steps {
		r.Steps[i].Detail = clean(r.Steps[i].Detail)
	}
	for i := range r.Notes {
		r.Notes[i] = clean(r.Notes[i])
	}
	return r
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
