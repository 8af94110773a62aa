package coap

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// options makes options from numbers and values, in any order.
func options(pairs ...any) Options {
	var o Options
	for i := 0; i < len(pairs); i += 2 {
		o.AddString(pairs[i].(OptionID), pairs[i+1].(string))
	}
	return o
}

type vector struct {
	name string
	wire string
	msg  Message
}

// The figures of RFC 7252 Appendix A, with their message IDs and tokens.
func udpVectors() []vector {
	temperature := options(OptionURIPath, "temperature")
	return []vector{
		{"RFC7252/A/Figure16/request", "40 01 7d34 bb 74656d7065726174757265",
			Message{Type: Confirmable, Code: GET, MessageID: 0x7d34, Options: temperature}},
		{"RFC7252/A/Figure16/response", "60 45 7d34 ff 32322e332043",
			Message{Type: Acknowledgement, Code: Content, MessageID: 0x7d34, Payload: []byte("22.3 C")}},
		{"RFC7252/A/Figure17/request", "41 01 7d35 20 bb 74656d7065726174757265",
			Message{Type: Confirmable, Code: GET, MessageID: 0x7d35, Token: []byte{0x20}, Options: temperature}},
		{"RFC7252/A/Figure17/response", "61 45 7d35 20 ff 32322e332043",
			Message{Type: Acknowledgement, Code: Content, MessageID: 0x7d35, Token: []byte{0x20}, Payload: []byte("22.3 C")}},
		{"RFC7252/4.2/empty", "60 00 7d36", Message{Type: Acknowledgement, MessageID: 0x7d36}},
		{"RFC7252/4.2/reset", "70 00 7d36", Message{Type: Reset, MessageID: 0x7d36}},
		{"RFC7252/3.1/extended", "42 02 0001 0102 d4 08 61626364 e1 0102 7a",
			Message{Type: Confirmable, Code: POST, MessageID: 1, Token: []byte{1, 2},
				Options: options(OptionID(21), "abcd", OptionID(21+269+258), "z")}},
	}
}

func TestUDPVectors(t *testing.T) {
	for _, v := range udpVectors() {
		t.Run(v.name, func(t *testing.T) {
			wire := unhex(t, v.wire)
			got, err := v.msg.AppendUDP(nil)
			if err != nil || !bytes.Equal(got, wire) {
				t.Errorf("append: %x, %v; want %x", got, err, wire)
			}
			var m Message
			if err := m.ParseUDP(wire); err != nil {
				t.Fatal(err)
			}
			same(t, &m, &v.msg)
		})
	}
}

