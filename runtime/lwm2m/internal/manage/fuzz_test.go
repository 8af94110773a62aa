package manage

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// FuzzRequest sends requests with any method, path, query, formats, options and payload to a device
// with another device behind it. Each is answered once, nothing is left waiting, no secret is
// shown, and the Security object stays as it is.
func FuzzRequest(f *testing.F) {
	add := func(a ask) {
		f.Add(uint8(a.method), a.target, uint16(a.format), uint16(a.accept), uint8(2), []byte(nil), []byte(a.body))
	}
	for _, q := range requests {
		add(q.ask)
	}
	for _, line := range []string{"GET /0/0/5", "GET /3303/0/5601", "PUT /3/0/9?gt=50&lt=20&st=2", "DELETE /3303/1",
		"POST /16", "GET /3?depth=2", "POST /3303/0/5605"} {
		add(to(line))
	}
	add(to("PUT /1/0").as(content.TLV, "\xc1\x02\x65\xc2\x03\x03\xf2\xc2\x05\x07\xd0\xc1\x06\x01\xc1\x07\x55"))
	add(to("POST /16").as(content.TLV, "\x08\x07\x08\x86\x00\x41\x00\x61\x41\x01\x62"))
	add(to("POST /16").as(content.SenMLJSON, `[{"n":"/16/8/0/0","vs":"x"},{"n":"/16/9/0/0","vs":"y"}]`))
	add(to("IPATCH /").as(content.SenMLJSON, `[{"n":"/1/0/1","v":60},{"n":"/3/0/14","vs":"+01:00"}]`))
	add(to("FETCH /").as(content.SenMLCBOR, paths(f, content.SenMLCBOR, "/", "/0", "/3/0/6/1")))
	add(to("FETCH /").as(content.LwM2MCBOR, paths(f, content.LwM2MCBOR, "/3", "/1/0/1")))
	add(to("PUT /5/0/0").as(content.Opaque, "image"))
	add(to("GET /dev0/3303/0/5700").accepting(content.SenMLJSON))
	add(to("PUT /dev0/3303/0/5750").as(content.SenMLJSON, `[{"n":"/dev0/3303/0/5750","vs":"x"}]`))
	add(to("FETCH /").as(content.SenMLJSON, `[{"n":"/dev0/3303"},{"n":"/3/0/0"},{"n":"/dev0"}]`))
	add(to("IPATCH /").as(content.SenMLJSON, `[{"n":"/dev0/3303/0/5750","vs":"x"},{"n":"/3/0/14","vs":"+01:00"}]`))
	f.Add(uint8(coap.GET), "/3303/1?pmin=1&pmax=2", uint16(content.None), uint16(content.SenMLJSON), uint8(0),
		[]byte(nil), []byte(nil))
	f.Add(uint8(coap.PUT), "/5/0/0", uint16(content.Opaque), uint16(content.None), uint8(2), []byte("\xd1\x0e\x08"),
		[]byte("0123456789abcdef"))
	f.Add(uint8(coap.PUT), "/16/0/0", uint16(content.TLV), uint16(content.None), uint8(2), []byte("\x10"),
		[]byte("\x86\x00\x41\x00\x61\x41\x01\x62"))
	f.Fuzz(func(t *testing.T, method uint8, target string, format, accept uint16, observe uint8, options, payload []byte) {
		m := fuzzMessage(method, target, format, accept, observe, options, payload)
		if m == nil {
			return
		}
		synctest.Test(t, func(t *testing.T) { fuzzOne(t, m) })
	})
}

// fuzzMessage builds the datagram, nil where none can be.
func fuzzMessage(method uint8, target string, format, accept uint16, observe uint8, options, payload []byte) []byte {
	a := ask{method: coap.Code(method & 7), target: target, format: content.Format(format),
		accept: content.Format(accept)}
	if a.method == coap.Empty || len(target) > 200 || len(options) > 200 || len(payload) > 4000 {
		return nil
	}
	c := a.call()
	if observe < 2 {
		c.Options.AddUint(coap.OptionObserve, uint32(observe))
	}
	// Further options, as number and value of each.
	for len(options) > 2 {
		n := min(int(options[1]&15), len(options)-2)
		c.Options.Add(coap.OptionID(options[0]), options[2:2+n])
		options = options[2+n:]
	}
	b, err := (&coap.Message{Type: coap.Confirmable, Code: a.method, MessageID: 7, Token: []byte("fuzz"), Options: c.Options, Payload: payload}).AppendUDP(nil)
	if err != nil {
		return nil
	}
	return b
}

func fuzzOne(t *testing.T, datagram []byte) {
	r := newRig(t, device12)
	close(r.dev.release)
	r.mount("dev0")
	p := r.peers[0]
	p.watch(to("GET /3303").accepting(content.SenMLCBOR))
	p.watch(to("GET /16").accepting(content.TLV))
	p.do(to("PUT /3303?pmin=3&pmax=60"))
	var sent coap.Message
	if err := sent.ParseUDP(datagram); err != nil {
		t.Fatal(err)
	}
	silent := sent.Options.Has(coap.OptionNoResponse)
	p.end.Handle(bytes.Clone(datagram))
	synctest.Wait()
	r.s.Run()
	acknowledged, answers := false, 0
	for {
		buf := make([]byte, 1<<16)
		n, err := p.sock[1].Recv(buf)
		if err != nil {
			break
		}
		var m coap.Message
		if err := m.ParseUDP(buf[:n]); err != nil {
			t.Fatalf("the device sends %x: %v", buf[:n], err)
		}
		if bytes.Contains(buf[:n], []byte("hunter2")) {
			t.Fatalf("the answer %q shows a secret", buf[:n])
		}
		acknowledged = acknowledged || m.MessageID == 7 && (m.Type == coap.Acknowledgement || m.Type == coap.Reset)
		if string(m.Token) == "fuzz" && m.Code.IsResponse() {
			answers++
		}
	}
	if !acknowledged || answers != 1 && !silent {
		t.Fatalf("acknowledged %v, answered %d times", acknowledged, answers)
	}
	if !r.m.Idle() {
		t.Fatal("a request waits")
	}
	s := r.model.Snapshot()
	for path, want := range map[dm.ResourceID]string{0: "coap://server1", 5: "[redacted]"} {
		v, err := s.Value(context.Background(), dm.Application, dm.ResourcePath(0, 0, path))
		if err != nil || fmt.Sprint(v) != want {
			t.Fatalf("Security has changed: %v, %v", v, err)
		}
	}
	if got := p.do(to("GET /3/0/0").accepting(content.Text)); got.body != "Acme" {
		t.Fatalf("the next request is answered %v %q", got.code, got.body)
	}
	// Its observations and attributes run for a while.
	r.pass(10 * time.Second)
	if tx, ok := r.model.TryBegin(context.Background(), dm.Application); ok {
		tx.Rollback()
	} else {
		t.Fatal("the writer slot is taken")
	}
	r.dev.celsius = 30
	r.pass(2 * time.Minute)
}
