// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/transport/passthrough"
)

// TestPassthroughSteps: each step requires the previous one.
func TestPassthroughSteps(t *testing.T) {
	p := start(t, &Plug{Model: P110Passthrough})
	for request, want := range map[string]string{
		`{"method":"handshake","params":{"key":"x"}}`: `{"error_code":-1010}`,
		string(passthrough.SealedRequest("AAAA")):     `{"error_code":9999}`,
		`not JSON`:              `{"error_code":-1003}`,
		`{"method":"anything"}`: `{"error_code":1002}`,
	} {
		if _, _, body := post(t, p, "/app", "", []byte(request)); string(body) != want {
			t.Errorf("%s: %s, want %s", request, body, want)
		}
	}
}

// passthroughClient speaks securePassthrough as npm's tp-link-tapo-connect 2.0.15 does:
// the token is in every query, "undefined" before the login.
type passthroughClient struct {
	*testing.T
	plug          *Plug
	cipher        *passthrough.Cipher
	cookie, token string
}

// handshake sends a key in the 64 columns of Node's PEM.
func (c *passthroughClient) handshake() {
	c.Helper()
	key, err := rsa.GenerateKey(rand.Reader, passthrough.KeyBits)
	if err != nil {
		c.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		c.Fatal(err)
	}
	quoted, err := json.Marshal(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	if err != nil {
		c.Fatal(err)
	}
	header, body := c.post("/app", "", fmt.Appendf(nil, `{"method":"handshake","params":{"key":%s},"requestTimeMils":0}`, quoted))
	reply, ok := passthrough.DecodeReply(body)
	if !ok || reply.Code() != 0 {
		c.Fatalf("handshake: %s", body)
	}
	if c.cipher, err = passthrough.OpenKey(key, string(reply.Result.Key)); err != nil {
		c.Fatal(err)
	}
	c.cookie, _, _ = strings.Cut(header.Get("Set-Cookie"), ";")
	c.token = "undefined"
}

// post sends the headers of axios.
func (c *passthroughClient) post(path, cookie string, body []byte) (http.Header, []byte) {
	c.Helper()
	head := "POST " + path + " HTTP/1.1\r\nAccept: application/json, text/plain, */*\r\nContent-Type: application/json\r\n"
	if cookie != "" {
		head += "Cookie: " + cookie + "\r\n"
	}
	head += fmt.Sprintf("User-Agent: axios/1.7.2\r\nContent-Length: %d\r\nAccept-Encoding: gzip, compress, deflate, br\r\nHost: %s\r\nConnection: close\r\n\r\n", len(body), c.plug.Addr())
	status, header, answer := raw(c, c.plug, head+string(body))
	if status != http.StatusOK {
		c.Fatalf("%s: status %d", path, status)
	}
	return header, answer
}

// ask sends a sealed request and returns the inner reply, or the outer one if that is a
// refusal.
func (c *passthroughClient) ask(request string) string {
	c.Helper()
	_, body := c.post("/app?token="+c.token, c.cookie, passthrough.SealedRequest(c.cipher.Seal([]byte(request))))
	reply, ok := passthrough.DecodeReply(body)
	if !ok || reply.Code() != 0 {
		return string(body)
	}
	plain, err := c.cipher.Open(string(reply.Result.Response))
	if err != nil {
		c.Fatal(err)
	}
	return string(plain)
}

// login returns the error code of login_device.
func (c *passthroughClient) login(params string) int {
	c.Helper()
	var reply struct {
		ErrorCode int `json:"error_code"`
		Result    struct {
			Token string `json:"token"`
		} `json:"result"`
	}
	if err := json.Unmarshal([]byte(c.ask(`{"method":"login_device","params":`+params+`,"requestTimeMils":0}`)), &reply); err != nil {
		c.Fatal(err)
	}
	c.token = reply.Result.Token
	return reply.ErrorCode
}

// TestPassthroughLogins logs in as another client does, with each form of the password.
func TestPassthroughLogins(t *testing.T) {
	const password = "a password of more than fifty-seven characters, which MIME's base64 breaks"
	hashedOnly := P100Passthrough
	hashedOnly.HashedLoginOnly = true
	account, secret := passthrough.LoginClear.Params("u", password), passthrough.LoginHashed.Params("u", password).Password2
	params := func(members string) string { return fmt.Sprintf(`{"username":%q,%s}`, account.Username, members) }
	clear, hashed := params(fmt.Sprintf(`"password":%q`, account.Password)), params(fmt.Sprintf(`"password2":%q`, secret))
	mime := params(fmt.Sprintf(`"password":%q`, account.Password[:76]+"\r\n"+account.Password[76:]))
	for name, tc := range map[string]struct {
		model  Model
		params string
		code   int
	}{
		"version 2, in clear":               {P100Passthrough, clear, 0},
		"version 2, in lines":               {P100Passthrough, mime, 0},
		"version 2, hashed":                 {P100Passthrough, hashed, 0},
		"version 2, a member more":          {P110Passthrough, params(fmt.Sprintf(`"password2":%q,"terminalUUID":"x"`, secret)), 0},
		"version 2, wrong":                  {P100Passthrough, params(`"password":"d3Jvbmc="`), codeLogin},
		"version 2, wrong hash":             {P100Passthrough, params(`"password2":"d3Jvbmc="`), codeLogin},
		"version 2, no password":            {P100Passthrough, params(`"password":null`), codeLogin},
		"version 2, parameters null":        {P100Passthrough, "null", codeLogin},
		"version 1, in clear":               {P100Old, clear, 0},
		"version 1, hashed":                 {P100Old, hashed, codeLogin},
		"version 2 without version 1":       {hashedOnly, hashed, 0},
		"version 2 without version 1, text": {hashedOnly, clear, codeLogin},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, &Plug{Model: tc.model})
			p.SetCredentials("u", password)
			c := &passthroughClient{T: t, plug: p}
			c.handshake()
			if got := c.ask(`{"method":"get_device_info"}`); got != `{"error_code":9999}` {
				t.Errorf("before the login: %s", got)
			}
			if code := c.login(tc.params); code != tc.code {
				t.Fatalf("error_code %d, want %d", code, tc.code)
			}
			if tc.code != 0 {
				c.token = "undefined"
				if got := c.ask(`{"method":"login_device"}`); got != `{"error_code":9999}` {
					t.Errorf("a login after a refused one, without a handshake: %s", got)
				}
				return
			}
			if got := c.ask(`{"method":"get_device_info"}`); !strings.Contains(got, `"model":"P1`) {
				t.Errorf("get_device_info: %s", got)
			}
			for _, token := range []string{"undefined", "", "x" + c.token} {
				other := *c
				if other.token = token; other.ask(`{"method":"get_device_info"}`) != `{"error_code":9999}` {
					t.Errorf("token %q after the login is taken", token)
				}
			}
		})
	}
}

