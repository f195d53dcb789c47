// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tpap

import (
	"bytes"
	"errors"
	"testing"
)

func TestFrames(t *testing.T) {
	v := load(t)
	for _, f := range v.Frames {
		if f.Handshake != v.Handshakes[0].Name {
			t.Fatalf("a frame of %s", f.Handshake)
		}
		frames, err := NewFrames(v.Handshakes[0].SharedKey)
		if err != nil {
			t.Fatal(err)
		}
		seq := uint32(f.Seq)
		if got := frames.Seal(seq, []byte(f.Text)); !bytes.Equal(got, f.Body) {
			t.Errorf("seq %d: sealed %x, want %x", f.Seq, got, []byte(f.Body))
		}
		if got, err := frames.Open(seq, f.Body); err != nil || string(got) != f.Text {
			t.Errorf("seq %d: opened %q, %v", f.Seq, got, err)
		}
		if _, err := frames.Open(seq+1, f.Body); !errors.Is(err, ErrSequence) {
			t.Errorf("seq %d, taken for the next: %v", f.Seq, err)
		}
		for i := seqSize; i < len(f.Body); i++ {
			damaged := bytes.Clone(f.Body)
			damaged[i] ^= 1
			if _, err := frames.Open(seq, damaged); !errors.Is(err, ErrTag) {
				t.Errorf("seq %d, byte %d wrong: %v", f.Seq, i, err)
			}
		}
		for n := range seqSize + tagSize {
			if _, err := frames.Open(seq, f.Body[:n]); !errors.Is(err, ErrLength) {
				t.Errorf("seq %d, %d bytes: %v", f.Seq, n, err)
			}
		}
	}
}

func TestPath(t *testing.T) {
	for token, want := range map[string]string{
		"0123456789ABCDEF": "/stok=0123456789ABCDEF/ds",
		"a!*()~'b":         "/stok=a!*()~'b/ds",
		"a%b?c#d/e":        "/stok=a%25b%3Fc%23d%2Fe/ds",
	} {
		if got := Path(token); got != want {
			t.Errorf("%s: %s, want %s", token, got, want)
		}
	}
}

func FuzzFrames(f *testing.F) {
	for _, v := range load(f).Frames {
		f.Add(uint32(v.Seq), []byte(v.Body))
	}
	f.Add(uint32(0x7b226572), []byte(`{"error_code":-2203}`))
	frames, err := NewFrames(make([]byte, 32))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, seq uint32, body []byte) {
		text, err := frames.Open(seq, body)
		if err != nil {
			if err := plainRefusal("request", body, err); err == nil {
				t.Error("a frame that does not open is no error")
			}
			return
		}
		if again := frames.Seal(seq, text); !bytes.Equal(again, body) {
			t.Errorf("%x opens as %x, which seals as %x", body, text, again)
		}
	})
}
