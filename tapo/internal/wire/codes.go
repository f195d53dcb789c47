// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package wire

// Error codes that the program acts on. Names follow python-kasa where it has
// one.
const (
	CodeSessionTimeout     = 9999
	CodeCommandCancel      = 1001
	CodeTransportNotAvail  = 1002
	CodeUnknownTransport   = 1003 // the plug speaks a newer protocol
	CodeHandshakeFailed    = 1100
	CodeLoginFailed        = 1111
	CodeHTTPTransport      = 1112
	CodeMultiRequestFailed = 1200
	CodeUnspecific         = -1001
	CodeUnknownMethod      = -1002
	CodeJSONDecode         = -1003
	CodeAESDecode          = -1005
	CodeParams             = -1008
	CodeNoHandshake        = -1009
	CodeInvalidPublicKey   = -1010
	CodeSessionParam       = -1101
	CodeBusy               = -1301
	CodeLogin              = -1501
	CodeAccountLocked      = -2101
	CodeStatistics         = -2201
	CodeSessionExpired     = -40401
	CodeInvalidNonce       = -40413
)

var codeNames = map[int]string{
	0:                      "success",
	CodeSessionTimeout:     "session timeout",
	1000:                   "null transport",
	CodeCommandCancel:      "command cancelled",
	CodeTransportNotAvail:  "transport not available",
	CodeUnknownTransport:   "the plug wants another protocol",
	CodeHandshakeFailed:    "handshake failed",
	CodeLoginFailed:        "login failed",
	CodeHTTPTransport:      "HTTP transport failed",
	CodeMultiRequestFailed: "batch refused",
	-1:                     "failed",
	CodeUnspecific:         "not available now",
	CodeUnknownMethod:      "unknown method",
	CodeJSONDecode:         "the plug could not parse the request",
	-1004:                  "the plug could not form the reply",
	CodeAESDecode:          "the plug could not decrypt the request",
	-1006:                  "request too long",
	-1007:                  "cloud unreachable",
	CodeParams:             "wrong parameters",
	CodeNoHandshake:        "no handshake",
	CodeInvalidPublicKey:   "public key of the wrong length",
	-1012:                  "bad terminal id",
	CodeSessionParam:       "bad session parameter",
	-1201:                  "quick setup",
	CodeBusy:               "busy",
	-1302:                  "next event",
	-1401:                  "firmware",
	-1402:                  "firmware version",
	CodeLogin:              "wrong e-mail or password",
	-1601:                  "clock not set",
	-1602:                  "clock not set",
	-1603:                  "clock not set",
	-1701:                  "wireless",
	-1702:                  "wireless not supported",
	CodeAccountLocked:      "account locked",
	CodeStatistics:         "statistics not available, typically before the clock is set",
	-2202:                  "statistics not saved",
	-2203:                  "access denied",
	-2402:                  "unknown session",
	-2301:                  "daylight saving",
	-2302:                  "daylight saving not saved",
	CodeSessionExpired:     "session expired",
	-40404:                 "locked",
	-40408:                 "locked",
	CodeInvalidNonce:       "invalid nonce",
	-40420:                 "the tag of a frame does not match",
	-40421:                 "bad token",
	-40209:                 "invalid arguments",
	-40211:                 "the device wants TPAP",
}

// CodeName returns the meaning of a plug's error code in words.
func CodeName(code int) string {
	if name, ok := codeNames[code]; ok {
		return name
	}
	return "unknown to this program"
}

// LosesSession reports whether an error code of a request over a session says
// that the plug no longer knows it, so that a new login is the answer. Some
// firmware says so with the code of a wrong password.
func LosesSession(code int) bool {
	switch code {
	case CodeSessionTimeout, CodeTransportNotAvail, CodeAESDecode, CodeNoHandshake,
		CodeSessionParam, CodeSessionExpired, CodeInvalidNonce, CodeLogin:
		return true
	}
	return false
}
