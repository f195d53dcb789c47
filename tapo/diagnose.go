// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"strings"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/klap"
)

// wellKnown are credentials that plugs hold before they are bound to an
// account, or after they lost it.
var wellKnown = []Credentials{
	{Username: "kasa@tp-link.net", Password: "kasaSetup"},
	{Username: "test@tp-link.net", Password: "test"},
	{Username: "admin", Password: "21232f297a57a5a743894a0e4a801fc3"},
	{Username: "admin", Password: "admin"},
	{Username: "", Password: ""},
}

const unboundAdvice = "The plug is not bound to your account, and anybody on the network can control it, or somebody else poses as the plug. " +
	"Reset it and add it in the Tapo app, with other TP-Link devices switched off."

// diagnose finds out why a plug's proof does not match the credentials, by
// trying likely mistakes on the one reply at hand: the plug is not asked again.
func diagnose(ch klap.Challenge, c Credentials) error {
	f := &failure{reason: BadCredentials, protocol: KLAP, text: "the plug knows other credentials"}
	proves := func(v klap.Version, c Credentials) bool {
		return ch.Proves(v, v.AuthHash(c.Username, string(c.Password)))
	}
	if proves(klap.V1, c) {
		f.reason = Unsupported
		f.text = "the credentials are right, but the plug hashes them as old Kasa firmware does (KLAP v1)"
		f.advice = "The plug speaks the old Kasa dialect, which this version cannot. Update its firmware in the app, or report the model."
		return f
	}
	for _, w := range wellKnown {
		if proves(klap.V2, w) || proves(klap.V1, w) {
			f.text = "the plug answers to well-known set-up credentials instead of the account's"
			f.advice = unboundAdvice
			return f
		}
	}
	if mistake := findMistake(func(c Credentials) bool { return proves(klap.V2, c) }, c); mistake != "" {
		f.text = "the plug knows the credentials in another spelling"
		f.advice = mistake
	}
	return f
}

// findMistake returns what is wrong with the spelling of c if matches finds a
// close variant right.
func findMistake(matches func(Credentials) bool, c Credentials) string {
	email, password := strings.TrimSpace(c.Username), Secret(strings.TrimSpace(string(c.Password)))
	lower := strings.ToLower(c.Username)
	for _, v := range []struct {
		Credentials
		advice string
	}{
		{Credentials{Username: lower, Password: c.Password}, "The account's e-mail is registered in lower case: write it so in the configuration."},
		{Credentials{Username: email, Password: c.Password}, "The e-mail in the configuration has blanks around it: remove them."},
		{Credentials{Username: strings.ToLower(email), Password: c.Password}, "The account's e-mail is registered in lower case and without the blanks around it: write it so in the configuration."},
		{Credentials{Username: c.Username, Password: password}, "The password in the configuration has blanks around it: remove them."},
		{Credentials{Username: strings.ToLower(email), Password: password}, "The e-mail and the password have blanks around them, or the e-mail is registered in lower case: correct them in the configuration."},
	} {
		if v.Credentials != c && matches(v.Credentials) {
			return v.advice
		}
	}
	return ""
}
