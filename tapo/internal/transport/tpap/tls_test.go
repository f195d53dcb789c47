// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tpap

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
)

var testTime = time.Date(2040, 5, 1, 0, 0, 0, 0, time.UTC)

// issue makes a certificate for a new key.
func issue(t *testing.T, name string, ca bool, parent *x509.Certificate, signer *ecdsa.PrivateKey, change func(*x509.Certificate)) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true, IsCA: ca,
		NotBefore: testTime.AddDate(-1, 0, 0), NotAfter: testTime.AddDate(1, 0, 0),
	}
	if change != nil {
		change(template)
	}
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c, key
}

func TestVerify(t *testing.T) {
	root, rootKey := issue(t, "root", true, nil, nil, nil)
	ca, caKey := issue(t, "ca", true, root, rootKey, nil)
	device, deviceKey := issue(t, "device", false, ca, caKey, nil)
	direct, directKey := issue(t, "device", false, root, rootKey, nil)
	expired, _ := issue(t, "device", false, ca, caKey, func(c *x509.Certificate) { c.NotAfter = testTime.AddDate(0, 0, -1) })
	byDevice, _ := issue(t, "device", false, device, deviceKey, nil)
	byDirect, _ := issue(t, "device", false, direct, directKey, nil)
	otherRoot, otherKey := issue(t, "root", true, nil, nil, nil)
	otherCA, otherCAKey := issue(t, "ca", true, otherRoot, otherKey, nil)
	foreign, _ := issue(t, "device", false, otherCA, otherCAKey, nil)

	for _, tc := range []struct {
		name  string
		chain []*x509.Certificate
		good  bool
	}{
		{"with a CA between", []*x509.Certificate{device, ca}, true},
		{"with the root itself", []*x509.Certificate{device, ca, root}, true},
		{"signed by the root", []*x509.Certificate{direct}, true},
		{"the CA is missing", []*x509.Certificate{device}, false},
		{"expired", []*x509.Certificate{expired, ca}, false},
		{"of another root of the same name", []*x509.Certificate{foreign, otherCA, otherRoot}, false},
		{"of another root, a good chain behind it", []*x509.Certificate{foreign, ca, root}, false},
		{"signed by a device", []*x509.Certificate{byDevice, device, ca}, false},
		{"signed by a device that the root has signed", []*x509.Certificate{byDirect, direct}, false},
		{"none", nil, false},
	} {
		err := verify(&rootKey.PublicKey, tc.chain, testTime)
		if (err == nil) != tc.good || !tc.good && !errors.Is(err, transport.ErrCertificate) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestTLSConfig(t *testing.T) {
	now := func() time.Time { return testTime }
	if TLSConfig(0, now) != nil {
		t.Error("TLS where the plug announces none")
	}
	own, _ := issue(t, "device", false, nil, nil, nil)
	state := tls.ConnectionState{PeerCertificates: []*x509.Certificate{own}}
	for mode := 1; mode <= 2; mode++ {
		c := TLSConfig(mode, now)
		if c.ServerName != "" || c.MinVersion != tls.VersionTLS12 || c.MaxVersion != tls.VersionTLS12 || (c.VerifyConnection != nil) != (mode == 2) {
			t.Errorf("mode %d: %+v", mode, c)
		}
	}
	if err := TLSConfig(2, now).VerifyConnection(state); !errors.Is(err, transport.ErrCertificate) {
		t.Errorf("mode 2, a certificate of its own: %v", err)
	}
}
