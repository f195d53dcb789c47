// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package passthrough implements securePassthrough, the transport of firmware from
// before the middle of 2023 (docs/protocols.md).
//
// The client sends an RSA key, the plug encrypts an AES key with it, and the client
// sends the account's password through that channel. The plug proves nothing: any host
// at the address gets the password, hashed (login version 2) or in clear (version 1). Do
// not use this package without the user's permission for this plug.
//
// passthrough.go has the primitives, which the simulator shares. client.go has the
// client's half, and transport.go implements [transport.Transport] with it. The format is
// that of python-kasa's aestransport.py.
package passthrough

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // The protocol is defined with it.
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/lenient"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/pkcs7"
)

// KeyBits is the only size of RSA key that plugs accept; they refuse others with -1010
// (INVALID_PUBLIC_KEY in python-kasa's exceptions.py).
const KeyBits = 1024

// keySize is the length of the AES key and the IV, which the plug encrypts together.
const keySize = 2 * aes.BlockSize

// ErrDecrypt means that a message is not base64 of AES-CBC with the session's key.
var ErrDecrypt = errors.New("the message does not decrypt")

// LoginVersion is how login_device contains the password.
type LoginVersion int

// Only the first firmware needs version 1.
const (
	LoginClear  LoginVersion = 1 // the password in clear, as base64
	LoginHashed LoginVersion = 2 // the SHA-1 of the password
)

// LoginParams are the parameters of login_device.
type LoginParams struct {
	Username  string `json:"username"`
	Password  string `json:"password,omitempty"`
	Password2 string `json:"password2,omitempty"`
}

// Params encodes credentials for login_device.
func (v LoginVersion) Params(username, password string) LoginParams {
	p := LoginParams{Username: base64Hex(username)}
	if v == LoginClear {
		p.Password = base64.StdEncoding.EncodeToString([]byte(password))
	} else {
		p.Password2 = base64Hex(password)
	}
	return p
}

// base64Hex returns base64 of the hexadecimal SHA-1: plugs require both encodings.
func base64Hex(s string) string {
	sum := sha1.Sum([]byte(s)) //nolint:gosec // as defined
	return base64.StdEncoding.EncodeToString([]byte(hex.EncodeToString(sum[:])))
}

// Message is the outer request: a handshake, or a sealed request.
type Message struct {
	Method string        `json:"method"`
	Params MessageParams `json:"params"`
}

// MessageParams has one member set.
type MessageParams struct {
	Key     string `json:"key,omitempty"`     // handshake: the client's public key
	Request string `json:"request,omitempty"` // securePassthrough: the sealed request
}

// HandshakeRequest returns the JSON of a handshake with a public key.
func HandshakeRequest(key *rsa.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, err
	}
	text := "-----BEGIN PUBLIC KEY-----\n" + base64.StdEncoding.EncodeToString(der) + "\n-----END PUBLIC KEY-----\n"
	return json.Marshal(Message{Method: "handshake", Params: MessageParams{Key: text}})
}

// SealedRequest returns the JSON around a sealed request, which is base64.
func SealedRequest(sealed string) []byte {
	return []byte(`{"method":"securePassthrough","params":{"request":"` + sealed + `"}}`)
}

// Reply is the outer reply, to either message.
type Reply struct {
	ErrorCode lenient.Number `json:"error_code"`
	Result    struct {
		Key      lenient.Text `json:"key"`      // handshake: the AES key, encrypted
		Response lenient.Text `json:"response"` // securePassthrough: the sealed reply
	} `json:"result"`
}

// DecodeReply parses an outer reply. ok is false if data is not a JSON object with an
// error code or a result.
func DecodeReply(data []byte) (r Reply, ok bool) {
	if sealed, ok := sealedReply(data); ok {
		r.ErrorCode.Valid, r.Result.Response = true, lenient.Text(sealed)
		return r, true
	}
	err := json.Unmarshal(data, &r)
	return r, err == nil && (r.ErrorCode.Valid || r.Result.Key != "" || r.Result.Response != "")
}

