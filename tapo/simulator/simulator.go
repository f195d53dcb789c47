// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package simulator runs simulated plugs on real sockets, in the manner of
// net/http/httptest. Set the fields of a [Plug], call Start, connect to Addr, and
// Close it.
//
// A simulated plug behaves as real ones are known to, also where that makes a test
// harder. It keeps one session, or four with TPAP. It checks signatures and sequence
// numbers, ends a batch at the first refusal, counts energy in whole watt-hours from
// its own local midnight, and answers requests of other protocols as firmware of its
// generation does. Faults can be injected while it runs.
//
// Facts about plugs have their source beside them. owner/repository#1 is an issue or a
// pull request on GitHub; python-kasa's recordings are the directory
// tests/fixtures/smart of python-kasa/python-kasa.
package simulator

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Plug is a simulated plug. The fields are read by Start and must not be
// changed afterwards; the methods are safe for concurrent use.
type Plug struct {
	// Model is the model and the firmware; the zero value means [P110].
	Model Model
	// Name is the plug's name in the app.
	Name string
	// Username and Password of the account that the plug is bound to.
	Username, Password string
	// Region is the IANA time zone of the plug's clock; empty means UTC.
	Region string
	// Load is the appliance; nil draws no power.
	Load Load
	// SetUp is when the plug was set up, with its relay as it starts; the zero value
	// means long ago. There is no energy history before that.
	SetUp time.Time
	// Off makes the relay start switched off.
	Off bool
	// Outlets are the outlets of a strip, in the order of their positions. The strip
	// adds those that are missing, which draw no power.
	Outlets []Outlet
	// Listen is the address to listen on; empty means a free port on 127.0.0.1.
	Listen string
	// Discovery is the UDP address where the plug replies to discovery probes,
	// such as 127.0.1.7:20002; empty for none.
	Discovery string
	// EditReply, if it is not nil, changes the result of a reply to a discovery probe.
	EditReply func(result map[string]any)
	// Respond, if it is not nil, answers the requests over a session instead of the model.
	Respond func(request []byte) (reply []byte)
	// Network, if it is not nil, is used instead of sockets. Listen must then be an
	// IP address and a port, and there is no TLS.
	Network *Network
	// Latency is the time that every reply takes.
	Latency time.Duration
	// SessionLifetime is announced to clients and enforced; 0 means 24 hours, or
	// one hour with TPAP.
	SessionLifetime time.Duration
	// LenientSequence accepts any larger KLAP sequence number, not only the next one.
	LenientSequence bool
	// KLAPVersion1 makes a KLAP plug use the hashes of old Kasa firmware.
	KLAPVersion1 bool
	// TPAP is for plugs that speak TPAP.
	TPAP TPAPOptions
	// Now replaces time.Now if it is not nil.
	Now func() time.Time

	server   server
	secure   server       // for TLS; its listener is nil without TLS
	udp      *net.UDPConn // for discovery; nil without Discovery
	identity identity
	address  netip.AddrPort

	mu          sync.Mutex // guards what follows
	asleep      bool
	overheated  bool
	meter       meter
	outlets     []*outlet
	klap        klapState
	passthrough passthroughState
	tpap        tpapState
	faults      []*Fault
	refusals    map[string]int
	results     map[string]json.RawMessage // set by Answer
	wholes      map[string]string          // set by AnswerWhole
	omitted     map[string]bool            // set by Omit
	batches     int                        // executed in this session
	hang        bool                       // the request at hand gets no reply
	stats       Stats
	lastBodies  map[string][]byte // the last body by step, for Replay
	batchBuffer []byte            // reused for the reply to a batch
}

// identity has the ids of a plug, which never change.
type identity struct{ deviceID, hardwareID, mac string }

// Stats counts what has happened to a plug since it started.
type Stats struct {
	Connections   int
	Requests      int            // HTTP requests
	Logins        int            // completed logins
	LoginFailures int            // logins refused for wrong credentials
	ClearLogins   int            // logins with the password in clear, refused ones included
	Steps         map[string]int // HTTP requests by step, as in Fault.Path
	Methods       map[string]int // methods executed, those inside batches included
	Datagrams     int            // received over UDP
}

// Start listens and serves in the background until Close.
func (p *Plug) Start() error {
	if p.Model.Name == "" {
		p.Model = P110
	}
	if p.Now == nil {
		p.Now = time.Now
	}
	if p.SessionLifetime == 0 {
		p.SessionLifetime = 24 * time.Hour
		if p.Model.Protocol == TPAP {
			p.SessionLifetime = time.Hour
		}
	}
	if p.Region == "" {
		p.Region = "UTC"
	}
	location, err := time.LoadLocation(p.Region)
	if err != nil {
		return fmt.Errorf("region: %w", err)
	}
	if p.Listen == "" {
		p.Listen = "127.0.0.1:0"
	}
	p.identity = newIdentity(p.Name + p.Model.Name)
	p.meter = newMeter(p.Load, !p.Off, location, p.SetUp, p.Now())
	p.stats = Stats{Steps: map[string]int{}, Methods: map[string]int{}}
	p.refusals, p.results, p.wholes, p.omitted = map[string]int{}, map[string]json.RawMessage{}, map[string]string{}, map[string]bool{}
	p.startOutlets(location)
	p.TPAP.setDefaults()
	p.lastBodies = map[string][]byte{}
	listener, err := p.listen(p.Listen)
	if err != nil {
		return err
	}
	if err := p.startSecure(); err != nil {
		listener.Close()
		return err
	}
	p.address = addrOf(listener)
	p.server.start(listener, p.serveConn)
	if err := p.startDiscovery(); err != nil {
		p.Close()
		return err
	}
	return nil
}

