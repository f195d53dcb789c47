// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"net"
	"net/netip"
	"strconv"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
)

// advise returns what to do about a failure. For rejected credentials it first
// reads the owner's hash from the plug over discovery, which costs no login.
func (r *run) advise(ctx context.Context, failed *tapo.Error) string {
	if !failed.OwnerTells() {
		return failed.Advice
	}
	plug, replied := r.introduction(ctx)
	accounts := map[string]string{}
	for name, auth := range r.Config.Auths {
		accounts[name] = auth.Username
	}
	return failed.AdviceForOwner(tapo.Owner{Replied: replied, Hash: plug.Owner}, r.target.Credentials.Username, accounts)
}

// introduction sends a discovery probe to the plug's address, and returns the reply.
func (r *run) introduction(ctx context.Context) (plug discovery.Device, replied bool) {
	host, _, err := net.SplitHostPort(r.report.Address)
	if err != nil {
		return plug, false
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		found, err := r.LookupIP(ctx, "ip4", host)
		if err != nil || len(found) == 0 {
			return plug, false
		}
		addr = found[0]
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	search := discovery.Search{Addresses: []string{net.JoinHostPort(addr.Unmap().String(), strconv.Itoa(discovery.Port))}, Timeout: ownerTime}
	err = r.Search(ctx, search, func(d discovery.Device) {
		plug, replied = d, true
		cancel()
	})
	return plug, err == nil && replied
}