// sealedReply returns the base64 of a reply in the spelling of all recorded plugs. That
// is cheaper than parsing JSON; other spellings are parsed.
func sealedReply(data []byte) (sealed []byte, ok bool) {
	sealed, begins := bytes.CutPrefix(data, []byte(`{"error_code":0,"result":{"response":"`))
	sealed, ends := bytes.CutSuffix(sealed, []byte(`"}}`))
	if !begins || !ends {
		return nil, false
	}
	for _, c := range sealed {
		if c < '+' || c > 'z' || c == '\\' { // no base64
			return nil, false
		}
	}
	return sealed, true
}

// Code returns the error code; 0 is success.
func (r Reply) Code() int { return int(r.ErrorCode.Value) }

// LoginRequest is the inner request that logs in.
type LoginRequest struct {
	Method string      `json:"method"`
	Params LoginParams `json:"params"`
	Millis int64       `json:"request_time_milis"` // the spelling of plugs
}

// DecodePublicKey parses a PEM public key, in columns or on one line. It ignores the
// label, and takes the PKCS#1 form too: some clients' libraries write that, under the
// label RSA PUBLIC KEY, which the clients replace. A key must have [KeyBits].
func DecodePublicKey(text string) (*rsa.PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("no PEM block")
	}
	pub, err := x509.ParsePKCS1PublicKey(block.Bytes)
	if err != nil {
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, err
		}
		pub, _ = key.(*rsa.PublicKey)
	}
	if pub == nil || pub.N.BitLen() != KeyBits {
		return nil, fmt.Errorf("not an RSA key of %d bits", KeyBits)
	}
	return pub, nil
}

// OpenKey decrypts the reply to a handshake, which is a cipher's key and IV.
func OpenKey(key *rsa.PrivateKey, sealed string) (*Cipher, error) {
	ct, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return nil, err
	}
	// The protocol has no other padding. PKCS #1 v1.5 is deprecated because whoever can
	// make us decrypt many texts with one key may learn a secret. Here a key is for one
	// handshake, and the other side made the secret.
	plain, err := rsa.DecryptPKCS1v15(nil, key, ct) //nolint:staticcheck // defined by the protocol
	if err != nil {
		return nil, err
	}
	return NewCipher(plain)
}

// Cipher encrypts the messages of one session in both directions. Its methods are safe
// for concurrent use.
type Cipher struct {
	block cipher.Block
	iv    []byte
}

// NewCipher takes the AES key and IV that the plug chose.
func NewCipher(keyAndIV []byte) (*Cipher, error) {
	if len(keyAndIV) != keySize {
		return nil, fmt.Errorf("key and IV of %d bytes instead of %d", len(keyAndIV), keySize)
	}
	block, err := aes.NewCipher(keyAndIV[:aes.BlockSize])
	return &Cipher{block, bytes.Clone(keyAndIV[aes.BlockSize:])}, err
}

// Seal encrypts a message to base64.
func (c *Cipher) Seal(plain []byte) string {
	ct := pkcs7.Pad(make([]byte, 0, len(plain)+aes.BlockSize), plain)
	cipher.NewCBCEncrypter(c.block, c.iv).CryptBlocks(ct, ct)
	return base64.StdEncoding.EncodeToString(ct)
}

// Open decrypts a message. Plain JSON, which some firmware sends instead (python-kasa's
// aestransport.py), is returned unchanged.
func (c *Cipher) Open(message string) ([]byte, error) {
	if plain, err := c.decrypt(message); err == nil {
		return plain, nil
	}
	if plain := []byte(message); json.Valid(plain) {
		return plain, nil
	}
	return nil, ErrDecrypt
}

func (c *Cipher) decrypt(message string) ([]byte, error) {
	ct, err := base64.StdEncoding.DecodeString(message)
	if err != nil || len(ct) == 0 || len(ct)%aes.BlockSize != 0 {
		return nil, ErrDecrypt
	}
	cipher.NewCBCDecrypter(c.block, c.iv).CryptBlocks(ct, ct)
	return pkcs7.Unpad(ct)
}
