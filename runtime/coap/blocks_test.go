package coap

import (
	"bytes"
)

// put1 is a PUT with a Block1 option.
func put1(mid uint16, num uint32, more bool, szx uint8, payload []byte) Message {
	m := request(Confirmable, PUT, mid, "/5/0/0")
	m.Payload = payload
	m.Options.SetBlock(OptionBlock1, Block{num, more, szx})
	return m
}

func get2(mid uint16, num uint32, szx uint8) Message {
	m := request(Confirmable, GET, mid, "/a")
	m.Options.SetBlock(OptionBlock2, Block{num, false, szx})
	return m
}

func block(id OptionID, num uint32, more bool, szx uint8) Options {
	var o Options
	o.SetBlock(id, Block{num, more, szx})
	return o
}

// memSink stores what is written.
type memSink struct {
	bytes.Buffer
	aborted []error
	fail    error
}

func (s *memSink) Write(p []byte) (int, error) {
	if s.fail != nil {
		return 0, s.fail
	}
	return s.Buffer.Write(p)
}

func (s *memSink) Abort(err error) { s.aborted = append(s.aborted, err) }

// memSource counts how often it is closed.
type memSource struct {
	*bytes.Reader
	closed int
}

func newSource(b []byte) *memSource { return &memSource{Reader: bytes.NewReader(b)} }

func (s *memSource) Close() error { s.closed++; return nil }

func ack(code Code, mid uint16, o Options) Message {
	return Message{Type: Acknowledgement, Code: code, MessageID: mid, Options: o}
}
