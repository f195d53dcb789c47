// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package discovery

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/tdp"
)

const (
	// maxPacket is the longest reply that is read. Recorded ones are below 2 KiB.
	maxPacket = 8 << 10
	// maxReplies bounds the replies that a search parses: anybody can invent devices. A
	// home with 500 plugs sends three times as many, one for each of tries.
	maxReplies = 2000
	// maxPerHost bounds those from one address, so that one host cannot use up all. A
	// device replies to each of tries, perhaps to several interfaces.
	maxPerHost = 8
	// maxDecrypted bounds the replies that a search decrypts, because RSA is slow.
	maxDecrypted = 64
	// defaultTimeout is the time to wait for replies; python-kasa's is the same.
	defaultTimeout = 5 * time.Second
)

// tries has the times of the probes of a search, as fractions of its timeout. There are
// several because datagrams get lost. python-kasa sends three as well.
var tries = []float64{0, 0.1, 0.4}

// Broadcast is the broadcast address of the local network.
const Broadcast = "255.255.255.255"

// Search is a search for devices. The zero value broadcasts on every interface.
type Search struct {
	// Addresses are the addresses to send probes to: IPv4 addresses of hosts, or
	// broadcast addresses of networks, with the port if it is not [Port]. [Broadcast]
	// is sent on every interface. Nil means [Broadcast].
	Addresses []string
	// Timeout is the time to wait for replies; 0 means five seconds.
	Timeout time.Duration
	// Logger gets debug lines. Nil discards them.
	Logger *slog.Logger
}

// ParseAddress parses an element of Search.Addresses.
func ParseAddress(text string) (netip.AddrPort, error) {
	host, port := text, strconv.Itoa(Port)
	if h, p, err := net.SplitHostPort(text); err == nil {
		host, port = h, p
	}
	addr, err := netip.ParseAddr(host)
	n, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || !addr.Is4() || portErr != nil || n == 0 {
		return netip.AddrPort{}, errors.New("want an IPv4 address, such as 192.168.1.20 or 255.255.255.255")
	}
	return netip.AddrPortFrom(addr, uint16(n)), nil
}

// probeKey is the key of all probes of this process, because making a key takes a
// while.
var probeKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, tdp.KeyBits) })

// Run searches until the timeout, or until ctx ends. It calls found, from one
// goroutine, for each reply that it has not had before. The error is about probes that
// could not be sent; no reply is not an error.
func (s Search) Run(ctx context.Context, found func(Device)) error {
	if s.Addresses == nil {
		s.Addresses = []string{Broadcast}
	}
	if s.Timeout == 0 {
		s.Timeout = defaultTimeout
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	key, err := probeKey()
	if err != nil {
		return err
	}
	var serial [4]byte
	rand.Read(serial[:])
	packet, err := tdp.Probe(binary.BigEndian.Uint32(serial[:]), &key.PublicKey)
	if err != nil {
		return err
	}
	senders, err := s.open()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()

	replies := make(chan Device)
	budget := &budget{hosts: map[netip.Addr]int{}}
	var group sync.WaitGroup
	for _, sender := range senders {
		group.Go(func() { sender.receive(ctx, key, budget, replies) })
	}
	failed := make(chan error, 1)
	group.Go(func() { failed <- s.send(ctx, senders, packet) })
	stop := context.AfterFunc(ctx, func() {
		for _, sender := range senders {
			_ = sender.conn.SetReadDeadline(time.Now()) // ends receive
		}
	})
	defer stop()
	go func() {
		group.Wait()
		close(replies)
	}()

	known := map[Device]bool{}
	for d := range replies {
		if !known[d] {
			known[d] = true
			found(d)
		}
	}
	for _, sender := range senders {
		sender.conn.Close()
	}
	return <-failed
}

// sender is a UDP socket, and the addresses that it sends to.
type sender struct {
	conn *net.UDPConn
	to   []netip.AddrPort
}

// open opens a UDP socket for each interface to broadcast on, and one for all other
// addresses.
func (s Search) open() (senders []sender, err error) {
	var others, broadcasts []netip.AddrPort
	for _, text := range s.Addresses {
		to, err := ParseAddress(text)
		if err != nil {
			return nil, fmt.Errorf("address %q: %w", text, err)
		}
		if to.Addr() == netip.MustParseAddr(Broadcast) {
			broadcasts = append(broadcasts, to)
		} else {
			others = append(others, to)
		}
	}
	var errs []error
	add := func(local netip.Addr, to []netip.AddrPort) {
		conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, 0)))
		if err != nil {
			errs = append(errs, err)
			return
		}
		senders = append(senders, sender{conn, to})
	}
	if len(others) > 0 {
		add(netip.IPv4Unspecified(), others)
	}
	if len(broadcasts) > 0 {
		locals := interfaceAddresses()
		if len(locals) == 0 {
			locals = []netip.Addr{netip.IPv4Unspecified()}
		}
		for _, local := range locals {
			add(local, broadcasts)
		}
	}
	if len(senders) == 0 {
		return nil, errors.Join(errs...)
	}
	return senders, nil
}

