// Copyright The tapo_exporter Authors
// SPDX-License-Identifier: Apache-2.0

// Package httpwire is an HTTP client for one plug, over one connection.
//
// A plug's web server is small. It requires HTTP/1.1, a Content-Length in this
// letter case (mihai-dinculescu/tapo writes all names in title case), no empty
// header value (kacper-serewis/tapo-p100-java-poc#4), and the session cookie
// without the attribute that it was set with (petretiandrea/plugp100#131). It
// serves one request at a time. So the client keeps one connection for as long as
// the plug does, has no cookie jar, proxy, redirects or compression, and reads a
// bounded number of bytes. A request is a read or a login step. If the connection
// closes before a reply, the client sends the request once more, unless
// [Request.Once] forbids that.
//
// The client is not [http.Transport], for three reasons:
//
//   - Cost. One exchange of a warm read takes 50 µs and 25 allocations, and 115 µs
//     and 67 allocations with http.Transport (medians of BenchmarkPost on a busy
//     virtual machine with two cores, so only the ratio is of use).
//   - The log. http.Transport reads from idle connections, and prints what arrives
//     there to the global logger: `Unsolicited response received on idle HTTP
//     channel starting with "..."`. A broken or hostile plug could write to the
//     exporter's log as much as it likes.
//   - Control. The caller decides which request may be sent twice, which must have
//     a connection of its own, and how many requests a probe may cost.
//     http.Transport decides about retries and connections itself.
//
// In comments of package tapo and below it, owner/repository#1 is an issue or a
// pull request on GitHub.
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

// MaxReply is the largest reply body that is read, in bytes. The longest replies
// in python-kasa's recordings (tests/fixtures/smart) are below 4 KiB for a plug, and
// below 16 KiB for the list of a strip.
const MaxReply = 256 << 10

const (
	sessionCookie = "TP_SESSIONID"
	// defaultLifetime is the lifetime that plugs announce (TIMEOUT=86400,
	// petretiandrea/plugp100#131). It stands in where a plug announces none.
	defaultLifetime = 24 * time.Hour
)

// ErrNoReply means that the connection was closed before a reply. The plug may or
// may not have read the request.
var ErrNoReply = errors.New("the connection was closed without an answer")

// StatusError is an HTTP status that the step does not expect.
type StatusError struct {
	Step   string
	Status int
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s: HTTP status %d %s", e.Step, e.Status, http.StatusText(e.Status))
}

// Endpoint is a web server of the plug.
type Endpoint struct {
	Address string      // host:port
	TLS     *tls.Config // nil for plain HTTP
}

