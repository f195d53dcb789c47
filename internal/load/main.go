// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Command load measures the exporter under load: the built binary, simulated
// plugs in a process of their own, and a real Prometheus that scrapes them
// through /sd, all on this machine. It prints a row of docs/operations.md for
// each number of plugs, and fails if a target is missed.
//
//	go run ./internal/load --plugs 10,100,1000 --duration 2m
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The targets, for plugs that take 25 ms to answer.
const (
	maxMemory  = 80 << 20 // bytes resident
	maxCPU     = 0.25     // of one core
	maxLatency = 3.0      // of the plug's own, for 99 of 100 scrapes
	maxGrowth  = 1.0      // of the cost per read, from a hundred plugs to a thousand
)

func main() {
	var o options
	sizes := flag.String("plugs", "1000", "how many plugs, or several such numbers")
	flag.DurationVar(&o.duration, "duration", 2*time.Minute, "how long to measure")
	flag.DurationVar(&o.interval, "interval", 15*time.Second, "how often every plug is scraped")
	flag.DurationVar(&o.latency, "latency", 25*time.Millisecond, "what a plug takes to answer")
	strict := flag.Bool("strict", true, "fail if a target of speed or size is missed, too")
	serve := flag.Int("serve-plugs", 0, "be the process with so many plugs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *serve, *sizes, o, *strict)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, serve int, sizes string, o options, strict bool) error {
	if serve > 0 { // ends with its input, not on a signal of the terminal
		return servePlugs(serve, o.latency, os.Stdin, os.Stdout)
	}
	if flag.NArg() > 0 || o.duration < o.interval || o.interval <= 0 || o.latency < 0 {
		return errors.New("there are no arguments, and the duration must be as long as the interval at least")
	}
	var numbers []int
	for text := range strings.SplitSeq(sizes, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 1 {
			return fmt.Errorf("not a number of plugs: %q", text)
		}
		numbers = append(numbers, n)
	}
	if _, err := exec.LookPath("prometheus"); err != nil {
		return errors.New("prometheus is not installed (Debian: apt-get install prometheus)")
	}
	return measureAll(ctx, numbers, o, strict)
}

type options struct {
	binary                      string // of the exporter
	duration, interval, latency time.Duration
}

func measureAll(ctx context.Context, numbers []int, o options, strict bool) error {
	dir, err := os.MkdirTemp("", "load")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	o.binary = filepath.Join(dir, "tapo_exporter")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", o.binary, "github.com/tapo-exporter/tapo_exporter") //nolint:gosec // our own
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	fmt.Println("| plugs | scrapes | failed | requests per warm read | scrape p50 | scrape p99 | CPU | CPU per read | resident memory |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|")
	var missed []error
	var before *result
	for i, n := range numbers {
		r, err := measure(ctx, filepath.Join(dir, strconv.Itoa(i)), n, o)
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		if err != nil {
			return fmt.Errorf("%d plugs: %w", n, err)
		}
		fmt.Printf("| %d | %d | %d | %.2f | %s | %s | %.1f %% | %s | %.0f MiB |\n", n, r.scrapes, r.failed, r.requestsPerRead(),
			milliseconds(r.p50), milliseconds(r.p99), 100*r.cpu(), milliseconds(r.cpuPerRead()), float64(r.memory)/(1<<20))
		missed = append(missed, r.judge(o, before, strict))
		if n >= 100 {
			before = &r
		}
	}
	return errors.Join(missed...)
}

func milliseconds(d time.Duration) string {
	if ms := d.Seconds() * 1000; ms < 10 {
		return fmt.Sprintf("%.2f ms", ms)
	}
	return fmt.Sprintf("%.0f ms", d.Seconds()*1000)
}
