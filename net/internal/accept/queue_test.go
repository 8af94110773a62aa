package accept

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// named is a socket that is told apart by its name.
type named struct {
	socket.Socket
	name string
}

func TestQueueKeepsTheOrderAndTheLimit(t *testing.T) {
	q := NewQueue(2)
	for i, want := range []bool{true, true, false} {
		if got := q.Put(named{name: string(rune('a' + i))}); got != want {
			t.Errorf("Put number %d returned %v, want %v", i+1, got, want)
		}
	}
	for _, want := range []string{"a", "b"} {
		s, err := q.Accept(t.Context())
		if err != nil || s.(named).name != want {
			t.Errorf("Accept returned %v, %v, want %s", s, err, want)
		}
	}
}

func TestAcceptEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err := NewQueue(1).Accept(ctx); s != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("Accept returned %v, %v", s, err)
	}
}

func TestCloseEndsEveryAcceptAndReturnsTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQueue(1)
		for range 3 {
			go func() {
				if s, err := q.Accept(t.Context()); s != nil || !errors.Is(err, socket.ErrClosed) {
					t.Errorf("Accept returned %v, %v", s, err)
				}
			}()
		}
		synctest.Wait()
		if left := q.Close(); len(left) != 0 {
			t.Errorf("Close returned %v", left)
		}
	})
	q := NewQueue(1)
	q.Put(named{name: "a"})
	if left := q.Close(); len(left) != 1 || left[0].(named).name != "a" {
		t.Errorf("Close returned %v, want the connection that was not accepted", left)
	}
	if left := q.Close(); left != nil {
		t.Errorf("the second Close returned %v", left)
	}
	if q.Put(named{name: "b"}) {
		t.Error("a closed queue took a connection")
	}
	if s, err := q.Accept(t.Context()); s != nil || !errors.Is(err, socket.ErrClosed) {
		t.Errorf("Accept on a closed queue returned %v, %v", s, err)
	}
}