// Options configures a [Client].
type Options struct {
	// Address is the plug's host:port. Requests go there over plain HTTP until
	// [Client.Use] sets another endpoint.
	Address string
	// DialContext replaces net.Dialer's when it is not nil.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Observe is called after every request that was sent, with the time until its
	// reply or its failure. It may be nil.
	Observe func(r Request, took time.Duration)
	// RateLimited is called when the plug answers with HTTP status 429. It may be nil.
	RateLimited func()
	// Budget bounds the number of requests, repetitions included. Nil means no bound.
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
	woken    bool                     // a wake-up has been sent since Begin
	silent   bool                     // the last request, or its first try, got no reply
	used     bool                     // the connection has been used since Begin
	closes   bool                     // the plug closed a used connection: keep none until Begin
	took     map[string]time.Duration // how long the last reply took, by step
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

// Begin starts a conversation. Each conversation may send one wake-up.
func (c *Client) Begin() { c.woken, c.used, c.closes = false, false, false }

// Silent reports whether the last request, or its first try, got no reply.
func (c *Client) Silent() bool { return c.silent }

// Took returns how long the last reply to a step took.
func (c *Client) Took(step string) time.Duration { return c.took[step] }

// Use sends further requests to another endpoint.
func (c *Client) Use(e Endpoint) {
	if c.endpoint != e {
		c.Close()
		c.endpoint = e
	}
}

// Connect makes a new connection for the next request. A kept connection may have
// been closed by the plug. The error is [budget.ErrSpent] if no request is left.
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

// Close closes the idle connection. The client stays usable.
func (c *Client) Close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// Request is one POST to the plug.
type Request struct {
	Protocol plug.Protocol // for Observe
	Phase    plug.Phase    // for Observe
	Step     string        // its name in logs and errors: the path may contain a token
	Path     string        // with the query
	Cookie   string        // session id, or ""
	JSON     bool          // the body is JSON
	Body     []byte
	Once     bool // Post does not send it twice
	Patient  bool // Post waits for the reply until the deadline
}

// Reply is the plug's reply, with any status.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

type lastWaiterKey struct{}

// WithLastWaiter returns a context in which the last waiter for the reading leaves
// at a time before the deadline of ctx. Post sends a request again before that
// time. The time may move to later while Post waits.
func WithLastWaiter(ctx context.Context, at func() time.Time) context.Context {
	return context.WithValue(ctx, lastWaiterKey{}, at)
}

// minWait is the least time that Post waits for a reply.
const minWait = 2 * time.Second

// limit returns until when to wait for the reply to a request that may be sent
// again. That is half of the time until the last waiter leaves, or else half of the
// time until the deadline. A plug that was slow at this step gets twice the time it
// took then, up to the deadline.
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

// Post sends a request and reads the whole reply. If the plug closes the
// connection without a reply, or has not replied in half of the time that is left
// (more if the plug is known to be slow), Post sends the request once more, unless
// r.Once is set. Errors are those of the network, of ctx, a [*StatusError] with HTTP
// status 429, [budget.ErrSpent], or wrap [ErrNoReply], [plugerr.ErrReplyTimeout] or
// [plugerr.ErrBadReply].
func (c *Client) Post(ctx context.Context, r Request) (Reply, error) {
	c.silent = false
	reply, err := c.exchange(ctx, r, r.Patient)
	again := errors.Is(err, ErrNoReply) || errors.Is(err, plugerr.ErrReplyTimeout)
	c.silent = c.silent || again
	if again && !r.Once && c.opts.Budget.Left() > 0 && ctx.Err() == nil {
		reply, err = c.exchange(ctx, r, true)
	}
	if err != nil {
		return Reply{}, fmt.Errorf("%s: %w", r.Step, err)
	}
	if reply.Status == http.StatusTooManyRequests {
		if c.opts.RateLimited != nil {
			c.opts.RateLimited()
		}
		return Reply{}, &StatusError{Step: r.Step, Status: reply.Status}
	}
	return reply, nil
}

// exchange sends a request once, and logs it. The pages of the exporter read these
// lines: their messages and keys are part of the package's interface.
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

// roundTrip uses the kept connection, or a new one if there is none or the plug has
// closed it. It keeps the connection if that can be used again.
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
			c.closes, c.silent = true, true // the next request would be lost as well
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

// send exchanges one message over a connection. Unless patient is set, it leaves
// time for another try.
func (c *Client) send(ctx context.Context, cn *conn, r Request, message []byte, patient bool) (Reply, error) {
	c.opts.Budget.Spend()
	start := time.Now()
	var limit func() time.Time
	if !patient {
		limit = func() time.Time { return c.limit(ctx, start, r.Step) }
	}
	reply, reusable, err := cn.roundTrip(ctx, message, limit)
	took := time.Since(start)
	if late := errors.Is(err, plugerr.ErrReplyTimeout); err == nil || late { // the plug may be slow
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

// encode writes a request as one message. A path or a cookie with characters that
// would end the line is an error, which does not show them: they are secret.
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
		b = append(b, "\r\nContent-Type: application/json\r\nAccept: application/json\r\nrequestByApp: true"...) // as python-kasa's aestransport.py
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

// Session returns the session id that the reply sets, and its lifetime. ok is false
// if it sets none. Plugs write `TP_SESSIONID=<id>;TIMEOUT=<seconds>` in one header
// (petretiandrea/plugp100#131). The unit is seconds (petretiandrea/plugp100#197).
// Some firmware names the cookie SESSIONID (python-kasa's klaptransport.py).
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

// OverSession returns the error of a reply to a request over a session, nil if the reply
// is what the session may open. The error wraps [plugerr.ErrSessionLost], is marked with
// [plugerr.NotAReply], or is a [*StatusError].
func (r Reply) OverSession(step string) error {
	switch status := r.Status; {
	case status == http.StatusOK && IsHTML(r.Body): // as some firmware answers large requests (python-kasa/python-kasa#1580)
		return plugerr.NotAReply(fmt.Errorf("%s: %w: a web page", step, plugerr.ErrBadReply))
	case status == http.StatusOK:
		return nil
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return fmt.Errorf("%s: %w: HTTP status %d", step, plugerr.ErrSessionLost, status)
	case status == http.StatusBadRequest, status == http.StatusRequestEntityTooLarge, status >= http.StatusInternalServerError:
		return plugerr.NotAReply(&StatusError{Step: step, Status: status})
	default:
		return &StatusError{Step: step, Status: status}
	}
}

// IsHTML reports whether a body is a web page. The length does not distinguish
// them: the "200 OK" page of a plug's web server has 49 bytes, as many as a
// handshake1 reply with a stray byte.
func IsHTML(body []byte) bool {
	head := strings.ToLower(string(bytes.TrimSpace(body[:min(len(body), 64)])))
	return strings.HasPrefix(head, "<html") || strings.HasPrefix(head, "<!doctype") || strings.HasPrefix(head, "<?xml")
}
