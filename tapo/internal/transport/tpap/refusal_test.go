// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tpap

import (
	"errors"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/httpwire"
)

func TestRefusals(t *testing.T) {
	for body, want := range map[string]struct {
		Refusal
		locked, rejects bool
	}{
		`{"error_info":{"lockedMinute":0,"failedAttempts":1,"remainAttempts":14},"error_code":-2203}`: {
			Refusal{Code: -2203, Failed: 1, Remaining: 14}, false, true,
		},
		`{"error_info":{"lockedMinute":29,"failedAttempts":15,"remainAttempts":0},"error_code":-2101}`: {
			Refusal{Code: -2101, Failed: 15, Remaining: 0, Lock: 29 * time.Minute}, true, false,
		},
		`{"error_code":-2203,"error_info":{"failedAttempts":6}}`: {Refusal{Code: -2203, Failed: 6, Remaining: 9}, false, true},
		`{"err_code":-2203,"err_msg":{"remainAttempts":"7"}}`:    {Refusal{Code: -2203, Failed: -1, Remaining: 7}, false, true},
		`{"err_code":-2101,"err_msg":"locked"}`:                  {Refusal{Code: -2101, Failed: -1, Remaining: -1}, true, false},
		`{"error_code":-40404,"data":{"sec_left":1700}}`: {
			Refusal{Code: -40404, Failed: -1, Remaining: -1, Lock: 1700 * time.Second}, true, false,
		},
		`{"error_code":-40408}`: {Refusal{Code: -40408, Failed: -1, Remaining: -1}, true, false},
		`{"error_code":-2402,"error_info":{"lockedMinute":5}}`: {
			Refusal{Code: -2402, Failed: -1, Remaining: -1, Lock: 5 * time.Minute}, true, false,
		},
		`{"error_code":-2402}`:  {Refusal{Code: -2402, Failed: -1, Remaining: -1}, false, false},
		`{"error_code":-2202}`:  {Refusal{Code: -2202, Failed: -1, Remaining: -1}, false, true},
		`{"error_code":-1501}`:  {Refusal{Code: -1501, Failed: -1, Remaining: -1}, false, true},
		`{"error_code":1111}`:   {Refusal{Code: 1111, Failed: -1, Remaining: -1}, false, true},
		`{"error_code":1100}`:   {Refusal{Code: 1100, Failed: -1, Remaining: -1}, false, true},
		`{"error_code":-40401}`: {Refusal{Code: -40401, Failed: -1, Remaining: -1}, false, true},
		`{"error_code":-1008,"error_info":{"remainAttempts":-3}}`:   {Refusal{Code: -1008, Failed: -1, Remaining: -1}, false, false},
		`{"error_code":-2101,"error_info":{"lockedMinute":1e300}}`:  {Refusal{Code: -2101, Failed: -1, Remaining: -1, Lock: 1e6 * time.Minute}, true, false},
		`{"error_code":-2101,"error_info":{"lockedMinute":"soon"}}`: {Refusal{Code: -2101, Failed: -1, Remaining: -1}, true, false},
	} {
		_, _, err := decode(PakeShare, httpwire.Reply{Status: 200, Body: []byte(body)})
		got, ok := errors.AsType[*Refusal](err)
		if !ok {
			t.Errorf("%s: %v", body, err)
			continue
		}
		want.Step = PakeShare
		if *got != want.Refusal || got.Locked() != want.locked || got.Rejects() != want.rejects {
			t.Errorf("%s: %+v, locked %t, rejects %t", body, *got, got.Locked(), got.Rejects())
		}
	}
	if (&Refusal{Step: PakeRegister, Code: -40401}).Rejects() {
		t.Error("a camera's code means a wrong passcode where no passcode is")
	}
}
