// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"

	"github.com/tapo-exporter/tapo_exporter/internal/config"
)

// targetGroup is an entry of Prometheus's http_sd format.
type targetGroup struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// serviceDiscovery serves GET /sd: every target, with the labels that make
// Prometheus probe it through this exporter without any relabelling.
func (e *Exporter) serviceDiscovery(w http.ResponseWriter, r *http.Request) {
	targets := e.locator.Targets()
	groups := make([]targetGroup, 0, len(targets))
	for _, t := range targets {
		groups = append(groups, targetGroup{Targets: []string{r.Host}, Labels: e.targetLabels(t, r.TLS != nil)})
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(groups); err != nil {
		e.logger.Debug("Answer to /sd not sent", "err", err)
	}
}

func (e *Exporter) targetLabels(t config.Target, tls bool) map[string]string {
	labels := map[string]string{
		"__metrics_path__": "/probe",
		"__param_target":   t.Name,
	}
	if tls {
		labels["__scheme__"] = "https"
	}
	reading := e.sessions.State(t).Reading
	advertised := e.locator.Advertised(t.MAC)
	for name, value := range map[string]string{
		"model": cmp.Or(reading.Info.Model, advertised.Model), "mac": cmp.Or(reading.Info.MAC, t.MAC), "device_id": reading.Info.DeviceID,
		"firmware": reading.Info.Firmware, "protocol": cmp.Or(string(reading.Protocol), string(advertised.Protocol())), "address": cmp.Or(t.Address, e.locator.Address(t.MAC)),
	} {
		if value != "" {
			labels["__meta_tapo_"+name] = value
		}
	}
	maps.Copy(labels, storedLabels(t))
	return labels
}

// storedLabels are those of a target that Prometheus stores with every sample.
func storedLabels(t config.Target) map[string]string {
	labels := map[string]string{"instance": t.Name}
	maps.Copy(labels, t.Labels)
	return labels
}
