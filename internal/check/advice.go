// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
)

// advise returns what to do about a failure. If the credentials were rejected, it
// reads the owner's hash from the plug over discovery, which costs no login.
func (r *run) advise(ctx context.Context, failed *tapo.Error) string {
	if failed.Reason != tapo.BadCredentials && failed.Reason != tapo.LoginBackoff {
		return failed.Advice
	}
	if failed.Protocol == tapo.KLAP && failed.Advice != failed.Reason.Advice() {
		return failed.Advice // the plug's proof has shown which credentials it has
	}
	plug, replied := r.introduction(ctx)
	hashed := failed.Protocol != tapo.TPAP // the e-mail plays no part in most logins over TPAP
	switch {
	case !replied && hashed:
		return failed.Advice + spelling(r.target.Credentials.Username)
	case !replied:
		return failed.Advice
	}
	if !hashed && plug.Owner != "" && plug.MayBelongTo(r.target.Credentials.Username) {
		return failed.Advice + " The plug says that it belongs to this account, so it is the password that differs."
	}
	whose := r.whose(plug)
	if failed.Advice != failed.Reason.Advice() {
		return failed.Advice + " " + whose
	}
	if plug.Owner == discovery.Owner(r.target.Credentials.Username) {
		whose += " After a change of the password a plug keeps the old one until it has been online, or is added again in the app."
	}
	return whose
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

// whose compares the owner that a plug reports with the accounts of the
// configuration.
func (r *run) whose(plug discovery.Device) string {
	email := r.target.Credentials.Username
	trimmed := strings.TrimSpace(email)
	switch plug.Owner {
	case "":
		return "The plug says that it belongs to no account: add it in the Tapo app."
	case discovery.Owner(email):
		return "The plug says that it belongs to the account with just this e-mail, so it is the password that differs."
	case discovery.Owner(strings.ToLower(email)):
		return "The plug's account has the e-mail in lower case: write it so in the configuration."
	case discovery.Owner(trimmed):
		return "The plug's account has the e-mail without the blanks around it: write it so in the configuration."
	case discovery.Owner(strings.ToLower(trimmed)):
		return "The plug's account has the e-mail in lower case and without the blanks around it: write it so in the configuration."
	}
	for _, name := range slices.Sorted(maps.Keys(r.Config.Auths)) {
		if plug.Owner == discovery.Owner(r.Config.Auths[name].Username) {
			return "The plug says that it belongs to the account " + strconv.Quote(name) + " of the configuration: set `auth: " + name + "` for this target."
		}
	}
	return "The plug says that it belongs to another account, or to one whose e-mail is spelled otherwise: a capital letter makes a difference. In the Tapo app of the plug's owner, Me shows the e-mail."
}

// spelling returns what is unusual about an e-mail address, "" if nothing.
func spelling(email string) string {
	switch {
	case strings.TrimSpace(email) != email:
		return " The e-mail in the configuration has blanks around it."
	case strings.ToLower(email) != email:
		return " The e-mail in the configuration has capital letters: it must be in the very spelling in which it was registered."
	}
	return ""
}
