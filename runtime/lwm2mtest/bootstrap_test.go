package lwm2mtest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// simDevice is a device on simnet that a test plays message by message.
type simDevice struct {
	t    *testing.T
	sock socket.Socket
	next uint16
}

// newBootstrapBed starts a server and a device whose messages arrive at once.
func newBootstrapBed(t *testing.T) (*lwm2mtest.Server, *simDevice) {
	n := simnet.New(1)
	l, err := n.NewHost("cloud").Listen(5683)
	if err != nil {
		t.Fatal(err)
	}
	s := lwm2mtest.NewServer(t, l)
	sock, err := n.NewHost("device").Dialer().NewSocket(socket.Config{Scheme: "coap"})
	if err == nil {
		err = sock.Connect(t.Context(), socket.Endpoint{Host: "cloud", Port: 5683})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sock.Close() })
	return s, &simDevice{t: t, sock: sock}
}

func (d *simDevice) send(m coap.Message) {
	d.t.Helper()
	b, err := m.AppendUDP(nil)
	if err == nil {
		err = d.sock.Send(b)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

// receiveRaw returns the next datagram.
func (d *simDevice) receiveRaw() []byte {
	d.t.Helper()
	b := make([]byte, 2000)
	d.sock.SetRecvDeadline(time.Now().Add(10 * time.Minute))
	n, err := d.sock.Recv(b)
	if err != nil {
		d.t.Fatal(err)
	}
	return b[:n]
}

func (d *simDevice) receive() coap.Message {
	d.t.Helper()
	var m coap.Message
	if err := m.ParseUDP(d.receiveRaw()); err != nil {
		d.t.Fatal(err)
	}
	return m
}

// requestBootstrap sends a Bootstrap-Request and returns the code of the response.
func (d *simDevice) requestBootstrap(query ...string) coap.Code {
	d.t.Helper()
	d.next++
	m := coap.Message{Type: coap.Confirmable, Code: coap.POST, MessageID: d.next, Token: []byte{byte(d.next)}}
	m.Options.AddPath("/bs")
	for _, q := range query {
		m.Options.AddString(coap.OptionURIQuery, q)
	}
	d.send(m)
	return d.receive().Code
}

// answer receives a request, answers it, and returns the request as text.
func (d *simDevice) answer(code coap.Code, format content.Format, payload string) string {
	d.t.Helper()
	m := d.receive()
	resp := coap.Message{
		Type: coap.Acknowledgement, Code: code, MessageID: m.MessageID, Token: m.Token, Payload: []byte(payload),
	}
	if format != content.None {
		resp.Options.SetContentFormat(uint16(format))
	}
	d.send(resp)
	s := m.Code.String() + " " + string(m.Options.AppendPath(nil))
	if f, ok := m.Options.ContentFormat(); ok {
		s += fmt.Sprintf(" format %v", content.Format(f))
	}
	if f, ok := m.Options.Accept(); ok {
		s += fmt.Sprintf(" accept %v", content.Format(f))
	}
	if len(m.Payload) > 0 {
		s += fmt.Sprintf(" %s", m.Payload)
	}
	return s
}

// results returns the outcome of each step as text.
func results(b *lwm2mtest.Bootstrap) []string {
	var all []string
	for _, r := range b.Results() {
		all = append(all, r.String())
	}
	return all
}

// A script is performed step by step, and the answer to each step is recorded.
func TestBootstrapScript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := newBootstrapBed(t)
		if code := d.requestBootstrap("ep=bare"); code != coap.NotFound {
			t.Errorf("a server without a script answers %v, want 4.04", code)
		}
		s.ScriptBootstrap("bare",
			lwm2mtest.BootstrapDiscover("/"),
			lwm2mtest.BootstrapRead("/1", content.SenMLJSON),
			lwm2mtest.BootstrapDelete("/"),
			lwm2mtest.BootstrapWrite("/1/0", content.SenMLJSON, []byte(`[{"n":"/1/0/0","v":1}]`)),
			lwm2mtest.BootstrapFinish(),
		)
		if code := d.requestBootstrap("ep=other"); code != coap.BadRequest {
			t.Errorf("a device without a script gets %v, want 4.00", code)
		}
		if code := d.requestBootstrap("pct=112"); code != coap.BadRequest {
			t.Errorf("a device without a name gets %v, want 4.00", code)
		}
		if code := d.requestBootstrap("ep=bare", "pct=112"); code != coap.Changed {
			t.Errorf("the device of the script gets %v, want 2.04", code)
		}
		requests := []string{
			d.answer(coap.Content, content.Link, `</>;lwm2m="1.1",</0/0>`),
			d.answer(coap.Content, content.SenMLJSON, `[{"n":"/1/0/0","v":1}]`),
			d.answer(coap.Deleted, content.None, ""),
			d.answer(coap.Changed, content.None, ""),
			d.answer(coap.Changed, content.None, ""),
		}
		want := []string{
			"GET / accept link format",
			"GET /1 accept SenML JSON",
			"DELETE /",
			`PUT /1/0 format SenML JSON [{"n":"/1/0/0","v":1}]`,
			"POST /bs",
		}
		if !slices.Equal(requests, want) {
			t.Errorf("the requests are\n%s\nwant\n%s", strings.Join(requests, "\n"), strings.Join(want, "\n"))
		}
		b := s.RequireBootstrapped("bare")
		if b.Endpoint() != "bare" || b.Request().String() != "POST /bs?ep=bare&pct=112" {
			t.Errorf("the Bootstrap-Request of %q is %v", b.Endpoint(), b.Request())
		}
		wantResults := []string{
			`GET /: 2.05 </>;lwm2m="1.1",</0/0>`,
			`GET /1: 2.05 [{"n":"/1/0/0","v":1}]`,
			"DELETE /: 2.02",
			"PUT /1/0: 2.04",
			"POST /bs: 2.04",
		}
		if got := results(b); !slices.Equal(got, wantResults) {
			t.Errorf("the results are\n%s", strings.Join(got, "\n"))
		}
		if v, err := b.Results()[1].Answer.Value("/1/0/0"); err != nil || v.Integer() != 1 {
			t.Errorf("the Bootstrap-Read has the value %v, %v", v, err)
		}
	})
}

