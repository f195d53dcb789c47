// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/tpap"
)

// discover returns how to log in to the plug. It needs no credentials.
func (p *Plug) discover(req request) response {
	knows := p.Model.Protocol == TPAP || p.Model.Compatibility
	switch {
	case p.Model.Protocol == Passthrough:
		return page()
	case req.step != tpap.Discover || !knows:
		return jsonCode(codeUnknownTransport)
	case p.Model.Compatibility:
		return jsonBody(`{"error_code":0,"result":{"sub_method":"discover","tpap_preferred":false}}`)
	case p.locked():
		return p.lockedResponse()
	}
	announced := map[string]any{"tls": p.TPAP.TLS, "dac": 0, "noc": 0, "pake": p.TPAP.Pake, "port": p.tpapPort()}
	if p.TPAP.Attests {
		announced["dac"] = 1
	}
	if p.TPAP.UserHashType != 0 {
		announced["user_hash_type"] = p.TPAP.UserHashType
	}
	return jsonResult(map[string]any{
		"sub_method": tpap.Discover, "tpap_preferred": true, "mac": bare(p.identity.mac), "tpap": announced,
	})
}

func jsonResult(result any) response {
	body, _ := json.Marshal(map[string]any{"error_code": 0, "result": result}) //nolint:errchkjson // of our own making
	return jsonBody(string(body))
}

func (p *Plug) tpapPort() uint16 {
	if p.TPAP.TLS > 0 {
		return addrOf(p.secure.listener).Port()
	}
	return p.Addr().Port()
}

func (p *Plug) locked() bool { return p.Now().Before(p.tpap.lockedUntil) }

// lockedResponse refuses a login, with the minutes until the lock ends.
func (p *Plug) lockedResponse() response {
	left := p.tpap.lockedUntil.Sub(p.Now())
	return p.tpapRefusal(tpap.CodeLocked, int((left+time.Minute-1)/time.Minute))
}

func (p *Plug) tpapRefusal(code, minutes int) response {
	return jsonBody(fmt.Sprintf(`{"error_info":{"lockedMinute":%d,"failedAttempts":%d,"remainAttempts":%d},"error_code":%d}`,
		minutes, p.tpap.failures, max(0, p.TPAP.MaxFailures-p.tpap.failures), code))
}

// prolong starts the lock again, because of an attempt during the lock. Whether real
// plugs do that is not known; clients must not rely on the contrary.
func (p *Plug) prolong() response {
	p.tpap.lockedUntil = p.Now().Add(p.TPAP.LockTime)
	return p.lockedResponse()
}

// pakeRegister returns a challenge. It does not depend on the client's password.
func (p *Plug) pakeRegister(req request) response {
	if p.locked() {
		return p.prolong()
	}
	var call struct {
		Params tpap.RegisterParams `json:"params"`
	}
	if !unmarshal(req.body, &call) {
		return jsonCode(codeParams)
	}
	want := tpap.Announcement{Pake: p.TPAP.Pake, UserHashType: p.TPAP.UserHashType}
	username, errUser := want.Username()
	passcode, errPasscode := want.PasscodeType()
	switch r := call.Params; {
	case errUser != nil || errPasscode != nil || r.Username != username || r.PasscodeType != passcode,
		len(r.UserRandom) != tpap.RandomSize,
		!slices.Contains(r.CipherSuites, tpap.Suite),
		len(r.Encryption) > 0 && !slices.Contains(r.Encryption, tpap.Cipher):
		return jsonCode(codeParams)
	}
	if err := p.derive(); err != nil {
		return jsonCode(codeFailed)
	}
	verifier, err := p.tpap.record.Verify()
	if err != nil {
		return jsonCode(codeFailed)
	}
	devRandom := make([]byte, tpap.RandomSize)
	rand.Read(devRandom)
	p.tpap.pending = &tpapPending{
		binding: tpap.Binding(call.Params.UserRandom, devRandom), verifier: verifier, expires: p.Now().Add(maxPendingTime),
	}
	result := map[string]any{
		"dev_random": devRandom, "dev_salt": p.tpap.salt, "dev_share": verifier.Share(),
		"cipher_suites": tpap.Suite, "iterations": p.TPAP.Iterations, "encryption": tpap.Cipher,
	}
	if p.TPAP.ExtraCrypt != "null" && passcode != tpap.DefaultPasscode {
		result["extra_crypt"] = json.RawMessage(p.TPAP.ExtraCrypt)
	}
	return jsonResult(result)
}

