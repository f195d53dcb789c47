// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import "time"

// NamedFault is an entry of [Faults].
type NamedFault struct {
	Name  string
	Fault Fault  // without Path and Times
	Only  string // the protocols that it applies to, separated by blanks; "" is all
}

// Faults returns the faults that tests inject at every step of the protocols that
// they apply to.
func Faults() []NamedFault {
	return []NamedFault{
		{"hang", Fault{Kind: Hang}, ""},
		{"slow, 3 s", Fault{Kind: Slow, Delay: 3 * time.Second}, ""},
		{"slow, 5 s", Fault{Kind: Slow, Delay: 5 * time.Second}, ""},
		{"reset", Fault{Kind: Reset}, ""},
		{"closed after the reply", Fault{Kind: CloseAfterReply}, ""},
		{"half a reply", Fault{Kind: Truncate}, ""},
		{"garbage", Fault{Kind: Garble}, ""},
		{"wrong signature or tag", Fault{Kind: BadSignature}, ""},
		{"replayed reply", Fault{Kind: Replay}, ""},
		{"wrong sequence", Fault{Kind: BadSequence}, "tpap"},
		{"10 MB", Fault{Kind: Oversize}, ""},
		{"never ending", Fault{Kind: Endless}, ""},
		{"HTML page", Fault{Kind: HTML}, ""},
		{"not JSON", Fault{Kind: Says, Text: "{"}, ""},
		{"empty object", Fault{Kind: Says, Text: "{}"}, ""},
		{"301", Fault{Kind: Redirect, Status: 301, Location: "/elsewhere"}, ""},
		{"400", Fault{Kind: Status, Status: 400}, ""},
		{"401", Fault{Kind: Status, Status: 401}, ""},
		{"403", Fault{Kind: Status, Status: 403}, ""},
		{"404", Fault{Kind: Status, Status: 404}, ""},
		{"429", Fault{Kind: Status, Status: 429}, ""},
		{"500", Fault{Kind: Status, Status: 500}, ""},
		{"code 0 alone", Fault{Kind: Code, Code: 0}, ""},
		{"code 1002", Fault{Kind: Code, Code: 1002}, ""},
		{"code 1003", Fault{Kind: Code, Code: 1003}, ""},
		{"code 9999", Fault{Kind: Code, Code: 9999}, ""},
		{"code -1003", Fault{Kind: Code, Code: -1003}, ""},
		{"code -1501", Fault{Kind: Code, Code: -1501}, ""},
		{"code -2203", Fault{Kind: Code, Code: -2203}, ""},
		{"code -2402", Fault{Kind: Code, Code: -2402}, ""},
		{"code -40401", Fault{Kind: Code, Code: -40401}, ""},
		{"code -40413", Fault{Kind: Code, Code: -40413}, ""},
		{"code -40420", Fault{Kind: Code, Code: -40420}, ""},
		{"code -40421", Fault{Kind: Code, Code: -40421}, ""},
		{"session lost before", Fault{Kind: LoseSession}, ""},
		{"session lost after", Fault{Kind: LoseSessionAfter}, ""},
		{"no batch", Fault{Kind: NoBatch}, ""},
		{"length too long", Fault{Kind: Overstate}, ""},
		{"length too short", Fault{Kind: Understate}, ""},
		{"no length", Fault{Kind: NoLength}, ""},
		{"odd header names", Fault{Kind: OddHeaders}, ""},
		{"a byte more", Fault{Kind: StrayByte}, "klap"},
		{"cookie of another name", Fault{Kind: OldCookie}, "klap passthrough"},
		{"inner JSON in clear", Fault{Kind: PlainReply}, "passthrough"},
		{"wrong dev_confirm", Fault{Kind: BadConfirm}, "tpap"},
	}
}