// Silence, garbage and the end of the connection are steps like others.
func TestBootstrapScriptMisbehaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := newBootstrapBed(t)
		s.ScriptBootstrap("",
			lwm2mtest.BootstrapStep{Pause: 2 * time.Minute, Raw: []byte("garbage")},
			lwm2mtest.BootstrapStep{Pause: time.Minute},
			lwm2mtest.BootstrapDelete("/1"),
			lwm2mtest.BootstrapStep{Drop: true},
			lwm2mtest.BootstrapFinish(),
		)
		start := time.Now()
		if code := d.requestBootstrap("ep=any"); code != coap.Changed {
			t.Fatalf("Bootstrap-Request: %v", code)
		}
		if got := string(d.receiveRaw()); got != "garbage" {
			t.Errorf("the device receives %q", got)
		}
		if took := time.Since(start).Round(time.Second); took != 2*time.Minute {
			t.Errorf("the garbage comes after %v", took)
		}
		d.answer(coap.Deleted, content.None, "")
		if took := time.Since(start).Round(time.Second); took != 3*time.Minute {
			t.Errorf("the Delete comes after %v", took)
		}
		b, _ := s.WaitBootstrap(0, "any")
		if err := b.Wait(t.Context()); err != nil {
			t.Errorf("the script ends with %v", err)
		}
		want := []string{"after 2m0s send 7 raw bytes", "after 1m0s send nothing", "DELETE /1: 2.02", "drop the connection"}
		if got := results(b); !slices.Equal(got, want) || b.Finished() {
			t.Errorf("the results are %q, finished %v", got, b.Finished())
		}
	})
}

