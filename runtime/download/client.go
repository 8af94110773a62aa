package download

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// Config configures a Client.
type Config struct {
	// Dialers are the networks, as those of a device: udp.Dialer for coap, dtls.Dialer for coaps,
	// tcp.Dialer for coap+tcp, http and https, tls.Dialer for coaps+tcp and for https with a
	// certificate of the device. Required, unless HTTP is set.
	Dialers []socket.Dialer
	// Security returns the credentials for a host: a URI of the scheme coaps, coaps+tcp or https,
	// with nothing but the host and the port. It is called before each new connection, on any
	// goroutine. For https, the zero Security means that the device has no certificate, and that
	// the server's is verified with Security.TrustStore, or with the CAs of the system. The zero
	// value of the function means the zero Security, with which coaps and coaps+tcp fail.
	Security func(uri *url.URL) (socket.Security, error)
	// HTTP performs the requests of http and https, for a proxy or a network of its own. Its
	// CheckRedirect is called in addition to the rules of this package. The zero value means a
	// client that runs over Dialers and Security.
	HTTP *http.Client
	// Scheduler is that of the loop on which downloads run, such as lwm2m.Loop.Sched. The zero
	// value means that the client runs a loop of its own on a goroutine until Close.
	Scheduler *sched.Scheduler
	// MaxConcurrent is how many downloads run at a time; others wait for their turn. The zero value
	// means 2.
	MaxConcurrent int
	// MaxSize bounds the size of the content in bytes. The zero value means 1 GiB.
	MaxSize int64
	// Rate bounds the bytes of content per second of all downloads together. The zero value means
	// no bound.
	Rate int64
	// SyncEvery is after how many bytes the sink is synced and the record is saved: what a loss of
	// power costs. They are also synced when a download pauses or ends. The zero value means 64
	// KiB.
	SyncEvery int64
	// Retry says when a download tries again, and when it gives up.
	Retry Retry
	// ConnectTimeout bounds an attempt to connect. The zero value means a minute.
	ConnectTimeout time.Duration
	// IdleTimeout is how long the server may send nothing before the attempt ends. The zero value
	// means a minute.
	IdleTimeout time.Duration
	// Stall says what is too little to count as progress.
	Stall Stall
	// Params are the transmission parameters of CoAP over datagrams. The zero value means those of
	// RFC 7252.
	Params coap.Params
	// BlockSize is the largest block to ask for over datagrams: a power of two from 16 to 1024, in
	// bytes. The zero value means 1024.
	BlockSize int
	// Logger receives what happens. The zero value means slog.Default().
	Logger *slog.Logger
}

// Retry says when a download tries again after it was interrupted. Each attempt continues where the
// last one ended.
type Retry struct {
	// Attempts is how many attempts in a row may end without progress (Config.Stall) before the
	// download fails. The zero value means 10.
	Attempts int
	// First is the pause after the first of them. It is doubled after each further one up to Max,
	// and a random part of up to a half is added. A server that names a longer pause gets it, up to
	// Max. The zero values mean 2 s and 5 minutes.
	First, Max time.Duration
}

// Stall says when a download makes no progress although bytes arrive: a server that sends a byte
// now and then must not keep it for ever.
type Stall struct {
	// Bytes is how many new bytes are progress. Attempts that fetch fewer together count against
	// Retry.Attempts. The zero value means 1024.
	Bytes int64
	// Time is how long the server may take to send that many. Then the attempt ends, without
	// progress. Only the time in which the download waits for the server counts: no suspension, no
	// pause between attempts or for Config.Rate, and no sink that blocks. The zero value means 10
	// minutes.
	Time time.Duration
}

