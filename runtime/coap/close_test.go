package coap

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

func TestSocketErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, ConnConfig{})
		for _, err := range []error{socket.ErrBusy, socket.ErrRefused, socket.ErrUnreachable} {
			b.w.err = fmt.Errorf("sending: %w", err)
			_, o := b.get("/a")
			b.w.err = nil
			b.sleep(3 * time.Second)
			m := b.expect(Message{Type: Confirmable, Code: GET}) // counts as lost
			b.put(Message{Type: Acknowledgement, Code: Content, MessageID: m.MessageID, Token: m.Token})
			o.onlyResult(t)
		}
		b.w.err = socket.ErrClosed
		_, o := b.get("/a")
		wantErr(t, o.onlyResult(t).Err, socket.ErrClosed)
		b.w.err = socket.ErrUnreachable
		_, o = b.get("/a")
		b.sleep(100 * time.Second)
		wantErr(t, o.onlyResult(t).Err, ErrTimeout)
		wantErr(t, o.onlyResult(t).Err, socket.ErrUnreachable)
		b.clean()
		if n := b.c.Stats().SendErrors; n < 5 {
			t.Errorf("%d errors counted", n)
		}
	})
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, ConnConfig{Params: Params{NStart: 2}})
		var order []int
		for i := range 4 {
			err := b.c.Do(&Call{Code: GET, Done: func(r Result) {
				wantErr(t, r.Err, ErrClosed)
				order = append(order, i)
				wantErr(t, b.c.Do(&Call{Code: GET, Done: func(Result) {}}), ErrClosed)
				b.c.Close(nil)
			}})
			if err != nil {
				t.Fatal(err)
			}
		}
		var held *Request
		b.h.serve = func(r *Request) { held = r }
		b.put(request(Confirmable, GET, 1, "/a"))
		reason := errors.New("enough")
		b.c.Close(reason)
		wantErr(t, b.c.Closed(), reason)
		if !slices.Equal(order, []int{0, 1, 2, 3}) {
			t.Errorf("outcomes in order %v", order)
		}
		wantErr(t, held.Respond(&Response{Code: Content}), ErrAnswered)
		b.w.sent = nil
		b.put(request(Confirmable, GET, 2, "/a"))
		b.c.Handle(unhex(t, "40 01 0001"))
		b.sleep(time.Hour)
		b.silent()
		b.clean()
		if b.e.Memory() != 0 || b.s.Len() != 0 {
			t.Errorf("%d bytes and %d jobs are left", b.e.Memory(), b.s.Len())
		}
	})
}

func TestCloseInHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, ConnConfig{})
		b.h.serve = func(r *Request) {
			r.Conn().Close(nil)
			wantErr(t, r.Respond(&Response{Code: Content}), ErrClosed)
			if n, err := r.Conn().Receive(1); n != 0 || err != nil {
				t.Errorf("Receive in a handler took %d, %v", n, err)
			}
		}
		b.put(request(Confirmable, GET, 1, "/a"))
		b.silent()
		b.clean()
	})
}

func TestWrongAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, ConnConfig{})
		var tooLong Options
		tooLong.Add(OptionETag, make([]byte, maxOptionValue+1))
		for i, c := range []struct {
			resp Response
			want error
		}{
			{Response{Code: GET}, ErrUsage},
			{Response{}, ErrUsage},
			{Response{Code: CSM}, ErrUsage},
			{Response{Code: Content, Options: tooLong}, ErrEncode},
		} {
			b.h.serve = func(r *Request) { wantErr(t, r.Respond(&c.resp), c.want) }
			b.put(request(Confirmable, GET, uint16(i+1), "/a"))
			b.expect(Message{Type: Acknowledgement, Code: InternalServerError})
		}
		b.clean()
	})
}

func TestConfigErrors(t *testing.T) {
	if _, err := NewEndpoint(Config{}); err == nil {
		t.Error("an endpoint without a scheduler")
	}
	e := newEndpoint(t, 1)
	if _, err := NewEndpoint(Config{Scheduler: e.sched, MaxMemory: -1}); err == nil {
		t.Error("a negative bound of memory")
	}
	for _, cfg := range []ConnConfig{
		{}, {Socket: &wire{}, BlockSize: 100}, {Socket: &wire{}, BlockSize: 2048}, {Socket: &wire{}, MaxToken: 4},
		{Socket: &wire{}, Params: Params{MaxRetransmit: 30}}, {Socket: &wire{}, MaxQueue: -1}, {Socket: &wire{}, MaxMessage: 100},
	} {
		if _, err := e.NewConn(cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
	b := newBench(t, ConnConfig{})
	done := func(Result) { t.Error("an outcome of a call that was refused") }
	for _, call := range []*Call{
		{Code: GET}, {Code: Content, Done: done}, {Done: done}, {Code: PUT, Done: done, Observe: done},
	} {
		wantErr(t, b.c.Do(call), ErrUsage)
	}
	call, _ := b.get("/a")
	wantErr(t, b.c.Do(call), ErrUsage)
	wantErr(t, call.Deregister(done), ErrUsage)
	call.Cancel()
	b.clean()
}
