// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package tdp has the frames of TP-Link's discovery over UDP port 20002. A client sends
// a probe, and each device that receives it replies with JSON.
//
// A frame is a header of 16 bytes, with a CRC-32 over the whole frame, and a payload. A
// probe may contain a public key. Devices other than plugs encrypt a part of their
// reply with it. Nothing is authenticated.
//
// The format is that of python-kasa's discover.py, which makes the same probes as in
// testdata/vectors.json and reads the replies there.
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

// Port is the UDP port that devices listen on.
const Port = 20002

// The header, big-endian: version, message type, operation (2), length of the
// payload (2), flags, padding, serial (4), CRC-32 (4).
const (
	headerSize = 16
	version    = 2
	opProbe    = 1
	keyFlags   = 0x11       // of a probe that contains a key
	crcSeed    = 0x5a6b7c8d // the value of the CRC field while the CRC is computed
)

// KeyBits is the size of the key in a probe.
const KeyBits = 2048

// Empty returns the shortest probe that devices accept. It also opens the TCP port of a
// plug whose web server is asleep (petretiandrea/home-assistant-tapo-p100#958).
func Empty() []byte { return frame(0, 0, nil) }

// Probe returns a probe that contains a public key.
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

// Reply returns a frame with the JSON of a reply.
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

// sum returns the CRC of a frame.
func sum(b []byte) uint32 {
	seeded := bytes.Clone(b)
	binary.BigEndian.PutUint32(seeded[12:], crcSeed)
	return crc32.ChecksumIEEE(seeded)
}

// ParseProbe checks a probe, and returns the public key that it contains, nil if there
// is none. Whether real devices check the CRC is not known.
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

// Payload returns the JSON of a reply. It ignores the header, as python-kasa does.
func Payload(packet []byte) []byte { return packet[min(len(packet), headerSize):] }

// Owner returns the hash of an account's e-mail address, as in a reply.
func Owner(email string) string {
	sum := md5.Sum([]byte(email)) //nolint:gosec // what devices use
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// Encrypted is the part of a reply that is encrypted with the key of the probe.
type Encrypted struct {
	Scheme string `json:"sym_schm"`
	Key    []byte `json:"key"`  // the AES key and the IV, with RSA-OAEP
	Data   []byte `json:"data"` // JSON, with AES-128-CBC
}

// ErrEncrypted means that the encrypted part of a reply cannot be decrypted.
var ErrEncrypted = errors.New("what the device has encrypted cannot be read")

// Open decrypts the data.
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
