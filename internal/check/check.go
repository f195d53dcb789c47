// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package check reads a target once, step by step, and gives advice on the first
// step that fails.
//
// It reads the plug as the exporter does, and makes the steps from what that read
// reports. It tries nothing that the exporter would not try, so a wrong password
// costs one login, like the first probe.
package check

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/internal/plugs"
	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// Status is how a step went.
type Status string

// The outcomes of a step.
const (
	OK      Status = "ok"
	Failed  Status = "failed"
	Skipped Status = "skipped" // not needed, or not reached
)

// Step is a step of a check. All checks have the same steps in the same order.
type Step struct {
	Name    string  `json:"name"`
	Status  Status  `json:"status"`
	Seconds float64 `json:"seconds"`
	Detail  string  `json:"detail"`
}

// The names of steps, in their order.
const (
	stepResolve    = "resolve"
	stepConnect    = "connect"
	stepWakeUp     = "wake-up"
	stepProtocol   = "protocol"
	stepLogin      = "login"
	stepComponents = "components"
	stepRead       = "read"
	stepClock      = "clock"
)

var stepNames = []string{stepResolve, stepConnect, stepWakeUp, stepProtocol, stepLogin, stepComponents, stepRead, stepClock}

// Report is the result of a check.
type Report struct {
	Target   string        `json:"target"`
	Address  string        `json:"address"`
	Model    string        `json:"model,omitempty"` // of a plug that was read, as what follows
	Firmware string        `json:"firmware,omitempty"`
	Protocol tapo.Protocol `json:"protocol,omitempty"`
	OK       bool          `json:"ok"`
	Steps    []Step        `json:"steps"`
	Reason   tapo.Reason   `json:"reason,omitempty"` // of the first step that failed
	Problem  string        `json:"problem,omitempty"`
	Advice   string        `json:"advice,omitempty"`
	Notes    []string      `json:"notes,omitempty"` // settings that deserve a second look
}

// Checker checks targets. Its methods are safe for concurrent use: of the targets
// that name the same plug, one is read at a time.
type Checker struct {
	// Config has the accounts, and where to search for plugs.
	Config *config.Config
	// Timeout is for each target; 0 means ten seconds.
	Timeout time.Duration
	// Rejections is what the exporter has stored about rejected logins; may be nil.
	Rejections tapo.RejectionStore
	// DialContext, Search and Now replace the network and the clock if they are
	// not nil.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	LookupIP    func(ctx context.Context, network, host string) ([]netip.Addr, error)
	Search      func(ctx context.Context, s discovery.Search, found func(discovery.Device)) error
	Now         func() time.Time

	once  sync.Once
	locks plugs.Locks
}

const (
	defaultTimeout = 10 * time.Second
	// SearchTime is how long to search for plugs, ownerTime how long to wait for the
	// reply of one plug.
	SearchTime = 3 * time.Second
	ownerTime  = time.Second
	// clockSlack is how wrong a clock may be without a word.
	clockSlack = 2 * time.Minute
)

// Target checks a target.
func (c *Checker) Target(ctx context.Context, t config.Target) Report {
	c.once.Do(c.complete)
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	r := &run{Checker: c, target: t, report: Report{Target: t.Name, Address: t.Address}}
	for _, name := range stepNames {
		r.report.Steps = append(r.report.Steps, Step{Name: name, Status: Skipped})
	}
	if t.SkipReplyVerification() {
		r.addNote("verify_replies: false takes replies that anyone on the network could have written")
	}
	if t.AllowPassthrough && t.MAC == "" {
		r.addNote("allow_passthrough gives the account's password to whoever answers at the address")
	}
	if failed := plugs.CheckAccount(t); failed != nil {
		r.fail(stepLogin, 0, failed.Reason, failed.Err.Error(), failed.Advice)
	} else if r.resolve(ctx) {
		r.read(ctx)
	}
	r.report.OK = !slices.ContainsFunc(r.report.Steps, func(s Step) bool { return s.Status == Failed })
	r.report.clean()
	return r.report
}

