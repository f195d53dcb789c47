// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package smart

import (
	"testing"
	"time"
)

func TestComponents(t *testing.T) {
	u := &unit{}
	if !u.has("anything", 2) {
		t.Error("an unknown list has nothing")
	}
	file(t, u, newReplies(), componentNego, `{"component_list":[{"id":"energy_monitoring","ver_code":2},{"id":"x"},{"id":5},7]}`)
	if u.components["energy_monitoring"] != 2 || u.components["x"] != 1 {
		t.Errorf("%v", u.components)
	}
	if !u.has("energy_monitoring", 2) || u.has("energy_monitoring", 3) || u.has("anything", 1) {
		t.Error("a known list is not what counts")
	}
}

// TestLoggedIn: a result that stays valid between reads is forgotten at the next login.
func TestLoggedIn(t *testing.T) {
	u := &unit{}
	file(t, u, newReplies(), getProtectionPower, `{"enabled":true,"protection_power":2960}`)
	u.record(getProtectionPower).filed = time.Now()
	u.record(getEnergyUsage).filed = time.Now()
	u.loggedIn()
	if u.protection.Enabled.Value || !u.of(getProtectionPower).filed.IsZero() || u.of(getEnergyUsage).filed.IsZero() {
		t.Errorf("%+v %+v", u.protection, u.methods)
	}
}