func (p *Plug) listen(address string) (net.Listener, error) {
	if p.Network == nil {
		return net.Listen("tcp", address) //nolint:noctx // listening on loopback does not block
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return nil, err
	}
	return p.Network.listen(at), nil
}

// startSecure listens for TLS on a port of its own, if the plug announces TLS.
func (p *Plug) startSecure() error {
	if p.TPAP.TLS == 0 {
		return nil
	}
	own, err := certificate(p.Now())
	if err != nil {
		return err
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{own}})
	if err != nil {
		return err
	}
	p.secure.start(listener, p.serveConn)
	return nil
}

// Close stops listening, closes all connections, and waits for requests that are
// being served.
func (p *Plug) Close() {
	if p.udp != nil {
		p.udp.Close()
	}
	p.server.close()
	if p.secure.listener != nil {
		p.secure.close()
	}
}

// Addr is the address that the plug listens on.
func (p *Plug) Addr() netip.AddrPort { return p.address }

func addrOf(l net.Listener) netip.AddrPort {
	if tcp, ok := l.Addr().(*net.TCPAddr); ok {
		return tcp.AddrPort()
	}
	return netip.AddrPort{}
}

// Stats returns the counters.
func (p *Plug) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Steps, s.Methods = maps.Clone(s.Steps), maps.Clone(s.Methods)
	return s
}

// SetRelay switches the plug on or off.
func (p *Plug) SetRelay(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.meter.setRelay(on, p.Now())
}

// SetOverheated makes the plug report that it is overheated, if its model has a member
// for that.
func (p *Plug) SetOverheated(hot bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.overheated = hot
}

// SetClock sets the plug's clock wrong by an offset. Its counters and its energy
// history start again.
func (p *Plug) SetClock(offset time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.meter.setClock(offset, p.Now())
	for _, s := range p.outlets {
		s.meter.setClock(offset, p.Now())
	}
}

// SetCredentials binds the plug to another account, and ends its sessions.
func (p *Plug) SetCredentials(username, password string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Username, p.Password = username, password
	p.tpap.record = nil
	p.loseSession()
}

// SetCompatibility sets Third-Party Compatibility of a plug of the TPAP generation,
// and ends its sessions. With the switch on, the plug speaks KLAP. For other plugs it
// does nothing.
func (p *Plug) SetCompatibility(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case on && p.Model.Protocol == TPAP:
		p.Model.Protocol, p.Model.Compatibility = KLAP, true
	case !on && p.Model.Compatibility:
		p.Model.Protocol, p.Model.Compatibility = TPAP, false
	default:
		return
	}
	p.loseSession()
}

// SetModel replaces the model and the firmware, and ends the plug's sessions.
func (p *Plug) SetModel(m Model) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Model, p.outlets = m, nil
	p.startOutlets(p.meter.location)
	p.loseSession()
}

// LoseSession ends the plug's sessions, as a restart or another client's login does.
func (p *Plug) LoseSession() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loseSession()
}

// CloseConnections closes all connections, as plugs do with idle ones.
func (p *Plug) CloseConnections() { p.server.closeConns() }

// OpenConnections counts the connections that are open.
func (p *Plug) OpenConnections() int {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	return len(p.server.conns)
}

func (p *Plug) loseSession() {
	p.klap, p.passthrough = klapState{}, passthroughState{}
	p.tpap.forget()
	p.batches = 0
}

// Refuse makes a method fail with an error code; 0 ends that. method is one of
//
//	get_energy_usage               of the plug itself
//	2/get_energy_usage             of an outlet of a strip
//	get_child_device_list from 10  of a further page of a list
//	control_child multipleRequest  of all outlets
func (p *Plug) Refuse(method string, code int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if code == 0 {
		delete(p.refusals, method)
		return
	}
	p.refusals[method] = code
}

// Omit leaves the replies to a method out of batches, or no longer. Methods are written as
// for [Plug.Refuse].
func (p *Plug) Omit(method string, omit bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.omitted[method] = omit
}

// AnswerWhole replaces the whole reply to a method, like [Plug.Answer].
func (p *Plug) AnswerWhole(method, reply string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if reply == "" {
		delete(p.wholes, method)
		return
	}
	p.wholes[method] = reply
}

// Answer replaces the result of a method with other text, which need not be JSON; "" ends
// that. Methods are written as for [Plug.Refuse].
func (p *Plug) Answer(method, result string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if result == "" {
		delete(p.results, method)
		return
	}
	p.results[method] = json.RawMessage(result)
}

// errClose makes the server close the connection.
var errClose = errors.New("the connection is to be closed")

// newSessionID returns a cookie or a token.
func newSessionID() string {
	var b [16]byte
	rand.Read(b[:])
	return strings.ToUpper(hex.EncodeToString(b[:]))
}
