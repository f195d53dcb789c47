// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package locate

import (
	"cmp"
	"context"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo"
	"github.com/tapo-exporter/tapo_exporter/tapo/discovery"
)

// Anybody on the network can invent plugs, any number of them. So a reply makes no
// target. It makes an unread candidate, until a read with discovery's account has
// proved that the plug is there.

const (
	// maxUnread is how many unread candidates there are, of all plugs together.
	maxUnread = 64
	// maxUnreadPerHost is how many of them one host may be: usually it is one plug.
	maxUnreadPerHost = 4
	// retryUnread is the time between two reads of an unread candidate. As many as
	// maxUnread such reads may fail in that time. It is shorter than the default
	// interval of searches, so that each of them is followed by a try.
	retryUnread = 4 * time.Minute
	// retryRejected is the same if the plug has rejected the account: it is probably somebody
	// else's, and each login at an address that nobody listed may be a guess of the password.
	retryRejected = 6 * time.Hour
)

// unreadKey is a MAC address and an address from which a reply has claimed it.
type unreadKey struct{ mac, address string }

func (a unreadKey) compare(b unreadKey) int {
	return cmp.Or(strings.Compare(a.mac, b.mac), strings.Compare(a.address, b.address))
}

// unread is a candidate of a plug that is not listed and was not read yet.
type unread struct {
	candidate
	account tapo.Credentials // discovery's, with which it is read
	readAt  time.Time        // when the last read of it began; zero before the first

	rejected bool // the last read has failed since the plug has rejected the account
}

// isDue reports whether it is time to read it.
func (u *unread) isDue(now time.Time) bool {
	pause := retryUnread
	if u.rejected {
		pause = retryRejected
	}
	return u.readAt.IsZero() || now.Sub(u.readAt) >= pause
}

// failed reports whether the last read has failed.
func (u *unread) failed() bool { return !u.failedAt.IsZero() && !u.failedAt.Before(u.readAt) }

// inRead reports whether it is being read.
func (u *unread) inRead() bool { return !u.readAt.IsZero() && !u.failed() }

// recordUnread keeps a reply for a MAC address that is not listed and was not
// read, if the plug may be a target. l.mu is held.
func (l *Locator) recordUnread(c *config.Config, d discovery.Device, now time.Time) {
	key := unreadKey{d.MAC, d.Address.String()}
	if u := l.unread[key]; u != nil {
		u.advertised, u.repliedAt = d, now
		return
	}
	account, enabled := discoveryAccount(c)
	if !enabled || !d.MayBelongTo(account.Username) || l.listedNow(c)(key.mac, key.address) {
		return
	}
	l.newcomers++
	if l.makeRoomForUnread(d.Address.Addr()) {
		l.unread[key] = &unread{candidate: candidate{advertised: d, repliedAt: now}, account: account}
	}
}

// makeRoomForUnread reports whether there is room for one more unread candidate, at
// a host. If there is none, one that could not be read makes room, the one that
// failed first. Failing that, chance decides: a search ends with a random sample of
// those that have replied. So nobody can keep a plug out for ever, neither by
// replying first nor by replying last, and the plug has a chance in each search.
// Whoever can reply from the plug's own host could cut it off anyway. l.mu is held.
func (l *Locator) makeRoomForUnread(host netip.Addr) bool {
	atHost := 0
	for _, u := range l.unread {
		if u.advertised.Address.Addr() == host {
			atHost++
		}
	}
	if atHost < maxUnreadPerHost && len(l.unread) < maxUnread {
		return true
	}
	var oldest *unread // of those that could not be read
	var out unreadKey
	var untried []unreadKey
	for key, u := range l.unread {
		switch {
		case atHost >= maxUnreadPerHost && u.advertised.Address.Addr() != host:
		case u.failed():
			if oldest == nil || u.failedAt.Before(oldest.failedAt) {
				oldest, out = u, key
			}
		case !u.inRead():
			untried = append(untried, key)
		}
	}
	if oldest == nil {
		l.crowded = true
		i := rand.IntN(l.newcomers) //nolint:gosec // nobody can see how it falls
		if i >= len(untried) {
			return false
		}
		out = untried[i]
	}
	delete(l.unread, out)
	return true
}