// withDefaults checks c and fills in the defaults.
func (c Config) withDefaults() (Config, error) {
	var faults []error
	for _, f := range []struct {
		name string
		v    int64
	}{
		{"MaxConcurrent", int64(c.MaxConcurrent)}, {"MaxSize", c.MaxSize}, {"Rate", c.Rate}, {"SyncEvery", c.SyncEvery},
		{"Retry.Attempts", int64(c.Retry.Attempts)}, {"Retry.First", int64(c.Retry.First)}, {"Retry.Max", int64(c.Retry.Max)},
		{"Stall.Bytes", c.Stall.Bytes}, {"Stall.Time", int64(c.Stall.Time)},
		{"ConnectTimeout", int64(c.ConnectTimeout)}, {"IdleTimeout", int64(c.IdleTimeout)},
	} {
		if f.v < 0 {
			faults = append(faults, fmt.Errorf("download: Config.%s is negative", f.name))
		}
	}
	if b := c.BlockSize; b != 0 && (b < 16 || b > 1024 || b&(b-1) != 0) {
		faults = append(faults, fmt.Errorf("download: Config.BlockSize is %d, it must be a power of two from 16 to 1024", b))
	}
	if len(c.Dialers) == 0 && c.HTTP == nil {
		faults = append(faults, errors.New("download: Config.Dialers is empty"))
	}
	faults = append(faults, c.Params.Validate())
	c.MaxConcurrent = cmp.Or(c.MaxConcurrent, 2)
	c.MaxSize = cmp.Or(c.MaxSize, 1<<30)
	c.SyncEvery = cmp.Or(c.SyncEvery, 64<<10)
	c.Retry.Attempts = cmp.Or(c.Retry.Attempts, 10)
	c.Retry.First = cmp.Or(c.Retry.First, 2*time.Second)
	c.Retry.Max = max(cmp.Or(c.Retry.Max, 5*time.Minute), c.Retry.First)
	c.Stall.Bytes = cmp.Or(c.Stall.Bytes, 1024)
	c.Stall.Time = cmp.Or(c.Stall.Time, 10*time.Minute)
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, time.Minute)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, time.Minute)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	return c, errors.Join(faults...)
}

// Client runs downloads. Make one with [New]. Its methods, and those of its downloads, may be
// called from any goroutine.
type Client struct {
	cfg      Config
	sched    *sched.Scheduler
	endpoint *coap.Endpoint
	poller   *socket.Poller
	http     *http.Client
	bucket   bucket

	// Owned by the loop.
	downloads []*Download // that are not over
	suspended bool

	mu     sync.Mutex
	closed bool
	stop   context.CancelFunc // of the loop of its own
}

// maxMemory bounds what servers can make the client keep for the protocol, in bytes.
const maxMemory = 64 << 10

// New makes a client without downloads. The error says which fields of cfg are not valid.
func New(cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, sched: cfg.Scheduler, poller: new(socket.Poller), bucket: bucket{rate: cfg.Rate}}
	if c.sched == nil {
		c.sched = sched.New()
	}
	if c.endpoint, err = coap.NewEndpoint(coap.Config{Scheduler: c.sched, MaxMemory: maxMemory}); err != nil {
		return nil, fmt.Errorf("download: %w", err)
	}
	c.http = c.newHTTPClient()
	if cfg.Scheduler == nil {
		var ctx context.Context
		ctx, c.stop = context.WithCancel(context.Background())
		go c.run(ctx)
	}
	return c, nil
}

// run runs the loop of a client without a scheduler of its own.
func (c *Client) run(ctx context.Context) {
	for c.sched.Sleep(ctx, time.Minute) == nil {
		c.sched.Run()
	}
}

// Schemes returns the schemes of URIs that the client can download, such as for the resource
// Firmware Update Protocol Support (/5/0/8).
func (c *Client) Schemes() []string {
	var schemes []string
	for _, scheme := range []string{"coap", "coaps", "http", "https", "coap+tcp", "coaps+tcp"} {
		if c.canDial(scheme) {
			schemes = append(schemes, scheme)
		}
	}
	return schemes
}

func (c *Client) canDial(scheme string) bool {
	if scheme == "http" || scheme == "https" {
		if c.cfg.HTTP != nil {
			return true
		}
		scheme = "coap+tcp" // HTTP runs over the streams of CoAP
	}
	return slices.ContainsFunc(c.cfg.Dialers, func(d socket.Dialer) bool { return slices.Contains(d.Schemes(), scheme) })
}

