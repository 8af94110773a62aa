package manage

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// ask describes a request in a line: "GET /3/0?depth=1".
type ask struct {
	method coap.Code
	target string
	format content.Format // None: no option
	accept content.Format // None: no option
	body   string
	more   func(*coap.Options)
}

var methods = map[string]coap.Code{"GET": coap.GET, "PUT": coap.PUT, "POST": coap.POST, "DELETE": coap.DELETE,
	"FETCH": coap.FETCH, "IPATCH": coap.IPATCH, "PATCH": coap.PATCH}

// to makes an ask of "METHOD /path?query&query".
func to(line string) ask {
	method, target, _ := strings.Cut(line, " ")
	return ask{method: methods[method], target: target, format: content.None, accept: content.None}
}

func (a ask) as(f content.Format, body string) ask { a.format, a.body = f, body; return a }

func (a ask) accepting(f content.Format) ask { a.accept = f; return a }

func (a ask) with(more func(*coap.Options)) ask { a.more = more; return a }

func (a ask) call() *coap.Call {
	c := &coap.Call{Code: a.method, Body: []byte(a.body)}
	path, query, ok := strings.Cut(a.target, "?")
	c.Options.AddPath(path)
	if ok {
		for _, q := range strings.Split(query, "&") {
			c.Options.AddQuery(q)
		}
	}
	if a.format != content.None {
		c.Options.SetContentFormat(uint16(a.format))
	}
	if a.accept != content.None {
		c.Options.SetAccept(uint16(a.accept))
	}
	if a.more != nil {
		a.more(&c.Options)
	}
	return c
}

// reply is the answer to a request.
type reply struct {
	code    coap.Code
	options coap.Options
	body    string
	err     error
}

func (a *reply) format() content.Format {
	if f, ok := a.options.ContentFormat(); ok {
		return content.Format(f)
	}
	return content.None
}

// begin sends a request. The reply is filled in when the answer arrives.
func (p *remote) begin(a ask) (*reply, *bool) {
	p.r.t.Helper()
	got, done := &reply{}, new(bool)
	c := a.call()
	c.Done = func(res coap.Result) {
		*done = true
		got.code, got.err, got.body = res.Code, res.Err, string(res.Body)
		if res.Options != nil {
			got.options = res.Options.Clone()
		}
	}
	if err := p.conn.Do(c); err != nil {
		p.r.t.Fatal(err)
	}
	return got, done
}

// do sends a request and waits for the reply.
func (p *remote) do(a ask) reply {
	p.r.t.Helper()
	got, done := p.begin(a)
	p.r.until(func() bool { return *done })
	if got.err != nil {
		p.r.t.Fatalf("%v %s: %v", a.method, a.target, got.err)
	}
	return *got
}

// watch begins an observation; notifications are appended to the list.
func (p *remote) watch(a ask) (first reply, notes *[]reply, c *coap.Call) {
	p.r.t.Helper()
	notes = &[]reply{}
	done := false
	c = a.call()
	c.Done = func(res coap.Result) {
		done = true
		first = reply{code: res.Code, body: string(res.Body), err: res.Err}
		if res.Options != nil {
			first.options = res.Options.Clone()
		}
	}
	c.Observe = func(res coap.Result) {
		*notes = append(*notes, reply{code: res.Code, body: string(res.Body), err: res.Err})
	}
	if err := p.conn.Do(c); err != nil {
		p.r.t.Fatal(err)
	}
	p.r.until(func() bool { return done })
	return first, notes, c
}

// text reads a resource as text.
func (p *remote) text(path string) string {
	p.r.t.Helper()
	got := p.do(to("GET " + path).accepting(content.Text))
	if got.code != coap.Content {
		return got.code.String()
	}
	return got.body
}

// senml reads a node in SenML JSON.
func (p *remote) senml(path string) string {
	p.r.t.Helper()
	got := p.do(to("GET " + path).accepting(content.SenMLJSON))
	if got.code != coap.Content {
		return got.code.String()
	}
	return got.body
}

// paths is the payload of a Read-Composite.
func paths(t testing.TB, f content.Format, list ...string) string {
	t.Helper()
	var p []dm.Path
	for _, s := range list {
		path, err := dm.ParsePath(s)
		if err != nil {
			t.Fatal(err)
		}
		p = append(p, path)
	}
	b, err := codec.AppendPaths(f, nil, content.Target{}, p)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// row is one request and the answer that is expected.
type row struct {
	name   string
	ask    ask
	code   coap.Code
	body   string         // exactly, where the row says one
	format content.Format // likewise; 0 is not compared
}

func runRows(t *testing.T, o setup, rows []row) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, o)
				close(r.dev.release)
				got := r.peers[0].do(row.ask)
				if got.code != row.code {
					t.Errorf("answered %v %q, want %v", got.code, got.body, row.code)
				}
				if row.body != "" && got.body != row.body {
					t.Errorf("body\n%q, want\n%q", got.body, row.body)
				}
				if row.format != 0 && got.format() != row.format {
					t.Errorf("format %v, want %v", got.format(), row.format)
				}
				if strings.Contains(got.body, "hunter2") {
					t.Errorf("the answer %q leaks a secret", got.body)
				}
				if strings.Contains(r.log.String(), "identity") {
					t.Errorf("the log leaks a secret: %s", r.log.String())
				}
			})
		})
	}
}

// step is one request of a sequence.
type step struct {
	ask  ask
	code coap.Code
	body string // exactly, where the step has one
}

func (p *remote) run(steps []step) {
	p.r.t.Helper()
	for _, s := range steps {
		got := p.do(s.ask)
		if got.code != s.code || s.body != "" && got.body != s.body {
			p.r.t.Errorf("%v %s is answered %v %q, want %v %q", s.ask.method, s.ask.target, got.code, got.body,
				s.code, s.body)
		}
	}
}
