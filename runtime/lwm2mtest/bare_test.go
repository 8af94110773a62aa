package lwm2mtest_test

import (
	"context"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// bareDevice is a device that a test plays message by message.
type bareDevice struct {
	t    *testing.T
	conn net.Conn
	next uint16
}

func newBareDevice(t *testing.T, s *lwm2mtest.Server) *bareDevice {
	conn, err := net.Dial("udp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return &bareDevice{t: t, conn: conn}
}

func (d *bareDevice) send(m coap.Message) {
	d.t.Helper()
	d.next++
	if m.Type != coap.Acknowledgement {
		m.MessageID = d.next
	}
	b, err := m.AppendUDP(nil)
	if err == nil {
		_, err = d.conn.Write(b)
	}
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *bareDevice) receive() coap.Message {
	d.t.Helper()
	var m coap.Message
	b := make([]byte, 2000)
	n, err := d.conn.Read(b)
	if err == nil {
		err = m.ParseUDP(b[:n])
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return m
}

// request sends a POST and returns the response.
func (d *bareDevice) request(path string, format content.Format, payload string, query ...string) coap.Message {
	d.t.Helper()
	m := coap.Message{Type: coap.Confirmable, Code: coap.POST, Token: []byte{1}, Payload: []byte(payload)}
	m.Options.AddPath(path)
	m.Options.SetContentFormat(uint16(format))
	for _, q := range query {
		m.Options.AddString(coap.OptionURIQuery, q)
	}
	d.send(m)
	return d.receive()
}

func (d *bareDevice) register() {
	d.t.Helper()
	m := d.request("/rd", content.Link, "</3/0>", "ep=bare", "lwm2m=1.1")
	if m.Code != coap.Created {
		d.t.Fatalf("Register: %v", m.Code)
	}
}

const reading = `[{"n":"/3/0/9","v":80}]`

func TestSend(t *testing.T) {
	s := lwm2mtest.NewServer(t)
	d := newBareDevice(t, s)
	if m := d.request("/dp", content.SenMLJSON, reading); m.Code != coap.NotFound {
		t.Errorf("Send before Register: %v", m.Code)
	}
	d.register()
	if m := d.request("/dp", content.SenMLJSON, reading); m.Code != coap.Changed {
		t.Errorf("Send: %v", m.Code)
	}
	sent := s.WaitRegistered("bare").Sent()
	if len(sent) != 1 {
		t.Fatalf("the device has sent %v", sent)
	}
	if v, err := sent[0].Value("/3/0/9"); err != nil || v.Integer() != 80 {
		t.Errorf("the Send has the value %v, %v", v, err)
	}
	if v, err := sent[0].Value("/3/0/0"); err == nil {
		t.Errorf("the Send has a value %v for a path that it does not name", v)
	}
}

func TestObserveComposite(t *testing.T) {
	s := lwm2mtest.NewServer(t)
	d := newBareDevice(t, s)
	d.register()
	dev := s.WaitRegistered("bare")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	type result struct {
		obs    *lwm2mtest.Observation
		answer lwm2mtest.Answer
		err    error
	}
	results := make(chan result, 1)
	go func() {
		obs, answer, err := dev.ObserveComposite(ctx, content.SenMLJSON, []string{"/3/0/9", "/3/0/0"}, "pmin=5")
		results <- result{obs, answer, err}
	}()

	req := d.receive()
	if observe, ok := req.Options.Uint(coap.OptionObserve); req.Code != coap.FETCH || !ok || observe != 0 {
		t.Errorf("the request is %v with Observe %v (%v)", req.Code, observe, ok)
	}
	if query := slices.Collect(req.Options.Values(coap.OptionURIQuery)); len(query) != 1 || string(query[0]) != "pmin=5" {
		t.Errorf("the request has the query %q, want pmin=5", query)
	}
	if want := `[{"n":"/3/0/9"},{"n":"/3/0/0"}]`; string(req.Payload) != want {
		t.Errorf("the request has the payload %s, want %s", req.Payload, want)
	}
	resp := coap.Message{
		Type: coap.Acknowledgement, Code: coap.Content, MessageID: req.MessageID, Token: req.Token,
		Payload: []byte(reading),
	}
	resp.Options.SetUint(coap.OptionObserve, 1)
	resp.Options.SetContentFormat(uint16(content.SenMLJSON))
	d.send(resp)
	r := <-results
	if r.err != nil || r.obs == nil {
		t.Fatalf("ObserveComposite: %v, %v", r.answer, r.err)
	}

	resp.Type, resp.Payload = coap.NonConfirmable, []byte(`[{"n":"/3/0/9","v":79}]`)
	resp.Options = coap.Options{}
	resp.Options.SetUint(coap.OptionObserve, 2)
	resp.Options.SetContentFormat(uint16(content.SenMLJSON))
	d.send(resp)
	note, err := r.obs.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := note.Entries()
	want := []dm.Entry{lwm2mtest.Value("/3/0/9", dm.IntegerValue(79))}
	if err != nil || !slices.Equal(entries, want) {
		t.Errorf("the notification has %v, %v", entries, err)
	}
}
