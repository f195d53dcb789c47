// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/simulator"
)

const username, password = "load@example.com", "load-password"

// tally is what the plugs have received together.
type tally struct{ Requests, Reads, Logins int }

// servePlugs is the process with the plugs. It writes a targets.yml, and then
// the tally for every line that it reads.
func servePlugs(n int, latency time.Duration, in io.Reader, out io.Writer) error {
	signal.Ignore(os.Interrupt, syscall.SIGTERM)
	models := []simulator.Model{simulator.P110, simulator.P110TPAP, simulator.P115, simulator.P110Passthrough}
	plugs := make([]*simulator.Plug, n)
	fmt.Fprintf(out, "auths: {load: {username: %s, password: %s}}\ntargets:\n", username, password)
	for i := range plugs {
		m := models[i%len(models)]
		plugs[i] = &simulator.Plug{
			Model: m, Name: fmt.Sprint("Plug ", i), Username: username, Password: password, Load: simulator.Fridge(), Latency: latency,
		}
		if err := plugs[i].Start(); err != nil {
			return err
		}
		defer plugs[i].Close()
		fmt.Fprintf(out, "  - {name: plug-%d, address: '%s', allow_passthrough: %t}\n", i, plugs[i].Addr(), m.Protocol == simulator.Passthrough)
	}
	fmt.Fprintln(out, endOfTargets)
	for lines := bufio.NewScanner(in); lines.Scan(); {
		var c tally
		for _, p := range plugs {
			s := p.Stats()
			c.Requests += s.Requests
			c.Reads += s.Methods["get_device_info"] // once in each read
			c.Logins += s.Logins
		}
		if err := json.NewEncoder(out).Encode(c); err != nil {
			return err
		}
	}
	return nil
}

const endOfTargets = "# end of targets"

// plugProcess is the other end of servePlugs.
type plugProcess struct {
	process *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	targets string // a targets.yml
}

func startPlugs(n int, latency time.Duration) (*plugProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &plugProcess{process: exec.Command(self, "--serve-plugs", strconv.Itoa(n), "--latency", latency.String())} //nolint:gosec,noctx // ourselves; ends with its input
	p.process.Stderr = os.Stderr
	if p.in, err = p.process.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	if err := p.process.Start(); err != nil {
		return nil, err
	}
	var targets strings.Builder
	for {
		line, err := p.out.ReadString('\n')
		if err != nil {
			p.stop()
			return nil, fmt.Errorf("the process with the plugs: %w", err)
		}
		if strings.TrimSpace(line) == endOfTargets {
			p.targets = targets.String()
			return p, nil
		}
		targets.WriteString(line)
	}
}

func (p *plugProcess) tally() (c tally, err error) {
	if _, err := fmt.Fprintln(p.in); err != nil {
		return c, err
	}
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(line, &c)
}

func (p *plugProcess) stop() {
	p.in.Close()
	_ = p.process.Wait()
}
