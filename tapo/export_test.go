// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"crypto/rand"
	"crypto/rsa"
	"sync"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/passthrough"
)

// SharePassthroughKey has all handshakes of a test use the same key, which takes
// most of the time of a login. The test must not be parallel; its subtests may be.
func SharePassthroughKey(t *testing.T) {
	t.Helper()
	key := sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, passthrough.KeyBits) })
	for i := range transports {
		if row := &transports[i]; row.open().Protocol() == Passthrough {
			open := row.open
			row.open = func() transport.Transport { return &passthrough.Transport{GenerateKey: key} }
			t.Cleanup(func() { row.open = open })
		}
	}
}
