// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugtest"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

func TestLockedPlugIsLeftAlone(t *testing.T) {
	h := newHost(t, map[string]http.HandlerFunc{"/": text(200, locked)})
	now := time.Now()
	d, err := tapo.New(tapo.Config{Address: h.Listener.Addr().String(), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		plugtest.Fails(t, d, tapo.Locked)
	}
	if len(h.asked) != 1 {
		t.Errorf("asked %v", h.asked)
	}
	now = now.Add(31 * time.Minute)
	plugtest.Fails(t, d, tapo.Locked)
	if len(h.asked) != 2 {
		t.Errorf("asked %v", h.asked)
	}
}

// TestLockedPlugIsAskedOnce: a plug that others have locked is asked once, and again when the
// lock is over; then it is read.
func TestLockedPlugIsAskedOnce(t *testing.T) {
	atHome(t, &simulator.Plug{TPAP: simulator.TPAPOptions{MaxFailures: 1, LockTime: 50 * time.Minute}}, plugtest.Credentials, func(h *plugtest.Home) {
		ours := h.Guard
		h.Guard = nil
		stranger := h.NewDevice(with(wrong))
		if _, err := stranger.Read(h.Context()); err == nil {
			h.Fatal("read with a wrong password")
		}
		h.Guard = ours
		saw(h, "when it locked", 1, 1)
		asked(h, "when it locked", 1)
		if reason, _ := h.Probe(); reason != tapo.Locked {
			h.Fatalf("reason %s", reason)
		}
		h.Reload(tapo.Credentials{Username: plugtest.Username, Password: "other"})
		h.Reload(plugtest.Credentials)
		if seen := h.Poll(49 * time.Minute); seen[tapo.Locked] != 49*4 {
			h.Errorf("reasons %v", seen)
		}
		saw(h, "until the lock is over", 1, 1)
		asked(h, "until the lock is over", 2)
		if seen := h.Poll(2 * time.Minute); seen[tapo.Locked] != 4 || seen[plugtest.OK] != 4 {
			h.Errorf("reasons %v", seen)
		}
		saw(h, "after the lock", 2, 1)
		asked(h, "after the lock", 3)
	})
}

// TestLockedAtLogin: a session is lost while the plug is locked.
func TestLockedAtLogin(t *testing.T) {
	for _, step := range []string{"pake_register", "pake_share"} {
		atHome(t, &simulator.Plug{}, plugtest.Credentials, func(h *plugtest.Home) {
			h.Poll(time.Minute)
			h.Plug.LoseSession()
			h.Plug.Inject(simulator.Fault{Kind: simulator.Code, Code: -2101, Path: step, Times: 1})
			if seen := h.Poll(40 * time.Minute); seen[tapo.Locked] != 30*4 || seen[plugtest.OK] != 10*4 {
				h.Errorf("%s: reasons %v", step, seen)
			}
			if got := h.Plug.Stats().Steps["discover"]; got != 3 { // by each login
				h.Errorf("%s: asked %d times, want 3", step, got)
			}
		})
	}
}

// TestImpostorGetsOneProof: something that accepts our proof and has none gets no other: each
// would let it try a password.
func TestImpostorGetsOneProof(t *testing.T) {
	atHome(t, &simulator.Plug{}, plugtest.Credentials, func(h *plugtest.Home) {
		h.Plug.Inject(simulator.Fault{Kind: simulator.BadConfirm, Path: "pake_share"})
		h.Poll(6 * time.Hour)
		if s := h.Plug.Stats(); s.Steps["pake_share"] != 1 || s.Steps["/ds"] != 0 {
			h.Errorf("steps %v", s.Steps)
		}
	})
}

// TestLockedWhileReading: the data channel may say so, too.
func TestLockedWhileReading(t *testing.T) {
	atHome(t, &simulator.Plug{}, plugtest.Credentials, func(h *plugtest.Home) {
		h.Poll(time.Minute)
		h.Plug.Inject(simulator.Fault{Kind: simulator.Code, Code: -2101, Path: "/ds", Times: 1})
		if seen := h.Poll(40 * time.Minute); seen[tapo.Locked] != 30*4 || seen[plugtest.OK] != 10*4 {
			h.Errorf("reasons %v", seen)
		}
		saw(h, "in all", 2, 0)
	})
}

// TestShortLocksCount: something that answers each proof with a short lock gets
// three of them.
func TestShortLocksCount(t *testing.T) {
	atHome(t, &simulator.Plug{}, plugtest.Credentials, func(h *plugtest.Home) {
		h.Plug.Inject(simulator.Fault{Path: "pake_share", Rewrite: func([]byte) []byte {
			return []byte(`{"error_code":-2101,"data":{"sec_left":1}}`)
		}})
		h.Poll(12 * time.Hour)
		if got := h.Plug.Stats().Steps["pake_share"]; got != 3 {
			h.Errorf("%d proofs", got)
		}
	})
}

// TestForgedLock: anybody can say that a plug is locked, so nobody is believed
// for long.
func TestForgedLock(t *testing.T) {
	atHome(t, &simulator.Plug{}, plugtest.Credentials, func(h *plugtest.Home) {
		h.Plug.Inject(simulator.Fault{Path: "discover", Times: 1, Rewrite: func([]byte) []byte {
			return []byte(`{"error_code":-2101,"error_info":{"lockedMinute":1e9}}`)
		}})
		if seen := h.Poll(25 * time.Hour); seen[tapo.Locked] != 24*60*4 || seen[plugtest.OK] != 60*4 {
			h.Errorf("reasons %v", seen)
		}
	})
}