// TestPassthroughCookies: a plug looks for its session among the cookies.
func TestPassthroughCookies(t *testing.T) {
	p := start(t, &Plug{Model: P100Passthrough})
	c := &passthroughClient{T: t, plug: p}
	c.handshake()
	if code := c.login(`{"username":"UTU0NDEw"}`); code != codeLogin {
		t.Fatal(code)
	}
	c.handshake()
	account, err := json.Marshal(passthrough.LoginClear.Params(p.Username, p.Password))
	if err != nil {
		t.Fatal(err)
	}
	if code := c.login(string(account)); code != 0 {
		t.Fatal(code)
	}
	session := c.cookie
	for cookie, taken := range map[string]bool{
		session: true, session + ";": true, session + ";TIMEOUT=86400": true, "a=b; " + session: true, session + "; a=b": true,
		"": false, "a=b": false, "TP_SESSIONID=": false, session + "0": false, "X" + session: false,
	} {
		c.cookie = cookie
		if got := c.ask(`{"method":"get_device_info"}`); strings.Contains(got, `"model"`) != taken {
			t.Errorf("%q: %s", cookie, got)
		}
	}
}

// TestHandshakeKeys: a plug takes a key of 1024 bits in every form that clients send.
func TestHandshakeKeys(t *testing.T) {
	p := start(t, &Plug{Model: P100Passthrough})
	for bits, want := range map[int]int{1024: 0, 2048: codeInvalidPublicKey} {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		columns := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}))
		lines := strings.Split(columns, "\n")
		for name, text := range map[string]string{
			"columns": columns, "no final line feed": strings.TrimSuffix(columns, "\n"),
			"one line": lines[0] + "\n" + strings.Join(lines[1:len(lines)-2], "") + "\n" + lines[len(lines)-2] + "\n",
			"CR LF":    strings.ReplaceAll(columns, "\n", "\r\n"),
			"PKCS#1":   string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&key.PublicKey)})),
		} {
			quoted, err := json.Marshal(text)
			if err != nil {
				t.Fatal(err)
			}
			_, _, body := post(t, p, "/app", "", fmt.Appendf(nil, `{"method":"handshake","params":{"key":%s,"more":[]},"requestTimeMils":1}`, quoted))
			if wanted := fmt.Appendf(nil, `{"error_code":%d`, want); !bytes.HasPrefix(body, wanted) {
				t.Errorf("%d bits, %s: %s", bits, name, body)
			}
		}
	}
}
