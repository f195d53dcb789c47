// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/tdp"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
)

// wellKnown are credentials that plugs hold before they are bound to an
// account, or after they lost it.
var wellKnown = []Credentials{
	{Username: "kasa@tp-link.net", Password: "kasaSetup"},
	{Username: "test@tp-link.net", Password: "test"},
	{Username: "admin", Password: "21232f297a57a5a743894a0e4a801fc3"}, //nolint:gosec // as published
	{Username: "admin", Password: "admin"},
	{},
}

const (
	unownedAdvice = "The plug is not bound to your account, and anybody on the network can control it, or somebody else poses as the plug. " +
		"Reset it and add it in the Tapo app, with other TP-Link devices switched off."

	impostorAdvice = "The plug accepted the password, but could not prove that it knows it. Something else may pose as the plug at this address: " +
		"look the plug's address up in the Tapo app. If it is the plug, restart it."

	forgottenAdvice = "The plug does not say that the password is wrong: it may have been restarted during the login, or another client's login came between."

	staleAdvice = "The account that the plug knows is out of date: open the plug in the Tapo app, which offers to mend that. Without the password " +
		"in the login anybody on the network could pose as the plug, so it is not read until then."

	otherPasswordAdvice = "The password is not the one that the plug knows. The e-mail plays no part in this plug's login. " +
		"After a change of the account's password a plug keeps the old one until it has been online, or is added again in the app."

	notASCIIAdvice = " The password has characters beyond ASCII, of which nobody knows how a plug encodes them: a password without them may help."
)

// adviseRejected returns what a plug that has rejected c knows instead, as far as
// its answer tells, and what to do. The plug is not asked again. An advice of ""
// is that of the reason.
func adviseRejected(r *transport.Rejected, c Credentials) (text, advice string) {
	text = r.Error()
	switch {
	case r.Verdict == transport.Unowned:
		return text, unownedAdvice
	case r.Verdict == transport.Stale:
		return text, staleAdvice
	case r.Verdict == transport.Forgotten:
		return text, forgottenAdvice
	case r.Fits != nil:
		return adviseFitting(text, r.Fits, c)
	case !r.Counts || r.BeforeProof:
		return text, ""
	case r.UsernameUnused:
		advice = otherPasswordAdvice
	default:
		advice = BadCredentials.Advice()
	}
	if strings.ContainsFunc(string(c.Password), func(c rune) bool { return c >= 0x80 }) {
		advice += notASCIIAdvice
	}
	return text, advice
}

// adviseFitting tries likely mistakes on the plug's answer, which fits the
// credentials that it knows.
func adviseFitting(text string, fits func(Credentials) bool, c Credentials) (string, string) {
	if slices.ContainsFunc(wellKnown, fits) {
		return "the plug answers to well-known set-up credentials instead of the account's", unownedAdvice
	}
	if mistake := findMistake(fits, c); mistake != "" {
		return "the plug knows the credentials in another spelling", mistake
	}
	return text, ""
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

// Owner is what a plug says, without a login, of whose it is.
type Owner struct {
	Replied bool
	Hash    string // of the account's e-mail, as package discovery has it; "" if the plug belongs to none
}

// OwnerTells reports whether it would help to know the plug's [Owner]: the
// credentials are rejected, and the plug's answer does not show what is wrong.
func (e *Error) OwnerTells() bool {
	rejected := e.Reason == BadCredentials || e.Reason == LoginBackoff
	row, _ := rowOf(e.Protocol)
	shown := row.showsMistake && e.Advice != e.Reason.Advice()
	return rejected && !shown
}

// AdviceForOwner returns the advice about rejected credentials, completed by what
// the plug says of its owner. username is that of the target, accounts are the
// usernames of all accounts of the configuration, by name.
func (e *Error) AdviceForOwner(o Owner, username string, accounts map[string]string) string {
	row, known := rowOf(e.Protocol)
	hashed := row.emailMatters || !known
	switch {
	case !o.Replied && hashed:
		return e.Advice + adviseSpelling(username)
	case !o.Replied:
		return e.Advice
	case !hashed && slices.ContainsFunc(spellings(username), o.is):
		return e.Advice + " The plug says that it belongs to this account, so it is the password that differs."
	}
	advice := o.advise(username, accounts)
	if e.Advice != e.Reason.Advice() {
		return e.Advice + " " + advice
	}
	if o.is(username) {
		advice += " After a change of the password a plug keeps the old one until it has been online, or is added again in the app."
	}
	return advice
}

// is reports whether the owner has an e-mail address. Letter case counts.
func (o Owner) is(email string) bool { return o.Hash == tdp.Owner(email) }

// spellings are those of an e-mail address that may be meant.
func spellings(email string) []string {
	trimmed := strings.TrimSpace(email)
	return []string{email, trimmed, strings.ToLower(trimmed)}
}

// advise compares the owner with the accounts of the configuration.
func (o Owner) advise(email string, accounts map[string]string) string {
	trimmed := strings.TrimSpace(email)
	switch {
	case o.Hash == "":
		return "The plug says that it belongs to no account: add it in the Tapo app."
	case o.is(email):
		return "The plug says that it belongs to the account with just this e-mail, so it is the password that differs."
	case o.is(strings.ToLower(email)):
		return "The plug's account has the e-mail in lower case: write it so in the configuration."
	case o.is(trimmed):
		return "The plug's account has the e-mail without the blanks around it: write it so in the configuration."
	case o.is(strings.ToLower(trimmed)):
		return "The plug's account has the e-mail in lower case and without the blanks around it: write it so in the configuration."
	}
	for _, name := range slices.Sorted(maps.Keys(accounts)) {
		if o.is(accounts[name]) {
			return "The plug says that it belongs to the account " + strconv.Quote(name) + " of the configuration: set `auth: " + name + "` for this target."
		}
	}
	return "The plug says that it belongs to another account, or to one whose e-mail is spelled otherwise: a capital letter makes a difference. In the Tapo app of the plug's owner, Me shows the e-mail."
}

// adviseSpelling points at what is unusual about an e-mail address, "" if nothing.
func adviseSpelling(email string) string {
	switch {
	case strings.TrimSpace(email) != email:
		return " The e-mail in the configuration has blanks around it."
	case strings.ToLower(email) != email:
		return " The e-mail in the configuration has capital letters: it must be in the very spelling in which it was registered."
	}
	return ""
}
