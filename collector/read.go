// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"

	"github.com/tapo-exporter/tapo_exporter/collector/sessions"
	"github.com/tapo-exporter/tapo_exporter/internal/config"
	"github.com/tapo-exporter/tapo_exporter/tapo"
)

// read reads a target's plug, wherever that is. Anybody may have invented a plug that
// was only discovered: reading it in vain leaves nothing behind, and package locate
// logs it.
func (e *Exporter) read(ctx context.Context, target config.Target) (result sessions.Result) {
	if target.MAC != "" && !e.locator.IsKnown(target.MAC) {
		ctx = withoutLog(ctx)
		defer func() {
			if !e.locator.IsKnown(target.MAC) {
				e.sessions.Discard(target)
			}
		}()
	}
	err := e.locator.Read(ctx, target, func(located config.Target) (tapo.Reading, *tapo.Error) {
		result = e.sessions.Read(ctx, located)
		return result.Reading, result.Err
	})
	if err != nil {
		return sessions.Result{Err: err}
	}
	return result
}

// state returns what is known of a target's plug, and why it is not found if that
// is so.
func (e *Exporter) state(target config.Target) sessions.State {
	state := e.sessions.State(target)
	if err := e.locator.NotFound(target); err != nil {
		state.Err = err
	}
	return state
}
