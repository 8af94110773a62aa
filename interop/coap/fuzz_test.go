package coap

import (
	"bytes"
	"testing"

	"github.com/plgd-dev/go-coap/v3/message"
	tcpcoder "github.com/plgd-dev/go-coap/v3/tcp/coder"
	udpcoder "github.com/plgd-dev/go-coap/v3/udp/coder"

	"github.com/lwm2mgen/toolkit/runtime/coap"
)

// The two parsers differ on purpose. Ours refuses what RFC 7252 calls a format error and go-coap
// accepts:
//
//   - a payload marker without a payload (§3),
//   - an Empty message with a token, options or a payload (§4.1),
//   - a code of a reserved class: 1 and 6, over UDP 7 too (§4.2, §12.1).
//
// Ours accepts what go-coap refuses:
//
//   - tokens of more than 8 bytes (RFC 8974), which a connection then limits.
//
// Ours keeps what go-coap drops: options whose value has a wrong length, because critical ones must
// not count as absent (§5.4.3), and option 0.

// theirOptions are those of our options that go-coap keeps.
func theirOptions(m *coap.Message, defs map[message.OptionID]message.OptionDef) []message.Option {
	var out []message.Option
	for id, v := range m.Options.All() {
		if def, ok := defs[message.OptionID(id)]; ok && (uint32(len(v)) < def.MinLen || uint32(len(v)) > def.MaxLen) || id == 0 {
			continue
		}
		out = append(out, message.Option{ID: message.OptionID(id), Value: v})
	}
	return out
}

func compare(t *testing.T, ours *coap.Message, theirs *message.Message, defs map[message.OptionID]message.OptionDef) {
	t.Helper()
	if uint8(ours.Code) != uint8(theirs.Code) || !bytes.Equal(ours.Token, theirs.Token) || !bytes.Equal(ours.Payload, theirs.Payload) {
		t.Fatalf("ours %v token %x payload %x, theirs %v token %x payload %x",
			ours.Code, ours.Token, ours.Payload, theirs.Code, theirs.Token, theirs.Payload)
	}
	want := theirOptions(ours, defs)
	if len(want) != len(theirs.Options) {
		t.Fatalf("ours has %d options, theirs %d", len(want), len(theirs.Options))
	}
	for i, o := range theirs.Options {
		if o.ID != want[i].ID || !bytes.Equal(o.Value, want[i].Value) {
			t.Fatalf("option %d: ours %d %x, theirs %d %x", i, want[i].ID, want[i].Value, o.ID, o.Value)
		}
	}
}

// known reports whether a message that only go-coap accepts is one of the listed differences.
func known(code byte, bodyLen int, last byte, payload []byte, udp bool) bool {
	class := code >> 5
	return last == 0xff && len(payload) == 0 || code == 0 && bodyLen > 0 ||
		class == 1 || class == 6 || udp && class == 7
}

func seeds(f *testing.F, appendTo func(*coap.Message) ([]byte, error)) {
	var o coap.Options
	o.AddPath("/3303/0/5700")
	o.AddQuery("lt=300")
	o.SetAccept(11542)
	o.SetBlock(coap.OptionBlock1, coap.Block{Num: 5, More: true, SZX: 6})
	o.Add(coap.OptionURIQuery, pattern(300))
	o.Add(65001, []byte("x"))
	for _, m := range []coap.Message{
		{Code: coap.GET, MessageID: 1},
		{Type: coap.NonConfirmable, Code: coap.POST, MessageID: 2, Token: pattern(8), Options: o, Payload: pattern(400)},
		{Type: coap.Acknowledgement, Code: coap.Content, MessageID: 3, Token: pattern(20), Payload: pattern(13)},
		{Type: coap.Reset, MessageID: 4},
	} {
		b, err := appendTo(&m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

func FuzzUDPAgainstGoCoAP(f *testing.F) {
	seeds(f, func(m *coap.Message) ([]byte, error) { return m.AppendUDP(nil) })
	f.Fuzz(func(t *testing.T, b []byte) {
		var ours coap.Message
		theirs := message.Message{Options: make(message.Options, 0, len(b)+1)}
		ourErr := ours.ParseUDP(bytes.Clone(b))
		_, theirErr := udpcoder.DefaultCoder.Decode(bytes.Clone(b), &theirs)
		switch {
		case ourErr == nil && theirErr == nil:
			if int32(ours.MessageID) != theirs.MessageID || int(ours.Type) != int(theirs.Type) {
				t.Fatalf("ours %v %d, theirs %v %d", ours.Type, ours.MessageID, theirs.Type, theirs.MessageID)
			}
			compare(t, &ours, &theirs, message.CoapOptionDefs)
		case ourErr == nil:
			if len(ours.Token) <= 8 {
				t.Fatalf("only ours takes %x: %v", b, theirErr)
			}
		case theirErr == nil:
			if !known(b[1], len(b)-4+int(b[0]&15), b[len(b)-1], theirs.Payload, true) {
				t.Fatalf("only theirs takes %x: %v", b, ourErr)
			}
		}
	})
}

func FuzzTCPAgainstGoCoAP(f *testing.F) {
	seeds(f, func(m *coap.Message) ([]byte, error) { return m.AppendTCP(nil) })
	f.Fuzz(func(t *testing.T, b []byte) {
		size, err := coap.FrameTCP(b)
		if err != nil || size > int64(len(b)) || b[0]&15 > 8 {
			return // the next case, a whole message, compares the sizes
		}
		b = b[:size]
		var ours coap.Message
		theirs := message.Message{Options: make(message.Options, 0, len(b)+1)}
		n, ourErr := ours.ParseTCP(bytes.Clone(b))
		k, theirErr := tcpcoder.DefaultCoder.Decode(bytes.Clone(b), &theirs)
		switch {
		case ourErr == nil && theirErr == nil:
			if n != k {
				t.Fatalf("ours takes %d bytes of %x, theirs %d", n, b, k)
			}
			defs := message.CoapOptionDefs
			switch ours.Code {
			case coap.CSM:
				defs = message.TCPSignalCSMOptionDefs
			case coap.Ping, coap.Pong:
				defs = message.TCPSignalPingPongOptionDefs
			case coap.Release:
				defs = message.TCPSignalReleaseOptionDefs
			case coap.Abort:
				defs = message.TCPSignalAbortOptionDefs
			}
			compare(t, &ours, &theirs, defs)
		case ourErr == nil:
			t.Fatalf("only ours takes %x: %v", b, theirErr)
		case theirErr == nil:
			head := map[byte]int{13: 3, 14: 4, 15: 6}[b[0]>>4]
			if head == 0 {
				head = 2
			}
			if !known(b[head-1], len(b)-head, b[len(b)-1], theirs.Payload, false) {
				t.Fatalf("only theirs takes %x: %v", b, ourErr)
			}
		}
	})
}
