// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package tdp is the frames of TP-Link's discovery over UDP port 20002: a probe
// asks, and every device that hears it replies with JSON about itself.
//
// A frame is a header of 16 bytes, with a CRC-32 over the whole, and a payload.
// A probe may carry a public key, under which devices other than plugs encrypt
// some of what they say. Nothing of it is authenticated.
package tdp

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5" //nolint:gosec // what devices use
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // what devices use
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"hash/crc32"
	"strings"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/pkcs7"
)

// Port is where devices listen.
const Port = 20002

// The header, big-endian: version, message type, operation (2), length of the
// payload (2), flags, padding, serial (4), CRC-32 (4).
const (
	headerSize = 16
	version    = 2
	opProbe    = 1
	keyFlags   = 0x11       // of a probe that carries a key
	crcSeed    = 0x5a6b7c8d // in the place of the CRC while that is calculated
)

// KeyBits is the size of the key in a probe.
const KeyBits = 2048

// Empty is the smallest probe that devices take. It also opens the TCP port of a
// plug whose web server is asleep.
func Empty() []byte { return frame(0, 0, nil) }

// Probe returns a probe that carries a public key.
func Probe(serial uint32, key *rsa.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, err
	}
	var p probe
	p.Params.Key = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	payload, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	return frame(keyFlags, serial, payload), nil
}

type probe struct {
	Params struct {
		Key string `json:"rsa_key"`
	} `json:"params"`
}

// Reply frames the JSON that a device says of itself.
func Reply(payload []byte) []byte { return frame(0, 0, payload) }

func frame(flags byte, serial uint32, payload []byte) []byte {
	b := make([]byte, headerSize, headerSize+len(payload))
	b[0], b[3], b[6] = version, opProbe, flags
	binary.BigEndian.PutUint16(b[4:], uint16(len(payload))) //nolint:gosec // ours are small
	binary.BigEndian.PutUint32(b[8:], serial)
	b = append(b, payload...)
	binary.BigEndian.PutUint32(b[12:], sum(b))
	return b
}

// sum is the CRC of a frame.
func sum(b []byte) uint32 {
	seeded := bytes.Clone(b)
	binary.BigEndian.PutUint32(seeded[12:], crcSeed)
	return crc32.ChecksumIEEE(seeded)
}

// ParseProbe checks a probe as a device does, and returns the public key that it
// carries, nil if it carries none.
func ParseProbe(packet []byte) (key *rsa.PublicKey, ok bool) {
	if len(packet) < headerSize || !bytes.HasPrefix(packet, []byte{version, 0, 0, opProbe}) ||
		int(binary.BigEndian.Uint16(packet[4:])) != len(packet)-headerSize || binary.BigEndian.Uint32(packet[12:]) != sum(packet) {
		return nil, false
	}
	var p probe
	if json.Unmarshal(packet[headerSize:], &p) != nil {
		return nil, len(packet) == headerSize
	}
	block, _ := pem.Decode([]byte(p.Params.Key))
	if block == nil {
		return nil, true
	}
	if parsed, err := x509.ParsePKIXPublicKey(block.Bytes); err == nil {
		key, _ = parsed.(*rsa.PublicKey)
	} else {
		key, _ = x509.ParsePKCS1PublicKey(block.Bytes)
	}
	return key, true
}

// Payload returns the JSON of a reply. The header is not looked at: devices have
// been seen to put other flags, serials and sums in it.
func Payload(packet []byte) []byte { return packet[min(len(packet), headerSize):] }

// Owner returns the hash by which devices name the account of an e-mail address.
func Owner(email string) string {
	sum := md5.Sum([]byte(email)) //nolint:gosec // what devices use
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// Encrypted is what a device says under the key of the probe.
type Encrypted struct {
	Scheme string `json:"sym_schm"`
	Key    []byte `json:"key"`  // RSA-OAEP of the AES key and the IV
	Data   []byte `json:"data"` // AES-128-CBC of JSON
}

// ErrEncrypted says that something cannot be decrypted.
var ErrEncrypted = errors.New("what the device has encrypted cannot be read")

// Open decrypts.
func (e Encrypted) Open(key *rsa.PrivateKey) ([]byte, error) {
	secret, err := rsa.DecryptOAEP(sha1.New(), nil, key, e.Key, nil) //nolint:gosec // what devices use
	if err != nil || len(secret) != 2*aes.BlockSize || len(e.Data) == 0 || len(e.Data)%aes.BlockSize != 0 {
		return nil, ErrEncrypted
	}
	block, err := aes.NewCipher(secret[:aes.BlockSize])
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(e.Data))
	cipher.NewCBCDecrypter(block, secret[aes.BlockSize:]).CryptBlocks(plain, e.Data)
	if plain, err = pkcs7.Unpad(plain); err != nil {
		return nil, ErrEncrypted
	}
	return plain, nil
}
