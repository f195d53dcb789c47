// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package wire is the HTTP that plugs understand, as a client needs it.
//
// A plug's web server is small and particular: it wants HTTP/1.1 with a
// Content-Length, canonical header names, no empty header value and exactly
// the cookie that it set. So this client has no cookie jar, no proxy, no
// redirects, no compression and no HTTP/2; it keeps at most one connection and
// bounds what it reads. Everything sent is a read or a login step, so a
// request whose connection died before any answer is sent once more.
package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// MaxReply is the largest reply body that is read, in bytes. A plug's full
// reply is below 4 KiB, a strip's list below 16 KiB.
const MaxReply = 256 << 10

const (
	contentJSON   = "application/json"
	contentBinary = "application/octet-stream"
	sessionCookie = "TP_SESSIONID"
	// defaultLifetime is what plugs announce, used where a plug does not say.
	defaultLifetime = 24 * time.Hour
)

var (
	// ErrSessionLost says that the plug no longer knows the session.
	ErrSessionLost = errors.New("the plug no longer knows the session")
	// ErrBadReply says that a reply is damaged: too long, cut short, or it does
	// not verify, decrypt or parse.
	ErrBadReply = errors.New("bad reply")
)

// StatusError is an HTTP status that the step did not expect.
type StatusError struct {
	Step   string
	Status int
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s: HTTP status %d %s", e.Step, e.Status, http.StatusText(e.Status))
}

// CodeError is an error_code other than 0 in a plug's JSON.
type CodeError struct {
	Step string // the method, or the login step
	Code int
}

func (e *CodeError) Error() string {
	return fmt.Sprintf("%s: error_code %d (%s)", e.Step, e.Code, CodeName(e.Code))
}

// Options configures a [Client].
type Options struct {
	// Address is the plug's host:port.
	Address string
	// DialContext replaces net.Dialer's when it is not nil.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Observe is called after every exchange with its protocol and the time it
	// took; it may be nil.
	Observe func(protocol string, took time.Duration)
	// Logger gets one debug line per exchange; it must not be nil.
	Logger *slog.Logger
}

// Client exchanges HTTP messages with one plug. It is not safe for concurrent
// use: a plug holds one conversation at a time.
type Client struct {
	opts      Options
	transport *http.Transport
	exchanges int
}

// NewClient returns a client; it does no I/O.
func NewClient(opts Options) *Client {
	dial := opts.DialContext
	if dial == nil {
		dial = (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext
	}
	return &Client{opts: opts, transport: &http.Transport{
		DialContext:            dial,
		DisableCompression:     true,
		MaxIdleConns:           1,
		MaxConnsPerHost:        1,
		IdleConnTimeout:        2 * time.Minute,
		MaxResponseHeaderBytes: 16 << 10,
	}}
}

// Exchanges returns how many requests have been sent so far.
func (c *Client) Exchanges() int { return c.exchanges }

// Close gives up the idle connection. The client stays usable.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Request is one POST to the plug.
type Request struct {
	Protocol string // whose request it is, for Observe
	Step     string // what it is for: named in logs and errors, where the path may hold a token
	Path     string // with the query
	Cookie   string // session id, or ""
	JSON     bool   // the body is JSON
	Body     []byte
}

// Reply is what the plug answered, whatever the status.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// Post sends a request and reads the whole reply. Where the plug closes the
// connection instead of answering, as it does to idle ones, it is sent once
// more. Errors are those of the network, of ctx, or wrap [ErrBadReply].
func (c *Client) Post(ctx context.Context, r Request) (Reply, error) {
	reply, err := c.exchange(ctx, r)
	if err != nil && closedBeforeReply(err) && ctx.Err() == nil {
		reply, err = c.exchange(ctx, r)
	}
	if err != nil {
		return Reply{}, fmt.Errorf("%s: %w", r.Step, err)
	}
	return reply, nil
}

func (c *Client) exchange(ctx context.Context, r Request) (Reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+c.opts.Address+r.Path, bytes.NewReader(r.Body))
	if err != nil {
		return Reply{}, errors.New("cannot form a request") // err would show the path, which may hold a token
	}
	content := contentBinary
	if r.JSON {
		content = contentJSON
	}
	req.Header = http.Header{
		"Accept":       {"*/*"},
		"Content-Type": {content},
	}
	if r.JSON {
		req.Header["requestByApp"] = []string{"true"} // in the app's own spelling
	}
	if r.Cookie != "" {
		req.Header["Cookie"] = []string{sessionCookie + "=" + r.Cookie}
	}

	c.exchanges++
	start := time.Now()
	reply, err := c.roundTrip(req)
	took := time.Since(start)
	if c.opts.Observe != nil {
		c.opts.Observe(r.Protocol, took)
	}
	if c.opts.Logger.Enabled(ctx, slog.LevelDebug) {
		attrs := []slog.Attr{
			slog.String("step", r.Step), slog.Int("sent_bytes", len(r.Body)),
			slog.Int("status", reply.Status), slog.Int("bytes", len(reply.Body)), slog.Duration("took", took),
		}
		if err != nil {
			attrs = append(attrs, slog.Any("err", err))
		}
		c.opts.Logger.LogAttrs(ctx, slog.LevelDebug, "Exchange with the plug", attrs...)
	}
	return reply, err
}

