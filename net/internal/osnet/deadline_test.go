package osnet

import (
	"testing"
	"time"
)

// fakeConn records the read deadline.
type fakeConn struct{ deadline time.Time }

func (c *fakeConn) SetReadDeadline(t time.Time) error {
	c.deadline = t
	return nil
}

func TestDeadlineHoldsOverReconnects(t *testing.T) {
	var d recvDeadline
	first, second := new(fakeConn), new(fakeConn)
	at := time.Now().Add(time.Hour)
	d.set(at)
	d.follow(first)
	d.follow(second)
	if first.deadline != at || second.deadline != at {
		t.Errorf("deadlines %v and %v, want %v", first.deadline, second.deadline, at)
	}
	later := at.Add(time.Hour)
	d.set(later)
	if first.deadline != at || second.deadline != later {
		t.Errorf("after set: deadlines %v and %v, want %v and %v", first.deadline, second.deadline, at, later)
	}
}

func TestInterruptedReadIsRetriedUntilTheDeadline(t *testing.T) {
	var d recvDeadline
	c := new(fakeConn)
	d.follow(c)
	at := time.Now().Add(time.Hour)
	d.set(at)
	d.interrupt()
	if !hasPassed(c.deadline) {
		t.Errorf("an interrupted read has the deadline %v", c.deadline)
	}
	if !d.retry() || c.deadline != at {
		t.Errorf("no retry, or the deadline %v, want %v", c.deadline, at)
	}
	past := time.Now().Add(-time.Second)
	d.set(past)
	if d.retry() || !d.noWait() {
		t.Error("a read is retried after its deadline")
	}
	d.set(at)
	if d.noWait() {
		t.Error("a deadline in the future does not let a read wait")
	}
	d.follow(nil)
	if d.retry() {
		t.Error("a read without a connection is retried")
	}
}
