// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package httpwire is the HTTP that plugs understand, as a client needs it.
//
// A plug's web server is small and particular: it wants HTTP/1.1 with a
// Content-Length, canonical header names, no empty header value and exactly
// the cookie that it set. And it is asked for one thing at a time. So there is
// no pool here but one connection, kept while the plug keeps it, and no cookie
// jar, proxy, redirect or compression; what is read is bounded. Everything
// sent is a read or a login step, so a request whose connection died before
// any answer is sent once more, but for those that must not arrive twice.
package httpwire

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tapo-exporter/tapo_exporter/tapo/internal/budget"
	"github.com/tapo-exporter/tapo_exporter/tapo/internal/plugerr"
	"github.com/tapo-exporter/tapo_exporter/tapo/plug"
)

// MaxReply is the largest reply body that is read, in bytes. A plug's full
// reply is below 4 KiB, a strip's list below 16 KiB.
const MaxReply = 256 << 10

const (
	sessionCookie = "TP_SESSIONID"
	// defaultLifetime is what plugs announce, used where a plug does not say.
	defaultLifetime = 24 * time.Hour
)

// ErrNoReply says that the connection was closed instead of an answer, so that
// nobody knows whether the plug has read the request.
var ErrNoReply = errors.New("the connection was closed without an answer")

// StatusError is an HTTP status that the step did not expect.
type StatusError struct {
	Step   string
	Status int
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s: HTTP status %d %s", e.Step, e.Status, http.StatusText(e.Status))
}

// Endpoint is where requests go.
type Endpoint struct {
	Address string      // host:port
	TLS     *tls.Config // nil for plain HTTP
}

// Options configures a [Client].
type Options struct {
	// Address is the plug's host:port, where requests go over plain HTTP until
	// Use says otherwise.
	Address string
	// DialContext replaces net.Dialer's when it is not nil.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Observe is called after every request that was sent with the time until the
	// answer, or its failure; it may be nil.
	Observe func(r Request, took time.Duration)
	// TooMany is called when the plug answers that it gets too many requests; it
	// may be nil.
	TooMany func()
	// Budget bounds the requests, those included that are sent again; nil does not.
	Budget *budget.Budget
	// Logger gets one debug line per exchange; it must not be nil.
	Logger *slog.Logger
}

// Client exchanges HTTP messages with one plug. It is not safe for concurrent
// use: a plug holds one conversation at a time.
type Client struct {
	opts     Options
	endpoint Endpoint
	conn     *conn                    // kept alive, or nil
	woken    bool                     // the plug has been sent a wake-up since Begin
	silent   bool                     // a try of the last request got no answer
	used     bool                     // the connection has been used since Begin
	closes   bool                     // and was closed after that, so that none is kept until Begin
	took     map[string]time.Duration // of the last answer, by step
}

