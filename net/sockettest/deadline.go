package sockettest

import (
	"errors"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

func deadlineChecks() []check {
	return []check{
		{name: "NoWait", run: checkNoWait},
		{name: "Deadline", run: checkDeadline},
		{name: "DeadlinePassesLater", run: checkDeadlinePassed},
		{name: "DeadlineWakesRecv", run: checkDeadlineWakes},
		{name: "DeadlineMovesPendingRecv", run: checkDeadlineMoves},
		{name: "DeadlineIsKept", run: checkDeadlineKept},
		{name: "NoDeadlineAtFirst", run: checkNoDeadline},
	}
}

// soon is how long a call that does not wait may take on a busy machine.
const soon = 2 * time.Second

// recvSoon is Recv with a deadline that has passed, repeated until what the peer has sent has had
// time to arrive.
func (r *rig) recvSoon(s socket.Socket, size int) (got string, err error) {
	r.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); r.pause(time.Millisecond) {
		if got, err = r.recvNow(s, size); !errors.Is(err, socket.ErrTimeout) {
			break
		}
	}
	return got, err
}

func checkNoWait(r *rig) {
	s, peer := r.connected()
	s.SetRecvDeadline(socket.NoWait())
	for range 3 {
		r.expectTimeout(s, 0, soon, "with NoWait and nothing there")
	}
	r.send(peer, "one")
	r.send(peer, "two")
	for _, want := range []string{"one", "two"} {
		if got, err := r.recvSoon(s, len(want)); err != nil || got != want {
			r.t.Fatalf("Recv with NoWait of data that is there: %q, %v; want %q", got, err, want)
		}
	}
	r.expectTimeout(s, 0, soon, "with NoWait and nothing left")
}

// expectTimeout expects a Recv to time out after the given time.
func (r *rig) expectTimeout(s socket.Socket, least, most time.Duration, when string) {
	r.t.Helper()
	start := time.Now()
	got, err := r.recvNow(s, 100)
	if err != socket.ErrTimeout { // it is promised exactly
		r.t.Fatalf("Recv %s: %q, %v; want exactly ErrTimeout", when, got, err)
	}
	if d := time.Since(start); d < least || d > most {
		r.t.Errorf("Recv %s returned after %v, want %v to %v", when, d, least, most)
	}
}

func checkDeadline(r *rig) {
	s, peer := r.connected()
	const d = 50 * time.Millisecond
	start := time.Now()
	s.SetRecvDeadline(start.Add(d))
	r.expectTimeout(s, 0, d+soon, "with a deadline")
	// From before the deadline was set, because this goroutine may be delayed.
	if waited := time.Since(start); waited < d-time.Millisecond {
		r.t.Errorf("Recv with a deadline in %v returned after %v", d, waited)
	}
	r.send(peer, "later")
	r.receive(s, "later")
}

func checkDeadlinePassed(r *rig) {
	s, peer := r.connected()
	s.SetRecvDeadline(time.Now().Add(settle))
	r.pause(2 * settle)
	r.expectTimeout(s, 0, soon, "after the deadline")
	r.send(peer, "in time")
	if got, err := r.recvSoon(s, 100); err != nil || got != "in time" {
		r.t.Errorf("Recv after the deadline of data that is there: %q, %v", got, err)
	}
}

func checkDeadlineWakes(r *rig) {
	s, peer := r.connected()
	s.SetRecvDeadline(time.Time{})
	for range 5 {
		c := r.pending(s)
		s.SetRecvDeadline(socket.NoWait())
		// It is promised exactly.
		if got := r.await(c, "SetRecvDeadline(NoWait)"); got.err != socket.ErrTimeout {
			r.t.Fatalf("a Recv woken by NoWait returned %q, %v; want exactly ErrTimeout", got.text, got.err)
		}
		s.SetRecvDeadline(time.Time{})
	}
	r.echo(s, peer)
}

func checkDeadlineMoves(r *rig) {
	s, peer := r.connected()
	r.moveDeadlineOn(s, peer)
	s.SetRecvDeadline(time.Now().Add(patience))
	c := r.pending(s)
	s.SetRecvDeadline(time.Now().Add(settle))
	start := time.Now()
	if got := r.await(c, "an earlier deadline"); !errors.Is(got.err, socket.ErrTimeout) {
		r.t.Errorf("a Recv whose deadline was moved closer: %q, %v; want ErrTimeout", got.text, got.err)
	}
	if d := time.Since(start); d > patience/2 {
		r.t.Errorf("a deadline that was moved closer took %v", d)
	}
}

// moveDeadlineOn moves the deadline of a pending Recv to a later time and sends a message after the
// earlier time. On a machine that is too busy to move it in time, it tries again.
func (r *rig) moveDeadlineOn(s, peer socket.Socket) {
	r.t.Helper()
	for first := 10 * settle; first < patience; first *= 2 {
		start := time.Now()
		s.SetRecvDeadline(start.Add(first))
		c := r.pending(s)
		s.SetRecvDeadline(time.Now().Add(patience))
		if time.Since(start) >= first {
			s.SetRecvDeadline(socket.NoWait())
			r.await(c, "SetRecvDeadline(NoWait)")
			continue
		}
		r.pause(first + 5*settle)
		r.send(peer, "after the first deadline")
		if got := r.await(c, "data"); got.err != nil || got.text != "after the first deadline" {
			r.t.Errorf("a Recv whose deadline was moved to a later time: %q, %v", got.text, got.err)
		}
		return
	}
}

func checkDeadlineKept(r *rig) {
	s := r.socket()
	s.SetRecvDeadline(socket.NoWait())
	peer := r.connect(s)
	r.expectTimeout(s, 0, soon, "with NoWait set before Connect")
	r.drop(s, peer)
	r.connect(s)
	r.expectTimeout(s, 0, soon, "with NoWait set before a reconnect")
}

func checkNoDeadline(r *rig) {
	s, peer := r.connected()
	c := r.pending(s)
	r.pause(10 * settle)
	r.send(peer, "at last")
	if got := r.await(c, "data"); got.err != nil || got.text != "at last" {
		r.t.Errorf("Recv on a socket whose deadline was never set: %q, %v", got.text, got.err)
	}
}
