// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"context"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
)

// WithLastWaiter returns a context for [Device.Read]. at returns when the last
// caller stops waiting, which may be before the deadline of ctx and may become later
// during the read. Lost requests are repeated before then.
func WithLastWaiter(ctx context.Context, at func() time.Time) context.Context {
	return httpwire.WithLastWaiter(ctx, at)
}
