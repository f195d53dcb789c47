// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import "context"

// Replace makes d, which must be new, the successor of another device of the same
// plug. It keeps which protocol the plug has spoken and, if the credentials are the
// same, how long a rejected login must wait. The first read of d waits until old
// has finished, and closes it; old must not be used any more.
func (d *Device) Replace(old *Device) { d.previous = old }

// endPrevious ends the conversation of the device that d replaces.
func (d *Device) endPrevious(ctx context.Context) error {
	old := d.previous
	if old == nil {
		return nil
	}
	select {
	case old.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-old.turn }()
	if err := old.endPrevious(ctx); err != nil {
		return err
	}
	old.stop()
	d.login.learnFrom(old.login)
	d.previous = nil
	return nil
}

// learnFrom takes over what the login of a former configuration knows of the same
// plug.
func (l *login) learnFrom(old *login) {
	l.transports, l.newer = old.transports, old.wasNewer()
	sameAccount := l.cfg.Credentials == old.cfg.Credentials
	if sameAccount && l.cfg.Address == old.cfg.Address { // what refused us elsewhere may be another plug
		l.backoff = old.backoff
	}
	if !sameAccount {
		l.cfg.Guard.rules.Cooldown.End(l.cfg.Now())
	}
}
