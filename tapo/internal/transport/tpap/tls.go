// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package tpap

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport"
)

// deviceRoot is the public key of CN=TP-LINK SYSTEMS DEVICE ROOT CA, O=TP-LINK SYSTEMS
// INC. (python-kasa/python-kasa#1592).
const deviceRoot = "04bc28f07f47e81a090ef7287b08b8c0facfaf25578abe33e325d59f6f51e570807057ca934ea960fba91baa6368a38b2965e768e74f653843171c062e8deead5d"

// TLSConfig returns the settings for an announced mode: 0 is plain HTTP, for which it
// returns nil. With 1 it accepts any certificate, with 2 one that TP-Link's device root
// has signed. Certificates contain no host name, so neither proves more than the login
// does. Devices use TLS 1.2 without a server name (python-kasa/python-kasa#1592).
func TLSConfig(mode int, now func() time.Time) *tls.Config {
	if mode == 0 {
		return nil
	}
	c := &tls.Config{
		MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection verifies in mode 2; mode 1 has nothing to verify
	}
	if mode == 2 {
		root := rootKey()
		c.VerifyConnection = func(s tls.ConnectionState) error { return verify(root, s.PeerCertificates, now()) }
	}
	return c
}

func rootKey() *ecdsa.PublicKey {
	point, err := hex.DecodeString(deviceRoot)
	if err != nil {
		panic(err)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		panic(err)
	}
	return key
}

// verify looks for a chain from the device's certificate, which is the first, to a
// certificate that root has signed. Such a certificate serves as the trust anchor, since
// only the key of the root is known.
func verify(root *ecdsa.PublicKey, chain []*x509.Certificate, now time.Time) error {
	if len(chain) == 0 {
		return transport.ErrCertificate
	}
	signer := &x509.Certificate{Version: 3, BasicConstraintsValid: true, IsCA: true, PublicKeyAlgorithm: x509.ECDSA, PublicKey: root}
	opts := x509.VerifyOptions{
		Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	}
	for _, c := range chain {
		if c.CheckSignatureFrom(signer) == nil {
			opts.Roots.AddCert(c)
		} else {
			opts.Intermediates.AddCert(c)
		}
	}
	if _, err := chain[0].Verify(opts); err != nil {
		return fmt.Errorf("%w: %w", transport.ErrCertificate, err)
	}
	return nil
}
