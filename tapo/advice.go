// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tapo

// advices say what a user can do about each reason. What there is to say about
// credentials beyond that is in credentialadvice.go.
var advices = map[Reason]string{
	Unreachable: "Check that the plug has power and Wi-Fi and that this is its address: the Tapo app shows it. If the router gave it another " +
		"one, reserve its address there, or list the plug by its mac instead. If it is on and its address is right, unplug it for ten seconds.",
	Timeout: "Check that the plug has power, and its Wi-Fi signal; a firewall between looks the same. If it answers slowly, look for other programs " +
		"that poll it, and leave it a few seconds in scrape_timeout and --timeout.",
	NotAPlug: "Something that is no Tapo plug answers at this address. The router may have given the plug's address to " +
		"another device: look the plug's address up in the Tapo app, and reserve it in the router.",
	BadCredentials: "The plug does not know these credentials. Use the e-mail and password of the TP-Link account that owns the plug, " +
		"the e-mail in the very spelling in which it was registered. After a change of the password a plug keeps the old one until it " +
		"has been online, or is added again in the app.",
	LoginBackoff: "The plug rejected these credentials, and trying them over and over may lock it. Correct them and reload; that tries at once.",
	Locked:       "The plug has locked itself after too many wrong passwords. Leave it alone until the lock is over: an attempt is said to prolong it.",
	LocalAccessRefused: "The plug refuses KLAP and does not offer TPAP. In the Tapo app open Me > Third-Party Services > Third-Party Compatibility, switch it off, wait a minute, and switch it on again. " +
		"Firmware updates undo it. The plug needs internet access for the switch to reach it.",
	PassthroughNotAllowed: "The plug's old firmware speaks securePassthrough only, which gives your account's password to whoever answers at the address. " +
		"Update the firmware in the Tapo app, or set allow_passthrough for this target after reading docs/security.md.",
	Unsupported: "The plug speaks something that this version does not. Please report the model, the firmware and the probe's log.",
	SessionStolen: "Another client uses this plug: a plug keeps one session or a few, and a login ends another's. Look for the Tapo app, a hub, " +
		"Home Assistant or a second exporter that polls it.",
	BadReply:  "The plug sends replies that cannot be read. Restart it and update its firmware; if that does not help, please report the probe's log.",
	PlugError: "The plug answered with an error. If it does so all the time, restart it, and report the code and the firmware if that does not help.",
}

const tooManyAdvice = "The plug gets too many requests. Set scrape_interval to 15s or more, and look for other programs that poll it, such as " +
	"Home Assistant or a second exporter. It is left alone for a while, and then read again by itself."

const unknownNameAdvice = "Nobody knows the plug's name. Correct it in the configuration, or give the plug's address or its mac instead: the Tapo app shows both " +
	"in the plug's settings, under Device Info."