// complete sets what was left out.
func (c *Checker) complete() {
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Search == nil {
		c.Search = func(ctx context.Context, s discovery.Search, found func(discovery.Device)) error {
			return s.Run(ctx, found)
		}
	}
	if c.LookupIP == nil {
		c.LookupIP = net.DefaultResolver.LookupNetIP
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.locks.Rejections = c.Rejections
}

// run is one check.
type run struct {
	*Checker
	target config.Target
	report Report
}

func (r *run) addNote(text string) { r.report.Notes = append(r.report.Notes, text) }

func (r *run) step(name string) *Step { return &r.report.Steps[slices.Index(stepNames, name)] }

func (r *run) pass(name string, took time.Duration, detail string) {
	*r.step(name) = Step{name, OK, took.Seconds(), detail}
}

func (r *run) skip(name, why string) { r.step(name).Detail = why }

// fail records that a step has failed. The first one decides the advice.
func (r *run) fail(name string, took time.Duration, reason tapo.Reason, problem, advice string) {
	*r.step(name) = Step{name, Failed, took.Seconds(), problem}
	if r.report.Reason == "" {
		r.report.Reason, r.report.Problem, r.report.Advice = reason, problem, advice
	}
}

// resolve determines the plug's address.
func (r *run) resolve(ctx context.Context) bool {
	start := r.Now()
	took := func() time.Duration { return r.Now().Sub(start) }
	if r.target.MAC != "" {
		at := r.find(ctx)
		if at == "" {
			missing := tapo.NotFound(r.target.MAC)
			r.fail(stepResolve, took(), missing.Reason, missing.Err.Error(), missing.Advice)
			return false
		}
		r.target.Address, r.target.Located, r.report.Address = at, !r.target.Unlisted, at
		r.pass(stepResolve, took(), r.target.MAC+" is at "+at)
		return true
	}
	address, err := tapo.ParseAddress(r.target.Address)
	if err != nil {
		r.fail(stepResolve, took(), tapo.Unreachable, err.Error(), "Correct the address.")
		return false
	}
	r.report.Address = address
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	if _, err := netip.ParseAddr(host); err == nil {
		r.pass(stepResolve, took(), "an IP address")
		return true
	}
	addresses, err := r.LookupIP(ctx, "ip", host)
	if unknown, _ := errors.AsType[*net.DNSError](err); err != nil && (unknown == nil || !unknown.IsNotFound) {
		r.fail(stepResolve, took(), tapo.Unreachable, "the name server does not answer", "Check this computer's network, or give the plug's address instead of its name.")
		return false
	}
	if err != nil {
		r.fail(stepResolve, took(), tapo.Unreachable, "nobody knows the name "+host,
			"Correct the name in the configuration, or give the plug's address instead: the Tapo app shows it in the plug's settings under Device Info.")
		return false
	}
	texts := make([]string, len(addresses))
	for i, a := range addresses {
		texts[i] = a.Unmap().String()
	}
	r.pass(stepResolve, took(), strings.Join(texts, ", "))
	return true
}

// find searches for the plug by its MAC.
func (r *run) find(ctx context.Context) string {
	search := discovery.Search{Addresses: r.Config.Discovery.Addresses, Timeout: SearchTime}
	at, err := discovery.Find(ctx, r.target.MAC, func(ctx context.Context, found func(discovery.Device)) error { return r.Search(ctx, search, found) })
	if err != nil {
		r.addNote("the search could not be sent: " + err.Error())
	}
	return at
}

// read reads the plug, and reports the steps of that.
func (r *run) read(ctx context.Context) {
	t := r.newTrace()
	lock := r.locks.At(r.report.Address)
	if lock.Acquire(ctx) != nil {
		r.fail(stepConnect, 0, tapo.Timeout, "the plug was being checked under another name all the time", tapo.Timeout.Advice())
		return
	}
	defer lock.Release()
	device, failed := plugs.Open(r.target, plugs.Options{Guard: lock.Guard, Guesses: r.locks.Guesses(), Trace: t.hooks(), DialContext: t.dial, Now: r.Now})
	if failed != nil {
		r.fail(stepResolve, 0, failed.Reason, failed.Err.Error(), failed.Advice)
		return
	}
	defer device.Close()
	reading, err := device.Read(ctx)
	failed, _ = errors.AsType[*tapo.Error](err)
	r.report.Model, r.report.Firmware, r.report.Protocol = reading.Info.Model, reading.Info.Firmware, reading.Protocol

	if len(t.attempts) == 0 { // a login that was rejected before is not repeated yet
		r.fail(stepLogin, 0, failed.Reason, failed.Err.Error(), r.advise(ctx, failed))
		return
	}
	if r.connection(t, failed); r.report.Reason != "" {
		return
	}
	failedStep := ""
	if failed != nil {
		failedStep = t.failedStep(failed)
	}
	all := device.Components()
	for _, s := range []struct {
		name   string
		took   time.Duration
		detail func() string
	}{
		{stepProtocol, t.spent[tapo.PhaseAsk], func() string { return protocolDetail(reading, failed, t) }},
		{stepLogin, t.spent[tapo.PhaseLogIn], func() string { return "the plug accepts the account" }},
		{stepComponents, 0, func() string { return componentsDetail(all, len(reading.Outlets)) }},
		{stepRead, t.spent[tapo.PhaseRead], func() string { return readDetail(reading, t.requests) }},
	} {
		if s.name == failedStep {
			r.fail(s.name, s.took, failed.Reason, problem(failed), r.advise(ctx, failed))
			return
		}
		if s.name == stepComponents && all == nil {
			r.pass(stepComponents, 0, "the plug does not list them")
			continue
		}
		r.pass(s.name, s.took, s.detail())
	}
	r.clock(reading)
	for _, note := range t.failures() {
		r.addNote(note)
	}
	if _, unlisted := t.failed[call{method: childList}]; unlisted && len(reading.Outlets) == 0 {
		r.fail(stepRead, t.spent[tapo.PhaseRead], tapo.PlugError, "the strip does not list its sockets", tapo.PlugError.Advice())
	}
}

// problem says what went wrong.
func problem(failed *tapo.Error) string {
	if failed.Reason == tapo.Timeout {
		return "no answer in time"
	}
	return failed.Err.Error()
}

// connection reports the steps until a connection is established.
func (r *run) connection(t *trace, failed *tapo.Error) {
	first := t.attempts[0]
	woken := !t.woken.IsZero()
	switch {
	case first.err != nil && woken && t.established:
		r.pass(stepConnect, first.took, "refused at first")
		r.pass(stepWakeUp, t.wakeTook, "a discovery packet has opened the plug's port")
	case !t.established && woken:
		r.fail(stepConnect, first.took, tapo.Unreachable, "nothing accepts connections at "+r.report.Address, failed.Advice)
		r.skip(stepWakeUp, "a discovery packet has not changed that")
	case t.established:
		r.pass(stepConnect, first.took, "")
		r.pass(stepWakeUp, 0, "not needed")
	default:
		r.fail(stepConnect, first.took, failed.Reason, problem(failed), failed.Advice)
	}
}

// clock compares the plug's clock with ours.
func (r *run) clock(reading tapo.Reading) {
	offset, known := reading.ClockOffset.Get()
	switch {
	case !known:
		r.pass(stepClock, 0, "the plug does not tell the time")
	case offset.Abs() > plug.MaxClockOffset:
		r.fail(stepClock, 0, "", "the plug's clock is "+clockDetail(offset)+", so its energy counters mean nothing and are not shown",
			"The plug sets its clock over the internet (pool.ntp.org). Let it go online for a moment: check that the router does not block it. Check this computer's clock as well.")
	case offset.Abs() > clockSlack:
		r.pass(stepClock, 0, clockDetail(offset)+"; the day of its counters begins then, too")
	default:
		r.pass(stepClock, 0, "right")
	}
}
