// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"context"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
)

// WithLastWaiter returns a context for [Device.Read] whose callers have left at a
// time, although the read may go on until the deadline of ctx: what is lost is
// then asked for again while they are there. The time may become later during the
// read.
func WithLastWaiter(ctx context.Context, at func() time.Time) context.Context {
	return httpwire.WithLastWaiter(ctx, at)
}