func (c *Client) roundTrip(req *http.Request) (Reply, error) {
	// The transport itself, not http.Client: nothing may follow a redirect.
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return Reply{}, err
	}
	defer resp.Body.Close()
	reply := Reply{Status: resp.StatusCode, Header: resp.Header}
	switch n := resp.ContentLength; {
	case n > MaxReply:
		return reply, fmt.Errorf("%w: %d bytes announced, more than %d", ErrBadReply, n, MaxReply)
	case n >= 0:
		reply.Body = make([]byte, n)
		_, err = io.ReadFull(resp.Body, reply.Body)
	default:
		reply.Body, err = io.ReadAll(io.LimitReader(resp.Body, MaxReply+1))
	}
	switch {
	case len(reply.Body) > MaxReply:
		return reply, fmt.Errorf("%w: more than %d bytes", ErrBadReply, MaxReply)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return reply, fmt.Errorf("%w: the connection closed within the reply", ErrBadReply)
	}
	return reply, err
}

// closedBeforeReply reports whether the plug closed the connection instead of
// answering.
func closedBeforeReply(err error) bool {
	return !errors.Is(err, ErrBadReply) &&
		(errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE))
}

// Session returns the session id that the reply sets, and its lifetime. Plugs
// write `TP_SESSIONID=<id>;TIMEOUT=<seconds>` in one line; some call the cookie
// SESSIONID. ok is false when there is none.
func (r Reply) Session() (id string, lifetime time.Duration, ok bool) {
	resp := http.Response{Header: r.Header}
	for _, c := range resp.Cookies() {
		if c.Name != sessionCookie && c.Name != "SESSIONID" || c.Value == "" {
			continue
		}
		lifetime = defaultLifetime
		for _, attr := range c.Unparsed {
			name, value, _ := strings.Cut(attr, "=")
			s, err := strconv.Atoi(strings.TrimSpace(value))
			if strings.EqualFold(strings.TrimSpace(name), "TIMEOUT") && err == nil && s > 0 && s <= int(365*24*time.Hour/time.Second) {
				lifetime = time.Duration(s) * time.Second
			}
		}
		return c.Value, lifetime, true
	}
	return "", 0, false
}

// Envelope is the outermost JSON object of a reply. A missing error_code counts
// as 0 if there is a result.
type Envelope struct {
	ErrorCode Number          `json:"error_code"`
	Result    json.RawMessage `json:"result"`
}

// Decode parses data as an envelope. ok is false when data is no JSON object
// with an error code or a result.
func Decode(data []byte) (e Envelope, ok bool) {
	if json.Unmarshal(data, &e) != nil {
		return Envelope{}, false
	}
	if string(e.Result) == "null" {
		e.Result = nil
	}
	return e, e.ErrorCode.Valid || e.Result != nil
}

// Code returns the error code; 0 is success.
func (e Envelope) Code() int { return int(e.ErrorCode.Value) }

// IsHTML reports whether a body is a web page. The stock "200 OK" page of a
// plug has 49 bytes, as many as the longer form of a handshake1 reply.
func IsHTML(body []byte) bool {
	head := strings.ToLower(string(bytes.TrimSpace(body[:min(len(body), 64)])))
	return strings.HasPrefix(head, "<html") || strings.HasPrefix(head, "<!doctype") || strings.HasPrefix(head, "<?xml")
}