// Request says what to download and where to.
type Request struct {
	// URI is what to download, with one of the schemes coap, coaps, coap+tcp, coaps+tcp, http and
	// https. A user name or a password in it is an error. Required.
	URI string
	// Sink receives the content. Required.
	Sink Sink
	// Record is what Save has saved last. If it is about another URI, the download starts from the
	// beginning. The zero value means that there is none.
	Record Record
	// Save stores the record durably. It is called after each Sink.Sync, as the methods of the sink
	// are, and an error ends the download. The zero value means that the download does not survive
	// a restart.
	Save func(Record) error
	// Conn returns a connection to use for a URI of CoAP in place of one of its own, as
	// lwm2m.Client.Conn does. It is called for each attempt, on the loop of Config.Scheduler, which
	// is required then and which must run the connection. The attempt makes a connection of its own
	// if ok is false, and ends if conn is nil and ok is true. The zero value means that the
	// download connects by itself.
	Conn func(uri string) (conn *coap.Conn, ok bool)
	// Progress is called when something has changed, on the loop. The zero value means that no
	// callback is called.
	Progress func(Progress)
	// Done is called once, on the loop, when the download is over: with nil when the sink holds the
	// whole content durably, with an *Error, ErrCancelled or ErrClosed. The sink is not used any
	// more. The zero value means that no callback is called; see Download.Wait.
	Done func(error)
}

// Start starts a download and returns at once. The error is an *Error for a URI that can never be
// downloaded, or ErrClosed; Done is not called then.
func (c *Client) Start(r Request) (*Download, error) {
	if r.Sink == nil {
		return nil, fault(Failed, "Request.Sink is missing")
	}
	t, err := parseURI(r.URI)
	if err != nil {
		return nil, err
	}
	if r.Conn != nil && c.cfg.Scheduler == nil {
		return nil, fault(Failed, "Request.Conn needs Config.Scheduler")
	}
	if (r.Conn == nil || t.isHTTP()) && !c.canDial(t.scheme) {
		err := errNoDialer(t.scheme)
		err.URI = t.String()
		return nil, err
	}
	d := newDownload(c, r, t)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	c.sched.Post(d.start)
	return d, nil
}

// errNoDialer returns the error of a scheme that no dialer serves.
func errNoDialer(scheme string) *Error {
	return fault(UnsupportedProtocol, "no dialer serves %s", scheme)
}

// Suspend pauses all downloads, such as while the device is offline or asleep, and those that are
// started later. Connections are closed; their security sessions are kept where the network can.
func (c *Client) Suspend() { c.sched.Post(func() { c.setSuspended(true) }) }

// Resume ends Suspend: each download continues where it was, at once.
func (c *Client) Resume() { c.sched.Post(func() { c.setSuspended(false) }) }

func (c *Client) setSuspended(v bool) {
	if c.suspended == v {
		return
	}
	c.suspended = v
	for _, d := range slices.Clone(c.downloads) {
		d.onSuspension()
	}
}

// Close ends all downloads with ErrClosed, without waiting for them. What is durable in their sinks
// stays. It returns nil.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	c.sched.Post(func() {
		for _, d := range slices.Clone(c.downloads) {
			d.finish(ErrClosed)
		}
		c.remove(nil)
	})
	return nil
}

// remove removes a download that is over, and gives its turn to the next one.
func (c *Client) remove(d *Download) {
	c.downloads = slices.DeleteFunc(c.downloads, func(o *Download) bool { return o == d })
	c.mu.Lock()
	closed := c.closed
	c.mu.Unlock()
	if closed && len(c.downloads) == 0 {
		_ = c.poller.Close() // it watches nothing any more
		c.http.CloseIdleConnections()
		if c.stop != nil {
			c.stop()
		}
		return
	}
	c.advance()
}

// advance starts downloads that wait for their turn, in the order in which they were started.
func (c *Client) advance() {
	for _, d := range slices.Clone(c.downloads) {
		if d.state == Queued {
			d.reconcile()
		}
	}
}

// acquire reports whether a download may run now: those that were started before it go first.
func (c *Client) acquire(next *Download) bool {
	busy, before := 0, true
	for _, d := range c.downloads {
		before = before && d != next
		if d.attempting || before && !d.over && !d.isSuspended() && !d.timer.Pending() {
			busy++
		}
	}
	return busy < c.cfg.MaxConcurrent
}
