// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package rejections

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapo-exporter/tapo_exporter/collector"
	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

// TestProbesOnStalledDisk: a login that a plug has refused cannot be stored, and all plugs
// are read in time all the same, also those that are read for the first time.
func TestProbesOnStalledDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, yaml := new(simulator.Network), "auths: {home: {username: u, password: p}}\ntargets:\n"
		for i, password := range []string{"changed", "p", "p"} {
			p := &simulator.Plug{
				Model: simulator.P110TPAP, Username: "u", Password: password, TPAP: simulator.TPAPOptions{Iterations: 10},
				Network: network, Listen: "192.0.2." + strconv.Itoa(i+1) + ":80",
			}
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(p.Close)
			yaml += "- {name: plug" + strconv.Itoa(i) + ", address: " + p.Listen + "}\n"
		}
		stalled := make(chan struct{})
		f, _ := openedWith(t, filepath.Join(t.TempDir(), "rejections.json"), func(path string, data []byte) error {
			<-stalled
			return write(path, data)
		})
		path := filepath.Join(t.TempDir(), "targets.yml")
		writeFile(t, path, yaml)
		store := config.NewStore(func() string { return path }, f.logger)
		exporter := collector.New(collector.Options{Store: store, Rejections: f, DialContext: network.DialContext})
		if err := store.Reload(); err != nil {
			t.Fatal(err)
		}
		probe := func(target, want string) {
			t.Helper()
			began, w := time.Now(), httptest.NewRecorder()
			exporter.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/probe?target="+target, nil))
			if took := time.Since(began); !strings.Contains(w.Body.String(), want) || took > slow {
				t.Errorf("%s after %s:\n%s", target, took, w.Body)
			}
		}
		probe("plug1", "tapo_up 1\n")
		for range 3 {
			probe("plug0", "tapo_up 0\n")
			probe("plug1", "tapo_up 1\n")
			probe("plug2", "tapo_up 1\n")
		}
		close(stalled)
		synctest.Wait() // the disk answers again
		f.mustSync(t)
		if f.Load("192.0.2.1:80") == nil {
			t.Error("nothing was refused")
		}
	})
}

// BenchmarkSaveSync stores one refused login beside a thousand others. The disk of the
// machine decides.
func BenchmarkSaveSync(b *testing.B) {
	f, _ := opened(b, filepath.Join(b.TempDir(), "rejections.json"))
	fill(f)
	for b.Loop() {
		f.Save("0", []byte(`{"x":1}`))
		f.mustSync(b)
	}
}

// BenchmarkSync has nothing to store.
func BenchmarkSync(b *testing.B) {
	f, _ := opened(b, filepath.Join(b.TempDir(), "rejections.json"))
	fill(f)
	f.mustSync(b)
	time.Sleep(settled)
	for b.Loop() {
		f.mustSync(b)
	}
}

func fill(f *File) {
	for i := range maxEntries {
		f.Save(strconv.Itoa(i), []byte(`{"x":"`+strings.Repeat("x", 800)+`"}`))
	}
}