// NewClient returns a client; it does no I/O.
func NewClient(opts Options) *Client {
	if opts.DialContext == nil {
		opts.DialContext = (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext
	}
	if opts.Budget == nil {
		opts.Budget = budget.Unlimited()
	}
	return &Client{opts: opts, endpoint: Endpoint{Address: opts.Address}, took: map[string]time.Duration{}}
}

// Begin starts a conversation, which may have one wake-up.
func (c *Client) Begin() { c.woken, c.used, c.closes = false, false, false }

// Silent reports whether the last request, or its first try, got no answer.
func (c *Client) Silent() bool { return c.silent }

// Took is how long the last answer to a step took.
func (c *Client) Took(step string) time.Duration { return c.took[step] }

// Use sends further requests to another endpoint.
func (c *Client) Use(e Endpoint) {
	if c.endpoint != e {
		c.Close()
		c.endpoint = e
	}
}

// Connect makes a new connection for the next request, so that it cannot meet
// one that the plug has closed meanwhile. It fails with [budget.ErrSpent] if
// there may be none.
func (c *Client) Connect(ctx context.Context) error {
	c.Close()
	if c.opts.Budget.Left() == 0 {
		return budget.ErrSpent
	}
	fresh, err := c.dial(ctx)
	if err == nil {
		c.conn = fresh
	}
	return err
}

// Close gives up the idle connection. The client stays usable.
func (c *Client) Close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// Request is one POST to the plug.
type Request struct {
	Protocol plug.Protocol // whose request it is, for Observe
	Phase    plug.Phase    // the same
	Step     string        // what it is for: named in logs and errors, where the path may hold a token
	Path     string        // with the query
	Cookie   string        // session id, or ""
	JSON     bool          // the body is JSON
	Body     []byte
	Once     bool // never sent again by Post
	Patient  bool // all of the time that is left is waited for an answer
}

// Reply is what the plug answered, whatever the status.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

type lastWaiterKey struct{}

// WithLastWaiter says that the last waiter for the answer leaves at a time, before the deadline
// of ctx, so that Post asks again before that. The time may become later.
func WithLastWaiter(ctx context.Context, at func() time.Time) context.Context {
	return context.WithValue(ctx, lastWaiterKey{}, at)
}

// minWait is how long an answer is waited for at least.
const minWait = 2 * time.Second

// limit returns until when an answer is waited for that may be asked for again:
// half of the time from the request until whoever asks leaves, or until the
// deadline; but a slow plug is given its time, up to the deadline.
func (c *Client) limit(ctx context.Context, start time.Time, step string) time.Time {
	end, _ := ctx.Deadline()
	leaves := end
	if at, ok := ctx.Value(lastWaiterKey{}).(func() time.Time); ok {
		leaves = at()
	}
	for _, until := range []time.Time{leaves, end} {
		if half := start.Add(max(until.Sub(start)/2, 2*c.took[step], minWait)); half.Before(until) {
			return half
		}
	}
	return end
}

// Post sends a request and reads the whole reply. Where the plug closes the
// connection instead of answering, or has not answered in half of the time that
// is left (in more, if it is known to be slow), the request is sent once more,
// unless r.Once forbids that. Errors are those of the network, of ctx, a
// [*StatusError] where the plug answers that it gets too many requests,
// [budget.ErrSpent], or wrap [ErrNoReply], [plugerr.ErrReplyTimeout] or [plugerr.ErrBadReply].
func (c *Client) Post(ctx context.Context, r Request) (Reply, error) {
	reply, err := c.exchange(ctx, r, r.Patient)
	c.silent = errors.Is(err, ErrNoReply) || errors.Is(err, plugerr.ErrReplyTimeout)
	if c.silent && !r.Once && c.opts.Budget.Left() > 0 && ctx.Err() == nil {
		reply, err = c.exchange(ctx, r, true)
	}
	if err != nil {
		return Reply{}, fmt.Errorf("%s: %w", r.Step, err)
	}
	if reply.Status == http.StatusTooManyRequests {
		if c.opts.TooMany != nil {
			c.opts.TooMany()
		}
		return Reply{}, &StatusError{Step: r.Step, Status: reply.Status}
	}
	return reply, nil
}

func (c *Client) exchange(ctx context.Context, r Request, patient bool) (Reply, error) {
	c.opts.Logger.LogAttrs(ctx, slog.LevelDebug, "Request to the plug", slog.String("step", r.Step), slog.Int("bytes", len(r.Body)))
	start := time.Now()
	reply, err := c.roundTrip(ctx, r, patient)
	if c.opts.Logger.Enabled(ctx, slog.LevelDebug) {
		attrs := []slog.Attr{
			slog.String("step", r.Step), slog.Int("status", reply.Status), slog.Int("bytes", len(reply.Body)), slog.Duration("took", time.Since(start)),
		}
		if err != nil {
			attrs = append(attrs, slog.Any("err", err))
		}
		c.opts.Logger.LogAttrs(ctx, slog.LevelDebug, "Reply of the plug", attrs...)
	}
	return reply, err
}

// roundTrip uses the kept connection, or a new one where there is none or it
// has died meanwhile, and keeps it if it can be used again.
func (c *Client) roundTrip(ctx context.Context, r Request, patient bool) (Reply, error) {
	message, err := r.encode(c.endpoint.Address)
	if err != nil {
		return Reply{}, err
	}
	if c.opts.Budget.Left() == 0 {
		return Reply{}, budget.ErrSpent
	}
	if kept := c.conn; kept != nil {
		if !stale(kept.Conn) {
			reply, err := c.send(ctx, kept, r, message, patient)
			if !errors.Is(err, ErrNoReply) || ctx.Err() != nil {
				return reply, err
			}
			c.closes = true // and another request is not to be lost
			if r.Once || c.opts.Budget.Left() == 0 {
				c.Close()
				return Reply{}, err
			}
		}
		c.closes = c.closes || c.used
	}
	c.Close()
	fresh, err := c.dial(ctx)
	if err != nil {
		return Reply{}, err
	}
	return c.send(ctx, fresh, r, message, patient)
}

// send carries one message over a connection. Unless it is to be patient, it
// leaves time for another try.
func (c *Client) send(ctx context.Context, cn *conn, r Request, message []byte, patient bool) (Reply, error) {
	c.opts.Budget.Spend()
	start := time.Now()
	var limit func() time.Time
	if !patient {
		limit = func() time.Time { return c.limit(ctx, start, r.Step) }
	}
	reply, reusable, err := cn.roundTrip(ctx, message, limit)
	took := time.Since(start)
	if late := errors.Is(err, plugerr.ErrReplyTimeout); err == nil || late { // a late answer may be a slow one
		c.took[r.Step] = took
	}
	if c.opts.Observe != nil {
		c.opts.Observe(r, took)
	}
	c.conn, c.used = cn, true
	if !reusable || c.closes {
		c.Close()
	}
	return reply, err
}

// encode writes a request as one message. It fails on a path that would not
// stay in its line, without showing it.
func (r Request) encode(host string) ([]byte, error) {
	for _, char := range []byte(r.Path + r.Cookie) {
		if char <= ' ' || char >= 0x7f {
			return nil, fmt.Errorf("%w: a session id or token that cannot be sent", plugerr.ErrBadReply)
		}
	}
	b := make([]byte, 0, 256+len(r.Path)+len(r.Body))
	b = append(append(append(b, "POST "...), r.Path...), " HTTP/1.1\r\nHost: "...)
	b = append(b, host...)
	if r.JSON {
		b = append(b, "\r\nContent-Type: application/json\r\nAccept: application/json\r\nrequestByApp: true"...) // as apps do
	} else {
		b = append(b, "\r\nContent-Type: application/octet-stream\r\nAccept: */*"...)
	}
	if r.Cookie != "" {
		b = append(append(b, "\r\nCookie: "+sessionCookie+"="...), r.Cookie...)
	}
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(r.Body)), 10)
	return append(append(b, "\r\n\r\n"...), r.Body...), nil
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

// IsHTML reports whether a body is a web page. The stock "200 OK" page of a
// plug has 49 bytes, as many as the longer form of a handshake1 reply.
func IsHTML(body []byte) bool {
	head := strings.ToLower(string(bytes.TrimSpace(body[:min(len(body), 64)])))
	return strings.HasPrefix(head, "<html") || strings.HasPrefix(head, "<!doctype") || strings.HasPrefix(head, "<?xml")
}