// derive makes the registration record of the credentials (RFC 9383, section 3.2), if
// there is none yet.
func (p *Plug) derive() error {
	if p.tpap.record != nil {
		return nil
	}
	account := tpap.Account{Username: p.Username, Password: p.Password, MAC: bare(p.identity.mac)}
	derived, err := account.Credential(json.RawMessage(p.TPAP.ExtraCrypt))
	credential := derived.Text
	switch {
	case slices.Contains(p.TPAP.Pake, 0):
		credential, err = account.DefaultCredential()
	case errors.Is(err, tpap.ErrPasswordUnused):
		credential, err = account.StaleCredential()
	}
	if err != nil {
		return err
	}
	for {
		p.tpap.salt = make([]byte, 16)
		rand.Read(p.tpap.salt)
		secret, err := tpap.Derive(credential, p.tpap.salt, p.TPAP.Iterations)
		if err != nil {
			return err
		}
		if w0 := secret.W0(); p.TPAP.ShortW0 && (w0[0] != 0 || w0[1] >= 0x80) {
			continue // python-kasa/python-kasa#1592 shortens w0 below 2^247, and only then
		}
		p.tpap.record, err = secret.Record()
		return err
	}
}

// pakeShare checks the client's proof, and counts a wrong one.
func (p *Plug) pakeShare(req request, fault Fault) response {
	if p.locked() {
		return p.prolong()
	}
	if !p.tpap.lockedUntil.IsZero() { // the lock has ended
		p.tpap.lockedUntil, p.tpap.failures = time.Time{}, 0
	}
	pending := p.tpap.pending
	p.tpap.pending = nil
	if pending == nil || !p.Now().Before(pending.expires) {
		return jsonCode(codeLogin)
	}
	var call struct {
		Params tpap.ShareParams `json:"params"`
	}
	if !unmarshal(req.body, &call) || p.TPAP.Attests && len(call.Params.DACNonce) == 0 {
		return jsonCode(codeParams)
	}
	keys, err := pending.verifier.Finish(pending.binding, call.Params.UserShare)
	if err != nil {
		return jsonCode(codeParams)
	}
	if !hmac.Equal(keys.ConfirmP, call.Params.UserConfirm) {
		p.stats.LoginFailures++
		p.tpap.failures++
		if p.tpap.failures >= p.TPAP.MaxFailures {
			p.tpap.lockedUntil = p.Now().Add(p.TPAP.LockTime)
		}
		return p.tpapRefusal(tpap.CodeDenied, 0)
	}
	p.tpap.failures = 0
	return p.openSession(keys.Shared, keys.ConfirmV, fault)
}

func (p *Plug) openSession(shared, confirm []byte, fault Fault) response {
	frames, err := tpap.NewFrames(shared)
	if err != nil {
		return jsonCode(codeFailed)
	}
	token, start := p.TPAP.Token, p.TPAP.StartSeq
	if token == "" {
		token = newSessionID()
	}
	if start == nil {
		var b [4]byte
		rand.Read(b[:])
		start = new(int32(binary.BigEndian.Uint32(b[:]) >> 2))
	}
	p.stats.Logins++
	p.tpap.sessions = append(p.tpap.sessions, &tpapSession{
		path: tpap.Path(token), frames: frames, next: uint32(*start), //nolint:gosec // two's complement is meant
		expires: p.Now().Add(p.SessionLifetime),
	})
	if n := len(p.tpap.sessions); n > maxTPAPSessions {
		p.tpap.sessions = p.tpap.sessions[n-maxTPAPSessions:]
	}
	if fault.Kind == BadConfirm {
		confirm = append([]byte{confirm[0] ^ 1}, confirm[1:]...)
	}
	result := map[string]any{
		"dev_confirm": confirm, "stok": token, "start_seq": *start, "expired": int(p.SessionLifetime / time.Second),
	}
	if p.TPAP.Attests { // clients on record do not need the values
		result["dac_ca"], result["dac_ica"], result["dac_proof"] = "", "", ""
	}
	return jsonResult(result)
}

// certificate makes the self-signed certificate of a plug that announces TLS. Only
// TP-Link can make one that its root has signed.
func certificate(now time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "TPRI-DEVICE"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
