// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package plugerr

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
	CodeTime               = -1601
	CodeTimeSys            = -1602
	CodeTimeSave           = -1603
	CodeStatistics         = -2201
	CodeStatisticsSave     = -2202
	CodeSessionExpired     = -40401
	CodeInvalidNonce       = -40413
)

// codeNames are the names that clients of plugs use, where there is one, and what
// the codes mean, where the name does not say so.
var codeNames = map[int]string{
	0:                      "success",
	CodeSessionTimeout:     "SESSION_TIMEOUT",
	1000:                   "NULL_TRANSPORT",
	CodeCommandCancel:      "CMD_COMMAND_CANCEL",
	CodeTransportNotAvail:  "TRANSPORT_NOT_AVAILABLE",
	CodeUnknownTransport:   "TRANSPORT_UNKNOWN_CREDENTIALS: the plug wants another protocol",
	CodeHandshakeFailed:    "HAND_SHAKE_FAILED",
	CodeLoginFailed:        "LOGIN_FAILED",
	CodeHTTPTransport:      "HTTP_TRANSPORT_FAILED",
	CodeMultiRequestFailed: "MULTI_REQUEST_FAILED: batch refused",
	-1:                     "COMMON_FAILED",
	CodeUnspecific:         "UNSPECIFIC: not available now",
	CodeUnknownMethod:      "UNKNOWN_METHOD",
	CodeJSONDecode:         "JSON_DECODE_FAIL: the plug could not parse the request",
	-1004:                  "JSON_ENCODE_FAIL: the plug could not form the reply",
	CodeAESDecode:          "AES_DECODE_FAIL: the plug could not decrypt the request",
	-1006:                  "REQUEST_LEN_ERROR: request too long",
	-1007:                  "CLOUD_FAILED: cloud unreachable",
	CodeParams:             "PARAMS: wrong parameters",
	CodeNoHandshake:        "no handshake",
	CodeInvalidPublicKey:   "INVALID_PUBLIC_KEY: public key of the wrong length",
	-1012:                  "bad terminal id",
	CodeSessionParam:       "SESSION_PARAM: bad session parameter",
	-1201:                  "QUICK_SETUP",
	CodeBusy:               "DEVICE: busy",
	-1302:                  "DEVICE_NEXT_EVENT",
	-1401:                  "FIRMWARE",
	-1402:                  "FIRMWARE_VER",
	CodeLogin:              "LOGIN: wrong e-mail or password",
	CodeTime:               "clock not set",
	CodeTimeSys:            "clock not set",
	CodeTimeSave:           "clock not set",
	-1701:                  "wireless",
	-1702:                  "wireless not supported",
	CodeAccountLocked:      "account locked",
	CodeStatistics:         "statistics not available, typically before the clock is set",
	CodeStatisticsSave:     "statistics not saved",
	-2203:                  "STAT_ACCESS: access denied",
	-2402:                  "unknown session",
	-2301:                  "daylight saving",
	-2302:                  "daylight saving not saved",
	CodeSessionExpired:     "SESSION_EXPIRED",
	-40404:                 "locked",
	-40408:                 "locked",
	CodeInvalidNonce:       "INVALID_NONCE",
	-40420:                 "the tag of a frame does not match",
	-40421:                 "bad token",
	-40209:                 "invalid arguments",
	-40211:                 "the device wants TPAP",
}

// CodeName returns the name of a plug's error code and what it means.
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
