package lwm2mtest

import (
	"fmt"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Answer is what a device answered, or notified.
type Answer struct {
	// Code is the response code.
	Code coap.Code
	// Format is the payload's format, content.None where it is not said.
	Format content.Format
	// Payload is the payload; Text is the same for formats that people read.
	Payload []byte
	// Location is the path of what a Create made, such as "/3303/1". Empty means that it is not said.
	Location string

	s    *Server
	base string
}

// Text returns the payload as text.
func (a Answer) Text() string { return string(a.Payload) }

// String returns code and payload; payloads that people cannot read in hexadecimal, behind their format.
func (a Answer) String() string {
	s, verb := a.Code.String(), " %s"
	switch a.Format {
	case content.Text, content.Link, content.SenMLJSON, content.LwM2MJSON, content.None:
	default:
		s, verb = s+" "+a.Format.String(), " %x"
	}
	if len(a.Payload) == 0 {
		return s
	}
	return s + fmt.Sprintf(verb, a.Payload)
}

// Entries returns the values of the payload. The types of values are those of the definitions that
// the server was told by Define, else those that the format shows.
func (a Answer) Entries() ([]dm.Entry, error) {
	base, err := dm.ParsePath(a.base)
	if err != nil {
		return nil, err
	}
	var (
		d       codec.Decoder
		entries []dm.Entry
	)
	r := content.Request{Base: base, Schema: a.s.definition}
	err = d.Decode(a.Format, a.Payload, r, func(e dm.Entry) error {
		entries = append(entries, e)
		return nil
	})
	return entries, err
}

// Value returns one value of the payload by its path.
func (a Answer) Value(path string) (dm.Value, error) {
	p, err := dm.ParsePath(path)
	if err != nil {
		return dm.Value{}, err
	}
	entries, err := a.Entries()
	if err != nil {
		return dm.Value{}, err
	}
	for _, e := range entries {
		if e.Path == p {
			return e.Value, nil
		}
	}
	return dm.Value{}, fmt.Errorf("the answer %v has no value for %v", a, p)
}

func (c *Client) answer(path string, r coap.Result) (Answer, error) {
	if r.Err != nil {
		return Answer{}, r.Err
	}
	a := Answer{Code: r.Code, Format: content.None, Payload: r.Body, s: c.s, base: path}
	if path == "" {
		a.base = "/"
	}
	if f, ok := r.Options.ContentFormat(); ok {
		a.Format = content.Format(f)
	}
	a.Location = string(r.Options.AppendLocationPath(nil))
	return a, nil
}

// send handles a Send: what the device reports of its own accord.
func (s *Server) send(c *conn, r Request) Reply {
	reply := Reply{Code: coap.NotFound}
	s.change(func() {
		for _, cl := range s.clients {
			if cl.conn == c && cl.reg.Location != "" {
				cl.sent = append(cl.sent, Answer{Code: coap.Content, Format: r.Format, Payload: r.Payload, s: s, base: "/"})
				reply.Code = coap.Changed
			}
		}
	})
	return reply
}

// Sent returns what the device has reported by Send so far, in order.
func (c *Client) Sent() []Answer {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	return append([]Answer(nil), c.sent...)
}
