package lwm2mserver

import (
	"fmt"
	"strings"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Answer is a response of a device to a request, or a notification, or a Send.
type Answer struct {
	// Code is the response code.
	Code coap.Code
	// Format is the payload's format. content.None means that the response names no format.
	Format content.Format
	// Payload is the payload. Text returns it as a string.
	Payload []byte
	// Location is the path of a created instance, such as "/3303/1", without the device's alternate
	// path. The zero value means that the response names no path.
	Location string

	server *Server
	base   string // the path of the request
	root   string // the device's alternate path
}

// Text returns the payload as text.
func (a Answer) Text() string { return string(a.Payload) }

// String returns the code and the payload. A payload in a binary format is in hexadecimal and has
// the name of its format in front.
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

// Entries decodes the payload and returns its values. Their types are those of the definitions that
// were passed to Server.Define; without a definition, the types that the format shows.
func (a Answer) Entries() ([]dm.Entry, error) {
	base, err := dm.ParsePath(a.base)
	if err != nil {
		return nil, err
	}
	var (
		d       codec.Decoder
		entries []dm.Entry
	)
	r := content.Request{Base: base, Root: a.root, Schema: a.server.definition}
	err = d.Decode(a.Format, a.Payload, r, func(e dm.Entry) error {
		entries = append(entries, e)
		return nil
	})
	return entries, err
}

// Value decodes the payload and returns the value at a path. It is an error if there is none.
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
	return dm.Value{}, fmt.Errorf("lwm2mserver: the answer %v has no value for %v", a, p)
}

// newAnswer returns a result as the answer to a request for a path.
func (c *Client) newAnswer(path string, r coap.Result) (Answer, error) {
	if r.Err != nil {
		return Answer{}, r.Err
	}
	a := Answer{Code: r.Code, Format: content.None, Payload: r.Body, server: c.server, base: path, root: c.root()}
	if path == "" {
		a.base = "/"
	}
	if f, ok := r.Options.ContentFormat(); ok {
		a.Format = content.Format(f)
	}
	if location := string(r.Options.AppendLocationPath(nil)); location != "/" {
		a.Location = strings.TrimPrefix(location, a.root)
	}
	return a, nil
}