func same(t *testing.T, got, want *Message) {
	t.Helper()
	if got.Type != want.Type || got.Code != want.Code || got.MessageID != want.MessageID ||
		!bytes.Equal(got.Token, want.Token) || !bytes.Equal(got.Payload, want.Payload) ||
		!bytes.Equal(got.Options.raw, want.Options.raw) || got.Options.last != want.Options.last {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// samples are messages with every kind of length field.
func samples() []Message {
	long := func(n int) string { return strings.Repeat("x", n) }
	bytesOf := func(n int) []byte { return []byte(long(n)) }
	var ms []Message
	for _, n := range []int{0, 1, 8, 9, 12, 13, 14, 268, 269, 270, 1000, MaxToken} {
		ms = append(ms, Message{Code: GET, MessageID: uint16(n), Token: bytesOf(n)})
	}
	for _, n := range []int{0, 1, 12, 13, 14, 255, 268, 269, 270, 1034, maxOptionValue} {
		ms = append(ms, Message{Type: NonConfirmable, Code: PUT, Token: []byte{1},
			Options: options(OptionURIPath, "a", OptionURIPath, long(n), OptionSize1, "z")})
	}
	for _, id := range []OptionID{0, 1, 12, 13, 14, 268, 269, 270, 2049, 65535} {
		ms = append(ms, Message{Code: Content, Options: options(id, "v", id, "w"), Payload: []byte("p")})
	}
	for _, n := range []int{1, 11, 12, 13, 256, 267, 268, 269, 1024, 65803, 65804, 65805, 70000} {
		ms = append(ms, Message{Code: Changed, Token: []byte{1, 2}, Payload: bytesOf(n)})
	}
	return append(ms, Message{Type: Confirmable, MessageID: 77}, Message{Type: Reset, MessageID: 78})
}

func TestRoundTrip(t *testing.T) {
	for _, m := range samples() {
		udp, err := m.AppendUDP([]byte("prefix"))
		if err != nil {
			t.Fatal(err)
		}
		udp = udp[len("prefix"):]
		var got Message
		if err := got.ParseUDP(udp); err != nil {
			t.Fatalf("%x: %v", udp[:min(len(udp), 40)], err)
		}
		same(t, &got, &m)
		tcp, err := m.AppendTCP(nil)
		if err != nil {
			t.Fatal(err)
		}
		n, err := got.ParseTCP(append(tcp[:len(tcp):len(tcp)], "next"...))
		if err != nil || n != len(tcp) {
			t.Fatalf("ParseTCP = %d, %v; want %d", n, err, len(tcp))
		}
		m.Type, m.MessageID = 0, 0
		same(t, &got, &m)
	}
}

// TestTruncated parses every prefix: over TCP each is incomplete, over UDP each
// is either in error or another message that ends where an option or the
// payload may end.
func TestTruncated(t *testing.T) {
	for _, m := range samples() {
		udp, _ := m.AppendUDP(nil)
		if len(udp) > 2000 {
			continue
		}
		for i := range udp {
			var got Message
			err := got.ParseUDP(udp[:i:i])
			if err == nil {
				again, err := got.AppendUDP(nil)
				if err != nil || !bytes.Equal(again, udp[:i]) {
					t.Fatalf("%x parsed as %x, %v", udp[:i], again, err)
				}
			} else if !errors.Is(err, ErrFormat) {
				t.Fatalf("%x: %v, want a format error", udp[:i], err)
			}
		}
		tcp, _ := m.AppendTCP(nil)
		for i := range tcp {
			var got Message
			if n, err := got.ParseTCP(tcp[:i:i]); err != ErrIncomplete || n != 0 {
				t.Fatalf("%x: %d, %v, want incomplete", tcp[:i], n, err)
			}
		}
	}
}

func TestFormatErrors(t *testing.T) {
	for _, c := range []struct {
		name, wire string
		want       error
	}{
		{"RFC7252/3/short", "40 01 00", errHeaderShort},
		{"RFC7252/3/version0", "00 01 0001", ErrVersion},
		{"RFC7252/3/version2", "80 01 0001", ErrVersion},
		{"RFC7252/3/tkl15", "4f 01 0001 00112233445566778899aabbccddeeff", errTokenLength},
		{"RFC7252/3/token", "44 01 0001 000102", errTokenShort},
		{"RFC8974/2.1/token13", "4d 01 0001", errTokenShort},
		{"RFC8974/2.1/token14", "4e 01 0001 00", errTokenShort},
		{"RFC8974/2.1/token13value", "4d 01 0001 00 0102030405060708090a0b0c", errTokenShort},
		{"RFC7252/4.1/token", "41 00 0001 00", errEmptyContent},
		{"RFC7252/4.1/tkl", "41 00 0001", errEmptyContent},
		{"RFC7252/4.1/payload", "40 00 0001 ff01", errEmptyContent},
		{"RFC7252/4.2/class1", "40 21 0001", errReservedClass},
		{"RFC7252/4.2/class6", "40 c1 0001", errReservedClass},
		{"RFC7252/4.2/class7", "40 e1 0001", errReservedClass},
		{"RFC7252/3.1/delta15", "40 01 0001 f0", errOptionNibble},
		{"RFC7252/3.1/length15", "40 01 0001 0f", errOptionNibble},
		{"RFC7252/3.1/value", "40 01 0001 b2 61", errOptionShort},
		{"RFC7252/3.1/delta13", "40 01 0001 d0", errOptionShort},
		{"RFC7252/3.1/delta14", "40 01 0001 e000", errOptionShort},
		{"RFC7252/3.1/length13", "40 01 0001 0d", errOptionShort},
		{"RFC7252/3.1/length14", "40 01 0001 0e 00", errOptionShort},
		{"RFC7252/3.1/number", "40 01 0001 e0 feff e0 0000", errOptionNumber},
		{"RFC7252/3/marker", "40 01 0001 ff", errNoPayload},
		{"RFC7252/3/markerAfterOption", "40 01 0001 b1 61 ff", errNoPayload},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m Message
			err := m.ParseUDP(unhex(t, c.wire))
			if err != c.want {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if c.want != ErrVersion && !errors.Is(err, ErrFormat) {
				t.Errorf("%v does not match ErrFormat", err)
			}
			if c.want != ErrVersion && c.want != errHeaderShort && m.MessageID == 0 {
				t.Error("the message ID was not kept for the rejection")
			}
		})
	}
}

func TestTCPErrors(t *testing.T) {
	for _, c := range []struct {
		wire string
		want error
	}{
		{"0f 01", errTokenLength},
		{"11 00 00 00", errEmptyContent},
		{"10 00 00", errEmptyContent},
		{"00 21", errReservedClass},
		{"00 c1", errReservedClass},
		{"10 01 ff", errNoPayload},
		{"ff 00000000 01", errTokenLength},
		{"f0 ffffffff 01", ErrIncomplete},
	} {
		var m Message
		if n, err := m.ParseTCP(unhex(t, c.wire)); err != c.want || n != 0 {
			t.Errorf("%s: %d, %v; want %v", c.wire, n, err, c.want)
		}
	}
	if n, err := FrameTCP(unhex(t, "f0 ffffffff 01")); err != nil || n != 1<<32-1+65805+6 {
		t.Errorf("FrameTCP = %d, %v", n, err)
	}
}

func TestEncodeErrors(t *testing.T) {
	tooLong := strings.Repeat("x", maxOptionValue+1)
	var badBlock Options
	badBlock.SetBlock(OptionBlock1, Block{Num: maxBlockNum + 1})
	for name, m := range map[string]Message{
		"token":   {Code: GET, Token: make([]byte, MaxToken+1)},
		"option":  {Code: GET, Options: options(OptionURIPath, tooLong)},
		"block":   {Code: GET, Options: badBlock},
		"empty":   {Token: []byte{1}},
		"payload": {Payload: []byte{1}},
		"options": {Options: options(OptionURIPath, "")},
	} {
		if b, err := m.AppendUDP([]byte("x")); err != ErrEncode || string(b) != "x" {
			t.Errorf("%s: AppendUDP = %q, %v", name, b, err)
		}
		if b, err := m.AppendTCP([]byte("x")); err != ErrEncode || string(b) != "x" {
			t.Errorf("%s: AppendTCP = %q, %v", name, b, err)
		}
	}
}

func TestCodes(t *testing.T) {
	for c, want := range map[Code]string{GET: "GET", IPATCH: "iPATCH", Content: "2.05",
		Continue: "2.31", RequestEntityTooLarge: "4.13", CSM: "7.01", Empty: "0.00", 31: "0.31"} {
		if c.String() != want {
			t.Errorf("%d is %s, want %s", c, c, want)
		}
	}
	if !Code(31).IsRequest() || Empty.IsRequest() || GET.IsResponse() || !NotFound.IsError() ||
		!Content.IsSuccess() || !Code(3<<5).IsResponse() || !Abort.isSignal() || CSM.IsResponse() {
		t.Error("a class is wrong")
	}
	if s := Acknowledgement.String() + Reset.String() + Confirmable.String() + NonConfirmable.String(); s != "ACKRSTCONNON" {
		t.Error(s)
	}
}

func fuzzSeeds(f *testing.F, appendTo func(*Message, []byte) ([]byte, error)) {
	for _, m := range samples() {
		if b, err := appendTo(&m, nil); err == nil && len(b) < 2000 {
			f.Add(b)
		}
	}
}

// checkOptions calls everything that reads options.
func checkOptions(t *testing.T, m *Message) {
	n, last := 0, OptionID(0)
	var rebuilt Options
	for id, value := range m.Options.All() {
		if id < last {
			t.Fatalf("option %d after %d", id, last)
		}
		last = id
		n++
		rebuilt.Add(id, value)
	}
	if n > 0 && last != m.Options.last {
		t.Fatalf("the last option is %d, not %d", m.Options.last, last)
	}
	for id := range rebuilt.All() {
		rebuilt.Remove(id)
		break
	}
	m.Options.Unrecognized(m.Code, nil)
	m.Options.AppendPath(nil)
	m.Options.suppresses(Content)
}

func FuzzUDP(f *testing.F) {
	fuzzSeeds(f, (*Message).AppendUDP)
	f.Fuzz(func(t *testing.T, b []byte) {
		var m, again Message
		if err := m.ParseUDP(b); err != nil {
			if err != ErrVersion && !errors.Is(err, ErrFormat) {
				t.Fatalf("unexpected kind of error %v", err)
			}
			return
		}
		checkOptions(t, &m)
		out, err := m.AppendUDP(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := again.ParseUDP(out); err != nil {
			t.Fatalf("%x: %v", out, err)
		}
		if got, _ := again.AppendUDP(nil); !bytes.Equal(got, out) {
			t.Fatalf("%x became %x", out, got)
		}
	})
}

func FuzzTCP(f *testing.F) {
	fuzzSeeds(f, (*Message).AppendTCP)
	f.Fuzz(func(t *testing.T, b []byte) {
		var m, again Message
		n, err := m.ParseTCP(b)
		if err != nil {
			if err != ErrIncomplete && !errors.Is(err, ErrFormat) {
				t.Fatalf("unexpected kind of error %v", err)
			}
			return
		}
		if size, err := FrameTCP(b); err != nil || size != int64(n) || n > len(b) {
			t.Fatalf("FrameTCP %d, %v; ParseTCP %d of %d", size, err, n, len(b))
		}
		checkOptions(t, &m)
		out, err := m.AppendTCP(nil)
		if err != nil {
			t.Fatal(err)
		}
		if k, err := again.ParseTCP(out); err != nil || k != len(out) {
			t.Fatalf("%x: %d, %v", out, k, err)
		}
	})
}

// readAnswer decodes a Read and encodes its answer.
func readAnswer(request, buf []byte, m, answer *Message) []byte {
	if err := m.ParseUDP(request); err != nil {
		return nil
	}
	path := m.Options.AppendPath(buf[:0])
	answer.Type, answer.Code, answer.MessageID, answer.Token = Acknowledgement, Content, m.MessageID, m.Token
	answer.Options.Reset()
	answer.Options.SetContentFormat(11542)
	answer.Payload = path
	out, _ := answer.AppendUDP(buf[64:64])
	return out
}

func readRequest() []byte {
	var o Options
	o.AddPath("/3303/0/5700")
	m := Message{Code: GET, MessageID: 4711, Token: []byte("12345678"), Options: o}
	b, _ := m.AppendUDP(nil)
	return b
}

func TestCodecAllocations(t *testing.T) {
	request, buf := readRequest(), make([]byte, 256)
	var m, answer Message
	readAnswer(request, buf, &m, &answer)
	if n := testing.AllocsPerRun(100, func() {
		if len(readAnswer(request, buf, &m, &answer)) == 0 {
			t.Fatal("no answer")
		}
		for range m.Options.Values(OptionURIPath) {
			continue
		}
		for range m.Options.All() {
			continue
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func BenchmarkReadCodec(b *testing.B) {
	request, buf := readRequest(), make([]byte, 256)
	var m, answer Message
	b.ReportAllocs()
	n, cpu := 0, cpuTime()
	for b.Loop() {
		if len(readAnswer(request, buf, &m, &answer)) == 0 {
			b.Fatal("no answer")
		}
		n++
	}
	b.ReportMetric(float64(cpuTime()-cpu)/float64(n), "cpu-ns/op")
}
