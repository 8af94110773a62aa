package coap

import (
	"testing"
	"testing/synctest"
	"time"
)

// countingSink counts how it ended.
type countingSink struct{ aborted []error }

func (s *countingSink) Write(p []byte) (int, error) { return len(p), nil }
func (s *countingSink) Abort(err error)             { s.aborted = append(s.aborted, err) }

func TestTransfers(t *testing.T) {
	newTransfers := func(t *testing.T) *transfers {
		s, _ := newShared(t, ConnConfig{MaxTransfers: 2, Params: Params{ExchangeTimeout: time.Minute}})
		return &transfers{shared: s}
	}
	t.Run("the longest idle one ends for a further one", func(t *testing.T) {
		ts := newTransfers(t)
		first, second := ts.begin(1, true, 0), ts.begin(2, true, 0)
		first.resetIdle()
		sink := &countingSink{}
		second.sink = sink
		ts.begin(3, true, 0)
		if ts.find(1, true) != first || ts.find(2, true) != nil || len(sink.aborted) != 1 || sink.aborted[0] != ErrIdle {
			t.Errorf("aborted %v", sink.aborted)
		}
	})
	t.Run("one with the same key is replaced", func(t *testing.T) {
		ts := newTransfers(t)
		first := ts.begin(1, true, 0)
		if out := ts.begin(1, false, 0); ts.find(1, true) != first || ts.find(1, false) != out {
			t.Error("the directions are not kept apart")
		}
		if second := ts.begin(1, true, 0); ts.n != 2 || ts.find(1, true) != second {
			t.Errorf("%d transfers", ts.n)
		}
	})
	t.Run("ends when idle", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ts := newTransfers(t)
			tr := ts.begin(1, true, 100)
			tr.limit = 1 << 20
			if !tr.append(make([]byte, 5000)) || ts.e.Memory() < 5100 {
				t.Errorf("%d bytes charged", ts.e.Memory())
			}
			_ = ts.e.sched.Sleep(t.Context(), time.Hour)
			ts.e.sched.Run()
			if ts.n != 0 || ts.e.Memory() != 0 {
				t.Errorf("%d transfers, %d bytes", ts.n, ts.e.Memory())
			}
		})
	})
	t.Run("snapshot in blocks", func(t *testing.T) {
		ts := newTransfers(t)
		tr, err := ts.snapshot(1, &Response{Code: Content, Body: pattern(100)})
		if err != nil {
			t.Fatal(err)
		}
		sizes := newBlockSizes(&ts.cfg, nil)
		var body []byte
		for b := (Block{SZX: 1}); ; b.Num++ {
			var opts Options
			p, err := tr.block(&b, &opts, &sizes, 0)
			if got, ok := opts.Block(OptionBlock2); err != nil || !ok || got != b || !opts.Has(OptionETag) {
				t.Fatalf("block %v: option %v, %v", b, got, err)
			}
			if body = append(body, p...); !b.More {
				break
			}
		}
		if string(body) != string(pattern(100)) {
			t.Errorf("%d bytes", len(body))
		}
		ts.close(ErrClosed)
		if ts.n != 0 || ts.e.Memory() != 0 || ts.e.sched.Len() != 0 {
			t.Errorf("%d transfers, %d bytes, %d jobs after close", ts.n, ts.e.Memory(), ts.e.sched.Len())
		}
	})
}

// TestAnswerWhileTransferEnds: a snapshot that needs memory ends another transfer, whose sink
// begins a request from Abort. The response and the notification keep their own options.
func TestAnswerWhileTransferEnds(t *testing.T) {
	b := newBench(t, ConnConfig{})
	b.e.maxMemory = 6000
	other := &Call{Code: POST, NonConfirmable: true, Done: func(Result) {}}
	other.Options.AddPath("/a/long/path/that/is/not/in/the/answer")
	upload := func() {
		b.h.head = func(r *Request) { r.Stream(abortFunc(func() { _ = b.c.Do(other) })) }
		m := request(Confirmable, PUT, 100, "/sink")
		m.Payload = make([]byte, 16)
		m.Options.SetBlock(OptionBlock1, Block{More: true})
		b.put(m)
		b.expect(Message{Type: Acknowledgement, Code: Continue})
		b.e.maxMemory = b.e.Memory() + 5000
	}
	var obs *Observation
	b.h.serve = func(r *Request) {
		resp := &Response{Code: Content, Body: pattern(4600)}
		resp.Options.SetContentFormat(42)
		obs, _ = r.RespondObserve(resp, &cancels{})
	}
	upload()
	b.put(register(Confirmable, 101, "t"))
	checkAnswer := func() {
		t.Helper()
		for {
			m := b.take()
			if m.Code == POST {
				continue
			}
			if f, ok := m.Options.ContentFormat(); m.Code != Content || !ok || f != 42 || m.Options.Has(OptionURIPath) || !m.Options.Has(OptionBlock2) {
				t.Fatalf("sent %v with Content-Format %d, %v", m.Code, f, ok)
			}
			return
		}
	}
	checkAnswer()
	if other.Active() != true {
		t.Fatal("no transfer ended")
	}
	other.Cancel()
	b.w.sent = nil
	n := &Notification{}
	n.Code, n.Body = Content, pattern(4600)
	n.Options.SetContentFormat(42)
	b.e.maxMemory = 1 << 20
	upload()
	b.e.maxMemory = b.e.Memory() + 1000
	if err := obs.Notify(n); err != nil {
		t.Fatal(err)
	}
	checkAnswer()
}

// abortFunc is a sink that calls a function when the body is aborted.
type abortFunc func()

func (abortFunc) Write(p []byte) (int, error) { return len(p), nil }
func (f abortFunc) Abort(error)               { f() }
