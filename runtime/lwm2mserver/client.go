package lwm2mserver

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// ErrClosed is the error of what is called on a Server, a Client or an Observation after
// Server.Close.
var ErrClosed = errors.New("lwm2mserver: the server is closed")

// Client is a device as the server sees it. Each method performs one operation over the connection
// of the device's last Register or Update and waits for the response until ctx ends. An error means
// that no response came. A refusal by the device is no error: it is an Answer with the device's
// code.
//
// A device in queue mode (Registration.QueueMode) sleeps. Requests to it are held in their order
// until it wakes up, and are sent one at a time, each after the response to the one before. A
// request that the device has not acknowledged is held again. Awake says whether the device can be
// reached, and Held lists the requests that wait.
type Client struct {
	server *Server

	// The server's lock guards these.
	reg   Registration
	conn  *conn
	awake bool // in queue mode: the device can be reached
	sent  history[Answer]

	// The loop owns these.
	expiry       sched.Job
	sleep        sched.Job  // when a device in queue mode falls asleep
	held         []*request // in the order of sending
	inFlight     *request   // in queue mode: waits for its response
	identity     string     // of the connection over which the device has registered
	remote       netip.AddrPort
	observations map[*Observation]bool // those that have not ended
}

// newClient returns a device that is reached over a connection.
func (s *Server) newClient(c *conn) *Client {
	return &Client{
		server: s, conn: c, sent: history[Answer]{limit: s.history}, observations: map[*Observation]bool{},
	}
}

// Registration returns the current state of the device's registration.
func (c *Client) Registration() Registration {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return c.reg.clone()
}

// ServerURI returns the URI of the listener over which the device has registered, such as
// "coaps://127.0.0.1:5684": the device can download from there what [Server.ServeFile] offers.
func (c *Client) ServerURI() string {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	return c.conn.uri
}

// Operation is a request that Client.Do sends.
type Operation struct {
	// Method is the request's method: GET, PUT, ...
	Method coap.Code
	// Path is the path, such as "/3/0", without the device's alternate path. Query holds the parts
	// of the query, such as "pmin=5".
	Path  string
	Query []string
	// Accept is the format to ask for. content.None asks for none. The zero value means
	// content.Text.
	Accept content.Format
	// Format and Payload are the body. content.None names no format. The zero value of Format means
	// content.Text; without a Payload no format is sent.
	Format  content.Format
	Payload []byte
	// Options changes the request's options before it is sent, for options that have no field here.
	// The zero value means no change.
	Options func(*coap.Options)
	// NonConfirmable sends a non-confirmable message. The zero value means a confirmable one.
	NonConfirmable bool
	// NoWait ends the request with ErrAsleep if the device is in queue mode and asleep, or falls
	// asleep before it has received the request. The zero value means that the request is held
	// until the device wakes up.
	NoWait bool

	image *pushedImage // in place of Payload; nil means that there is none
}

// String returns the method, the path and the query, such as "PUT /3303/0?pmin=5".
func (op Operation) String() string {
	return Request{Method: op.Method, Path: cmp.Or(op.Path, "/"), Query: op.Query}.String()
}

// Do sends a request that has no method of its own, such as one with a faulty option, and returns
// the response.
func (c *Client) Do(ctx context.Context, op Operation) (Answer, error) {
	got := make(chan coap.Result, 1)
	r := c.newRequest(ctx, op, func(result coap.Result) { got <- cloneResult(result) }, nil)
	c.server.sched.Post(func() { c.submit(r) })
	select {
	case result := <-got:
		return c.newAnswer(op.Path, result)
	case <-ctx.Done():
		c.server.sched.Post(func() { c.cancel(r) })
		return Answer{}, context.Cause(ctx)
	case <-c.server.done:
		return Answer{}, ErrClosed
	}
}

func (c *Client) newCall(op Operation) *coap.Call {
	call := &coap.Call{Code: op.Method, Body: op.Payload, NonConfirmable: op.NonConfirmable}
	call.Options.AddPath(c.root() + op.Path)
	for _, q := range op.Query {
		call.Options.AddString(coap.OptionURIQuery, q)
	}
	if op.Accept != content.None {
		call.Options.SetAccept(uint16(op.Accept))
	}
	if op.image != nil {
		call.Source, call.SourceSize = op.image, op.image.size
	}
	if op.Format != content.None && (op.Payload != nil || op.image != nil) {
		call.Options.SetContentFormat(uint16(op.Format))
	}
	if op.Options != nil {
		op.Options(&call.Options)
	}
	return call
}

