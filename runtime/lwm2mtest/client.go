package lwm2mtest

import (
	"context"
	"fmt"
	"slices"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// Client is a device as the server sees it. Its methods perform operations over the connection of the
// device's last Register or Update and wait for the answer until ctx ends. An error means that there
// is no answer; a refusal by the device is an Answer with its code.
type Client struct {
	s *Server

	// Under the server's lock.
	reg  Registration
	conn *conn
	sent []Answer

	expiry sched.Job // the loop's
}

// Registration returns how the registration stands.
func (c *Client) Registration() Registration {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return c.reg.clone()
}

// Operation is a request to a device, for what the other methods do not cover.
type Operation struct {
	// Method is GET, PUT, ...
	Method coap.Code
	// Path is the path, such as "/3/0", without the device's alternate path, and Query the parts of
	// the query, such as "pmin=5".
	Path  string
	Query []string
	// Accept is the format to ask for. content.None asks for none; the zero value is content.Text.
	Accept content.Format
	// Format and Payload are the body. content.None says no format; the zero value is content.Text,
	// and is not sent without a payload.
	Format  content.Format
	Payload []byte
	// Options changes the request's options before it is sent, for what the fields cannot say. Nil
	// means not.
	Options func(*coap.Options)
	// NonConfirmable sends the request without asking for an acknowledgement.
	NonConfirmable bool
}

// Do performs an operation.
func (c *Client) Do(ctx context.Context, op Operation) (Answer, error) {
	got := make(chan coap.Result, 1)
	call := c.call(op)
	call.Done = func(r coap.Result) { got <- kept(r) }
	if err := c.start(call); err != nil {
		return Answer{}, err
	}
	select {
	case r := <-got:
		return c.answer(op.Path, r)
	case <-ctx.Done():
		c.s.sched.Post(call.Cancel)
		return Answer{}, context.Cause(ctx)
	}
}

func (c *Client) call(op Operation) *coap.Call {
	call := &coap.Call{Code: op.Method, Body: op.Payload, NonConfirmable: op.NonConfirmable}
	call.Options.AddPath(c.Registration().Objects.Root + op.Path)
	for _, q := range op.Query {
		call.Options.AddString(coap.OptionURIQuery, q)
	}
	if op.Accept != content.None {
		call.Options.SetAccept(uint16(op.Accept))
	}
	if op.Format != content.None && op.Payload != nil {
		call.Options.SetContentFormat(uint16(op.Format))
	}
	if op.Options != nil {
		op.Options(&call.Options)
	}
	return call
}

// start has the loop begin a call; it returns once that is done.
func (c *Client) start(call *coap.Call) error {
	begun := make(chan error, 1)
	c.s.sched.Post(func() {
		c.s.mu.Lock()
		conn := c.conn
		c.s.mu.Unlock()
		begun <- conn.coap.Do(call)
	})
	select {
	case err := <-begun:
		return err
	case <-c.s.done:
		return fmt.Errorf("the server is closed")
	}
}

// kept returns a result whose parts outlive the callback.
func kept(r coap.Result) coap.Result {
	r.Body = slices.Clone(r.Body)
	if r.Options != nil {
		o := r.Options.Clone()
		r.Options = &o
	}
	return r
}

// Read reads a node in the given format; content.None lets the device choose.
func (c *Client) Read(ctx context.Context, path string, accept content.Format) (Answer, error) {
	return c.Do(ctx, Operation{Method: coap.GET, Path: path, Accept: accept, Format: content.None})
}

// Discover lists nodes and their attributes; the query may hold "depth=2".
func (c *Client) Discover(ctx context.Context, path string, query ...string) (Answer, error) {
	return c.Do(ctx, Operation{Method: coap.GET, Path: path, Query: query, Accept: content.Link, Format: content.None})
}

// Write replaces a node by the payload (PUT).
func (c *Client) Write(ctx context.Context, path string, f content.Format, payload []byte) (Answer, error) {
	return c.Do(ctx, Operation{Method: coap.PUT, Path: path, Accept: content.None, Format: f, Payload: payload})
}

// Update writes the payload and keeps what it leaves out (POST), a partial update.
func (c *Client) Update(ctx context.Context, path string, f content.Format, payload []byte) (Answer, error) {
	return c.Do(ctx, Operation{Method: coap.POST, Path: path, Accept: content.None, Format: f, Payload: payload})
}

// WriteAttributes sets attributes such as "pmin=5"; an attribute without a value is taken away.
func (c *Client) WriteAttributes(ctx context.Context, path string, attributes ...string) (Answer, error) {
	return c.Do(ctx, Operation{Method: coap.PUT, Path: path, Query: attributes, Accept: content.None, Format: content.None})
}

// Execute executes a resource with arguments such as 0='5'; empty means none.
func (c *Client) Execute(ctx context.Context, path, args string) (Answer, error) {
	op := Operation{Method: coap.POST, Path: path, Accept: content.None, Format: content.Text}
	if args != "" {
		op.Payload = []byte(args)
	}
	return c.Do(ctx, op)
}

// Create makes an instance of an object.
func (c *Client) Create(ctx context.Context, object string, f content.Format, payload []byte) (Answer, error) {
	return c.Do(ctx, Operation{Method: coap.POST, Path: object, Accept: content.None, Format: f, Payload: payload})
}

// Delete deletes an instance or a resource instance.
func (c *Client) Delete(ctx context.Context, path string) (Answer, error) {
	return c.Do(ctx, Operation{Method: coap.DELETE, Path: path, Accept: content.None, Format: content.None})
}

// ReadComposite reads several nodes at once; the format is that of the request and of the answer.
func (c *Client) ReadComposite(ctx context.Context, f content.Format, paths ...string) (Answer, error) {
	payload, err := pathsPayload(f, paths)
	if err != nil {
		return Answer{}, err
	}
	return c.Do(ctx, Operation{Method: coap.FETCH, Accept: f, Format: f, Payload: payload})
}

// WriteComposite writes values anywhere in the data model at once.
func (c *Client) WriteComposite(ctx context.Context, f content.Format, entries ...dm.Entry) (Answer, error) {
	payload, err := Encode(f, "/", entries...)
	if err != nil {
		return Answer{}, err
	}
	return c.Do(ctx, Operation{Method: coap.IPATCH, Accept: content.None, Format: f, Payload: payload})
}

// Encode returns the payload of a Write or Create to path with the given entries, in ascending order
// of their paths.
func Encode(f content.Format, path string, entries ...dm.Entry) ([]byte, error) {
	p, err := dm.ParsePath(path)
	if err != nil {
		return nil, err
	}
	var e codec.Encoder
	return e.Encode(f, nil, content.Target{Base: p}, entries)
}

// Value returns an entry for Encode and WriteComposite. It panics where path is none: it is for
// literals in tests.
func Value(path string, v dm.Value) dm.Entry {
	p, err := dm.ParsePath(path)
	if err != nil {
		panic(err)
	}
	return dm.Entry{Path: p, Value: v}
}

func pathsPayload(f content.Format, paths []string) ([]byte, error) {
	var list []dm.Path
	for _, s := range paths {
		p, err := dm.ParsePath(s)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return codec.AppendPaths(f, nil, list, "")
}
