package download_test

import (
	"context"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
)

// rawName is the host of a server of CoAP that may contradict itself.
const rawName = "raw.example"

// rawRequest is a request to a raw server.
type rawRequest struct {
	coap.Message
	block  coap.Block // Block2
	blocks bool       // it has one
	stream bool
}

// serveRaw answers the requests to rawName by answer, over datagrams and streams. An answer without
// a code is not sent. answer may sleep.
func (r *rig) serveRaw(answer func(q *rawRequest, resp *coap.Message)) {
	r.t.Helper()
	host := r.net.NewHost(rawName)
	udp, err := host.Listen(5683)
	r.check(err)
	tcp, err := host.ListenStream(5683)
	r.check(err)
	ctx, stop := context.WithCancel(context.Background())
	r.t.Cleanup(func() {
		stop()
		_ = udp.Close()
		_ = tcp.Close()
		time.Sleep(time.Hour) // of the answers that sleep
	})
	for _, l := range []socket.Listener{udp, tcp} {
		go func() {
			for {
				s, err := l.Accept(ctx)
				if err != nil {
					return
				}
				stopped := context.AfterFunc(ctx, func() { _ = s.Close() })
				go func() {
					defer stopped()
					if s.Kind() == socket.Stream {
						serveRawStream(s, answer)
					} else {
						serveRawDatagrams(s, answer)
					}
					_ = s.Close()
				}()
			}
		}()
	}
}

// serveRawDatagrams acknowledges each request at once and answers it once.
func serveRawDatagrams(s socket.Socket, answer func(*rawRequest, *coap.Message)) {
	buf := make([]byte, 2048)
	seen := map[uint16]bool{}
	for {
		n, err := s.Recv(buf)
		if err != nil {
			return
		}
		var q rawRequest
		if q.ParseUDP(append([]byte(nil), buf[:n]...)) != nil || q.Code == coap.Empty || q.Code.Class() != 0 {
			continue
		}
		ack := coap.Message{Type: coap.Acknowledgement, MessageID: q.MessageID}
		if b, err := ack.AppendUDP(nil); err != nil || s.Send(b) != nil {
			return
		}
		if seen[q.MessageID] {
			continue
		}
		seen[q.MessageID] = true
		q.block, q.blocks = q.Options.Block(coap.OptionBlock2)
		resp := coap.Message{Type: coap.NonConfirmable, MessageID: q.MessageID + 1<<15, Token: q.Token}
		if answer(&q, &resp); resp.Code == coap.Empty {
			continue
		}
		if b, err := resp.AppendUDP(nil); err != nil || s.Send(b) != nil {
			return
		}
	}
}

// serveRawStream answers the requests of a stream.
func serveRawStream(s socket.Socket, answer func(*rawRequest, *coap.Message)) {
	csm := coap.Message{Code: coap.CSM}
	csm.Options.SetUint(2, 1<<20) // Max-Message-Size
	csm.Options.Add(4, nil)       // Block-Wise-Transfer
	send := func(m *coap.Message) bool {
		b, err := m.AppendTCP(nil)
		for err == nil {
			if err = s.Send(b); err == nil {
				return true
			} else if err == socket.ErrBusy {
				time.Sleep(time.Millisecond)
				err = nil
			}
		}
		return false
	}
	if !send(&csm) {
		return
	}
	var in []byte
	buf := make([]byte, 2048)
	for {
		n, err := s.Recv(buf)
		if err != nil {
			return
		}
		for in = append(in, buf[:n]...); ; {
			q := rawRequest{stream: true}
			size, err := q.ParseTCP(append([]byte(nil), in...))
			if err != nil {
				break
			}
			in = in[size:]
			if q.Code == coap.Empty || q.Code.Class() != 0 {
				continue
			}
			q.block, q.blocks = q.Options.Block(coap.OptionBlock2)
			resp := coap.Message{Token: q.Token}
			if answer(&q, &resp); resp.Code != coap.Empty && !send(&resp) {
				return
			}
		}
	}
}

// answerBlock answers with a block of content, in blocks of at most 16 << szx bytes.
func answerBlock(q *rawRequest, resp *coap.Message, content []byte, szx uint8) {
	if q.blocks {
		szx = min(szx, q.block.SZX)
	}
	b := coap.Block{SZX: szx}
	b.Num = uint32(q.block.Offset() / int64(b.Size()))
	from, to := int(b.Offset()), int(b.Offset())+b.Size()
	if from > 0 && from >= len(content) {
		resp.Code = coap.BadRequest
		return
	}
	b.More = to < len(content)
	resp.Code = coap.Content
	resp.Options.AddString(coap.OptionETag, "v1")
	resp.Options.SetBlock(coap.OptionBlock2, b)
	resp.Payload = content[from:min(to, len(content))]
}