// NextUnread returns the next unread candidate to read, as a target that is read at
// its address and nowhere else. Those that were never read come first. It does not
// return the same one again before the read has ended and the time of [unread.isDue] has come.
func (l *Locator) NextUnread(ctx context.Context) (t config.Target, ok bool) {
	c := l.opts.Store.Current()
	account, enabled := discoveryAccount(c)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if now.Sub(l.failuresSince) >= retryUnread {
		l.failuresSince, l.failures = now, 0
	}
	inRead := map[string]bool{} // MACs: two reads of one plug would end each other
	for key, u := range l.unread {
		inRead[key.mac] = inRead[key.mac] || u.inRead()
	}
	var next *unread
	var at unreadKey
	for key, u := range l.unread { // in the order of the map, which is random
		if !u.isDue(now) || inRead[key.mac] || u.account != account {
			continue
		}
		if next == nil || u.readAt.Before(next.readAt) {
			next, at = u, key
		}
	}
	if next == nil || !enabled || l.failures >= maxUnread {
		if l.crowded && l.madeRoom { // the plugs that found no room have some now
			l.crowded, l.madeRoom = false, false
			l.requestSearch(ctx)
		}
		return t, false
	}
	next.readAt = now
	l.failures++ // until it has succeeded
	return at.target(c, next), true
}

// target returns the target of an unread candidate.
func (a unreadKey) target(c *config.Config, u *unread) config.Target {
	return config.Target{
		Name: u.advertised.Name(), MAC: a.mac, Address: a.address, Auth: c.Discovery.Auth, Credentials: u.account, Unlisted: true,
	}
}

// findUnread returns the unread candidate with a name or at an address as a target:
// a person may want to see why it cannot be read.
func (l *Locator) findUnread(c *config.Config, matches func(name, address string) bool) (t config.Target, ok bool) {
	account, enabled := discoveryAccount(c)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range slices.SortedFunc(maps.Keys(l.unread), unreadKey.compare) {
		if u := l.unread[key]; enabled && u.account == account && matches(u.advertised.Name(), key.address) {
			return key.target(c, u), true
		}
	}
	return t, false
}

// recordFirstRead keeps how reading an unread candidate went. One that was read
// becomes a known plug. l.mu is held.
func (l *Locator) recordFirstRead(ctx context.Context, c *config.Config, t config.Target, reading tapo.Reading, err *tapo.Error) {
	u := l.unread[unreadKey{t.MAC, t.Address}]
	if u == nil {
		return // another one has taken its place
	}
	switch {
	case err == nil && provesAccount(reading.Protocol) && l.countUnlisted(c) < maxPlugs:
		if u.inRead() {
			l.failures = max(0, l.failures-1)
		}
		maps.DeleteFunc(l.unread, func(key unreadKey, _ *unread) bool { return key.mac == t.MAC })
		p := l.addPlug(t.MAC)
		p.recordReply(u.advertised, u.repliedAt)
		p.recordSuccess(t, reading)
		l.madeRoom = true
	case err == nil:
		u.failedAt = time.Now()
		if l.news.take("too many", maxNews) {
			l.opts.Logger.WarnContext(ctx, "Discovered plugs are left out, because there are too many", "mac", t.MAC, "most", maxPlugs, "advice", "List the plug in targets.yml.")
		}
	case ctx.Err() == nil || u.inRead():
		u.failedAt, u.rejected = time.Now(), err.Reason == tapo.BadCredentials
		if l.news.take(t.MAC+" "+string(err.Reason), maxNews) {
			l.opts.Logger.WarnContext(ctx, "Discovered plug cannot be read, so it is no target yet",
				"mac", t.MAC, "address", t.Address, "reason", err.Reason, "err", err.Err, "advice", err.Advice)
		}
	}
}

// provesAccount reports whether a read over a protocol proves that the plug belongs
// to the account.
func provesAccount(p tapo.Protocol) bool { return p == tapo.KLAP || p == tapo.TPAP }

// discoveryAccount returns the account of discovery, and whether discovery makes
// targets of plugs.
func discoveryAccount(c *config.Config) (account tapo.Credentials, enabled bool) {
	return c.Auths[c.Discovery.Auth].Credentials(), c.Discovery.Enabled
}