// interfaceAddresses returns an IPv4 address of every interface that can broadcast. The
// address that a broadcast is sent from decides about its interface.
func interfaceAddresses() (all []netip.Addr) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil
	}
	for _, i := range interfaces {
		if i.Flags&(net.FlagUp|net.FlagBroadcast) != net.FlagUp|net.FlagBroadcast {
			continue
		}
		addresses, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addresses {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Is4() {
				all = append(all, prefix.Addr())
				break
			}
		}
	}
	return all
}

// send sends the probe to all addresses at each of the times in tries. The error is
// that of the last round, if no probe could be sent in that round.
func (s Search) send(ctx context.Context, senders []sender, packet []byte) error {
	start := time.Now()
	var err error
	for _, part := range tries {
		pause := time.NewTimer(time.Until(start.Add(time.Duration(part * float64(s.Timeout)))))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return err
		}
		sent := 0
		var errs []error
		for _, sender := range senders {
			for _, to := range sender.to {
				if _, err := sender.conn.WriteToUDPAddrPort(packet, to); err != nil {
					s.Logger.DebugContext(ctx, "Discovery probe not sent", "to", to, "from", sender.conn.LocalAddr(), "err", err)
					errs = append(errs, err)
					continue
				}
				sent++
			}
		}
		if err = errors.Join(errs...); sent > 0 {
			err = nil
		}
	}
	return err
}

// budget is what the replies of a search may cost.
type budget struct {
	mu     sync.Mutex
	parsed int
	hosts  map[netip.Addr]int // replies that were parsed
}

// take reports whether one more reply from an address is parsed, and whether its
// encrypted part is decrypted.
func (b *budget) take(from netip.Addr) (parse, decrypt bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.parsed >= maxReplies || b.hosts[from] >= maxPerHost {
		return false, false
	}
	b.parsed++
	b.hosts[from]++
	return true, b.parsed <= maxDecrypted
}

// receive passes on replies until the search ends.
func (s sender) receive(ctx context.Context, key *rsa.PrivateKey, budget *budget, replies chan<- Device) {
	packet := make([]byte, maxPacket)
	for ctx.Err() == nil {
		n, from, err := s.conn.ReadFromUDPAddrPort(packet)
		if err != nil {
			if ctx.Err() == nil && errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(time.Millisecond) // such as "port unreachable" from one of the addresses
			continue
		}
		take, decrypt := budget.take(from.Addr())
		if !take {
			continue
		}
		withKey := key
		if !decrypt {
			withKey = nil
		}
		if d, err := parse(packet[:n], from.Addr(), withKey); err == nil {
			select {
			case replies <- d:
			case <-ctx.Done():
			}
		}
	}
}

// Find calls run, such as the Run of a [Search], and ends it when the device with the
// MAC address has replied. It returns the device's address, "" if it has not replied.
func Find(ctx context.Context, mac string, run func(context.Context, func(Device)) error) (at string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err = run(ctx, func(d Device) {
		if at == "" && d.MAC == mac {
			at = d.Address.String()
			cancel()
		}
	})
	return at, err
}