// A refusal ends the script, unless the step says that it goes on.
func TestBootstrapScriptAfterRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := newBootstrapBed(t)
		finish := lwm2mtest.BootstrapFinish()
		finish.IgnoreError = true
		s.ScriptBootstrap("bare", finish, lwm2mtest.BootstrapDelete("/2"), lwm2mtest.BootstrapFinish())
		d.requestBootstrap("ep=bare")
		d.answer(coap.NotAcceptable, content.None, "/1: no account")
		d.answer(coap.BadRequest, content.None, "")
		b, _ := s.WaitBootstrap(0, "bare")
		err := b.Wait(t.Context())
		if want := "lwm2mserver: the device refuses DELETE /2: 4.00"; err == nil || err.Error() != want {
			t.Errorf("the script ends with %v, want %s", err, want)
		}
		want := []string{"POST /bs: 4.06 /1: no account", "DELETE /2: 4.00"}
		if got := results(b); !slices.Equal(got, want) {
			t.Errorf("the results are %q", got)
		}
	})
}

// A device that does not respond ends the script with the reason.
func TestBootstrapScriptOfSilentDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := newBootstrapBed(t)
		s.ScriptBootstrap("bare", lwm2mtest.BootstrapDelete("/"), lwm2mtest.BootstrapFinish())
		d.requestBootstrap("ep=bare")
		b, next := s.WaitBootstrap(0, "bare")
		if err := b.Wait(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "lwm2mserver: DELETE /: ") {
			t.Errorf("the script ends with %v", err)
		}
		if next != 1 || len(b.Results()) != 1 || b.Results()[0].Err == nil {
			t.Errorf("sequence %d has the results %q", next, results(b))
		}
	})
}

// Another Bootstrap-Request of a device ends the sequence before it and begins a new one.
func TestBootstrapRequestAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := newBootstrapBed(t)
		s.ScriptBootstrap("bare", lwm2mtest.BootstrapStep{Pause: time.Hour}, lwm2mtest.BootstrapFinish())
		d.requestBootstrap("ep=bare")
		first, next := s.WaitBootstrap(0, "bare")
		s.ScriptBootstrap("bare", lwm2mtest.BootstrapFinish())
		d.requestBootstrap("ep=bare")
		if err := first.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), "another Bootstrap-Request") {
			t.Errorf("the first script ends with %v", err)
		}
		d.answer(coap.Changed, content.None, "")
		second, _ := s.WaitBootstrap(next, "")
		if s.RequireBootstrapped("bare") != second || len(first.Results()) != 0 {
			t.Errorf("the first sequence is %v, the second %v", first, second)
		}
	})
}

// Client sends requests that the script does not hold, over the connection of the sequence.
func TestBootstrapClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := newBootstrapBed(t)
		s.ScriptBootstrap("bare")
		d.requestBootstrap("ep=bare")
		b, _ := s.WaitBootstrap(0, "bare")
		done := make(chan string, 1)
		go func() {
			ans, err := b.Client().Read(t.Context(), "/3", content.TLV)
			done <- fmt.Sprint(ans, err)
		}()
		d.answer(coap.MethodNotAllowed, content.None, "")
		if got := <-done; got != "4.05 <nil>" {
			t.Errorf("the Read ends with %s", got)
		}
	})
}

// RequireBootstrapped fails with the outcome of the last sequence.
func TestRequireBootstrappedFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := recordFailures(func(r *recorded) {
			s, n := newSimServer(r)
			s.ScriptBootstrap("bare", lwm2mtest.BootstrapFinish(), lwm2mtest.BootstrapDelete("/"))
			sock, err := n.NewHost("device").Dialer().NewSocket(socket.Config{Scheme: "coap"})
			if err == nil {
				err = sock.Connect(context.Background(), socket.Endpoint{Host: "cloud", Port: 5683})
			}
			if err != nil {
				t.Fatal(err)
			}
			d := &simDevice{t: t, sock: sock}
			defer sock.Close()
			d.requestBootstrap("ep=bare")
			d.answer(coap.NotAcceptable, content.None, "/1: no account")
			s.RequireBootstrapped("bare")
		})
		want := "lwm2mtest: the bootstrap is not complete: waited for 1m0s; the last one is bootstrap of \"bare\"\n" +
			"\tPOST /bs: 4.06 /1: no account\n\tDELETE /: not performed"
		if len(got) != 1 || got[0] != want {
			t.Errorf("the test fails with %q, want %q", got, want)
		}
	})
}
