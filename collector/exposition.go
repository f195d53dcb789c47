// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/prometheus/common/expfmt"
)

// negotiator chooses the format of expositions. Prometheus asks the same way
// every time, so the last answer is kept. It is safe for concurrent use.
type negotiator struct{ last atomic.Pointer[negotiated] }

type negotiated struct {
	accept string
	format expfmt.Format
}

func (n *negotiator) format(h http.Header) expfmt.Format {
	accept := h.Get("Accept")
	if last := n.last.Load(); last != nil && last.accept == accept {
		return last.format
	}
	format := expfmt.NegotiateAccept(h, expfmt.DefaultOpenMetricsAcceptedFormats()...)
	n.last.Store(&negotiated{accept, format})
	return format
}

// send answers with the series, as promhttp does, but without what that makes
// anew for every handler, and without compression, which costs more on a local
// network than it saves. After an error nothing has been sent.
func (s *series) send(w http.ResponseWriter, format expfmt.Format) error {
	encoder := expfmt.NewEncoder(&s.text, format)
	for _, family := range s.gather() {
		if err := encoder.Encode(family); err != nil {
			return err
		}
	}
	if closer, ok := encoder.(expfmt.Closer); ok {
		if err := closer.Close(); err != nil {
			return err
		}
	}
	w.Header().Set("Content-Type", string(format))
	w.Header().Set("Vary", "Accept")
	w.Header().Set("Content-Length", strconv.Itoa(s.text.Len()))
	_, _ = w.Write(s.text.Bytes()) // whoever asked may be gone
	return nil
}