// cloneResult returns a copy of a result that stays valid after the callback.
func cloneResult(r coap.Result) coap.Result {
	r.Body = slices.Clone(r.Body)
	if r.Options != nil {
		o := r.Options.Clone()
		r.Options = &o
	}
	return r
}

// Read reads a node in the given format. With content.None the device chooses the format.
func (c *Client) Read(ctx context.Context, path string, accept content.Format) (Answer, error) {
	return c.Do(ctx, Operation{Method: coap.GET, Path: path, Accept: accept, Format: content.None})
}

// Discover lists the nodes below a path and their attributes. The query may hold "depth=2".
func (c *Client) Discover(ctx context.Context, path string, query ...string) (Answer, error) {
	return c.Do(ctx, Operation{
		Method: coap.GET, Path: path, Query: query, Accept: content.Link, Format: content.None,
	})
}

// Write replaces a node with the payload (PUT).
func (c *Client) Write(ctx context.Context, path string, f content.Format, payload []byte) (Answer, error) {
	return c.Do(ctx, Operation{Method: coap.PUT, Path: path, Accept: content.None, Format: f, Payload: payload})
}

// WritePartial writes the payload and keeps resources that it leaves out (POST): the Partial Update
// of Core 1.2.2 §6.3.3.
func (c *Client) WritePartial(ctx context.Context, path string, f content.Format, payload []byte) (Answer, error) {
	return c.Do(ctx, Operation{Method: coap.POST, Path: path, Accept: content.None, Format: f, Payload: payload})
}

// WriteAttributes sets attributes such as "pmin=5". An attribute without a value, such as "pmin",
// is removed.
func (c *Client) WriteAttributes(ctx context.Context, path string, attributes ...string) (Answer, error) {
	return c.Do(ctx, Operation{
		Method: coap.PUT, Path: path, Query: attributes, Accept: content.None, Format: content.None,
	})
}

// Execute executes a resource with arguments such as 0='5'. An empty string means no arguments.
func (c *Client) Execute(ctx context.Context, path, args string) (Answer, error) {
	op := Operation{Method: coap.POST, Path: path, Accept: content.None, Format: content.Text}
	if args != "" {
		op.Payload = []byte(args)
	}
	return c.Do(ctx, op)
}

// Create creates an instance of an object, whose path is such as "/3303".
func (c *Client) Create(ctx context.Context, object string, f content.Format, payload []byte) (Answer, error) {
	return c.Do(ctx, Operation{Method: coap.POST, Path: object, Accept: content.None, Format: f, Payload: payload})
}

// Delete deletes an instance or a resource instance.
func (c *Client) Delete(ctx context.Context, path string) (Answer, error) {
	return c.Do(ctx, Operation{Method: coap.DELETE, Path: path, Accept: content.None, Format: content.None})
}

// ReadComposite reads several nodes in one request. Request and response have the format f.
func (c *Client) ReadComposite(ctx context.Context, f content.Format, paths ...string) (Answer, error) {
	payload, err := c.pathsPayload(f, paths)
	if err != nil {
		return Answer{}, err
	}
	return c.Do(ctx, Operation{Method: coap.FETCH, Accept: f, Format: f, Payload: payload})
}

// WriteComposite writes values at any paths of the data model in one request.
func (c *Client) WriteComposite(ctx context.Context, f content.Format, entries ...dm.Entry) (Answer, error) {
	var e codec.Encoder
	payload, err := e.Encode(f, nil, content.Target{Root: c.root()}, entries)
	if err != nil {
		return Answer{}, err
	}
	return c.Do(ctx, Operation{Method: coap.IPATCH, Accept: content.None, Format: f, Payload: payload})
}

// Encode returns the payload of a Write or a Create to path. The entries are in ascending order of
// their paths. Names in SenML are without the alternate path of a device, which a device has to
// accept. For names with it, use package codec with content.Target.Root.
func Encode(f content.Format, path string, entries ...dm.Entry) ([]byte, error) {
	p, err := dm.ParsePath(path)
	if err != nil {
		return nil, err
	}
	var e codec.Encoder
	return e.Encode(f, nil, content.Target{Base: p}, entries)
}

// root returns the alternate path under which the device has registered, such as "/lwm2m".
func (c *Client) root() string { return c.Registration().Objects.Root }

// pathsPayload returns the payload of a composite operation that names paths.
func (c *Client) pathsPayload(f content.Format, paths []string) ([]byte, error) {
	var list []dm.Path
	for _, s := range paths {
		p, err := dm.ParsePath(s)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return codec.AppendPaths(f, nil, content.Target{Root: c.root()}, list)
}
