package link

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// connectAll returns n links that are connected.
func (r *rig) connectAll(n int, c linkConfig) []*testLink {
	r.t.Helper()
	links := make([]*testLink, n)
	for i := range links {
		links[i] = r.newLink(c)
		links[i].begin()
	}
	r.pass(2 * time.Second)
	for r.group.ServeReady(n) { // what is ready because it is new
	}
	r.isReadable()
	for _, l := range links {
		if l.Socket() == nil {
			r.t.Fatalf("a link did not connect: %v", l.err)
		}
		l.events = nil
	}
	return links
}

// isReadable takes the element of Readable and reports whether there was one.
func (r *rig) isReadable() bool {
	synctest.Wait()
	select {
	case <-r.group.readable:
		return true
	default:
		return false
	}
}

// Serve handles at most a bound of messages, and Readable reports those that are left.
func TestServeIsBounded(t *testing.T) {
	onRig(t, func(r *rig) {
		l := r.connectAll(1, linkConfig{})[0]
		l.deliver(perServe + 10)
		for _, want := range []int{perServe, perServe + 10, perServe + 10} {
			r.isReadable()
			if err := r.group.Serve(context.Background(), l.Socket()); err != nil || l.received() != want {
				t.Errorf("%d messages are handled, want %d (%v)", l.received(), want, err)
			}
			if l.received() == perServe && !r.isReadable() {
				t.Error("Readable does not tell of the messages that are left")
			}
		}
	})
}

func TestServeEndsWithContext(t *testing.T) {
	onRig(t, func(r *rig) {
		l := r.connectAll(1, linkConfig{})[0]
		l.deliver(1)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := r.group.Serve(ctx, l.Socket()); !errors.Is(err, context.Canceled) || l.received() != 0 {
			t.Errorf("%d messages are handled, and Serve returned %v", l.received(), err)
		}
	})
}

// ServeReady handles one message of each ready socket in turn.
func TestServeReadyTakesTurns(t *testing.T) {
	onRig(t, func(r *rig) {
		links := r.connectAll(3, linkConfig{})
		links[0].deliver(3)
		links[2].deliver(1)
		received := func() (n [3]int) {
			for i, l := range links {
				n[i] = l.received()
			}
			return n
		}
		for _, c := range []struct {
			limit int
			want  [3]int
			more  bool
		}{
			{1, [3]int{1, 0, 0}, true},
			{2, [3]int{2, 0, 1}, true},
			{10, [3]int{3, 0, 1}, true},
			{10, [3]int{3, 0, 1}, false},
		} {
			more := r.group.ServeReady(c.limit)
			if got := received(); got != c.want || more != c.more {
				t.Errorf("ServeReady(%d): %v messages are handled, more is %v; want %v and %v", c.limit, got,
					more, c.want, c.more)
			}
		}
	})
}

// Readable reports the ready sockets that ServeReady has not looked at, even if those that it
// looked at had nothing to read.
func TestServeReadySignalsTheRest(t *testing.T) {
	onRig(t, func(r *rig) {
		links := r.connectAll(2, linkConfig{})
		links[0].deliver(1)
		links[1].deliver(1)
		if err := r.group.Serve(context.Background(), links[0].Socket()); err != nil {
			t.Fatal(err)
		}
		r.isReadable()
		if more := r.group.ServeReady(1); !more || links[1].received() != 0 || !r.isReadable() {
			t.Errorf("more is %v, and Readable does not report the second socket", more)
		}
	})
}

// A connection that is ready and then ends is handled no more.
func TestClosedConnectionIsNotServed(t *testing.T) {
	onRig(t, func(r *rig) {
		links := r.connectAll(2, linkConfig{})
		links[0].deliver(1)
		links[1].deliver(1)
		links[0].Close(errReason)
		if n := r.group.queued.Load(); n != 1 {
			t.Errorf("%d sockets are ready, want only the other one", n)
		}
		for r.group.ServeReady(10) {
		}
		if n := links[1].received(); n != 1 || r.group.queued.Load() != 0 {
			t.Errorf("%d messages of the other connection are handled, %d sockets are ready", n, r.group.queued.Load())
		}
		links[0].want("closing")
	})
}

// Each way to wait ends when a message arrives, when a job is due, when the limit has passed, and
// when another goroutine wakes the scheduler.
func TestWait(t *testing.T) {
	for name, c := range map[string]struct {
		links int
		link  linkConfig
	}{
		"without a connection":         {0, linkConfig{}},
		"in Recv":                      {1, linkConfig{change: withoutNotifier}},
		"for a socket that notifies":   {1, linkConfig{}},
		"for sockets that notify":      {2, linkConfig{}},
		"for sockets that are watched": {2, linkConfig{change: withoutNotifier}},
	} {
		t.Run(name, func(t *testing.T) {
			onRig(t, func(r *rig) {
				links := r.connectAll(c.links, c.link)
				settle := func() { // a wait may end too early once for what came before it
					r.group.sched.Run()
					r.group.Wait(1)
					for r.group.ServeReady(10) {
					}
					r.isReadable()
				}
				wait := func(limit time.Duration) time.Duration {
					start := time.Now()
					r.group.Wait(limit)
					return time.Since(start)
				}
				check := func(what string, got, want time.Duration) {
					t.Helper()
					if got != want {
						t.Errorf("%s: the wait took %v, want %v", what, got, want)
					}
				}
				settle()
				check("limit", wait(time.Hour), time.Hour)
				check("no limit left", wait(0), 0)

				settle()
				job := r.group.sched.AfterFunc(time.Second, func() {})
				check("job", wait(time.Hour), time.Second)
				r.group.sched.Cancel(job)

				settle()
				time.AfterFunc(time.Second, r.group.sched.Wake)
				check("wake", wait(time.Hour), time.Second)

				settle()
				r.group.sched.Wake()
				check("wake before the wait", wait(time.Hour), 0)

				for i, l := range links {
					settle()
					before := l.received()
					time.AfterFunc(time.Second, l.ping)
					check("message", wait(time.Hour), time.Second)
					for r.group.ServeReady(10) {
					}
					if n := l.received() - before; n != 1 {
						t.Errorf("%d messages of connection %d are handled", n, i)
					}
				}
			})
		})
	}
}

// The deadline of Recv stays while messages follow one another, and the jobs are still found.
func TestWaitInRecvFindsJobs(t *testing.T) {
	onRig(t, func(r *rig) {
		l := r.connectAll(1, linkConfig{change: withoutNotifier})[0]
		var ran, soon time.Duration
		start := time.Now()
		r.group.sched.AfterFunc(5*time.Second, func() { ran = time.Since(start) })
		ticks := time.NewTicker(300 * time.Millisecond)
		defer ticks.Stop()
		done := make(chan struct{})
		go func() {
			for range 40 {
				<-ticks.C
				l.ping()
			}
			close(done)
		}()
		for time.Since(start) < 11*time.Second {
			if received := l.received(); received == 5 && soon == 0 {
				soon = -time.Since(start)
				r.group.sched.AfterFunc(100*time.Millisecond, func() { soon += time.Since(start) })
			}
			r.group.Wait(MaxWait)
			if r.group.sched.Wait(1) == 0 {
				r.group.sched.Run()
			}
		}
		<-done
		if ran < 5*time.Second || ran > 5*time.Second+300*time.Millisecond {
			t.Errorf("the job ran after %v, want 5 s", ran)
		}
		if soon != 100*time.Millisecond {
			t.Errorf("the job that was added in between ran after %v, want 100 ms", soon)
		}
		if n := l.received(); n < 36 {
			t.Errorf("%d messages are handled", n)
		}
	})
}

// A connection that breaks during the wait is lost, however the group waits.
func TestLostDuringWait(t *testing.T) {
	for name, change := range map[string]func(*fakeSocket){
		"in Recv": withoutNotifier, "for a socket that notifies": nil,
	} {
		t.Run(name, func(t *testing.T) {
			onRig(t, func(r *rig) {
				accepted := r.listen()
				l := r.connectAll(1, linkConfig{stream: true, change: change})[0]
				server := <-accepted
				time.AfterFunc(time.Second, func() { _ = server.Close() })
				for end := time.Now().Add(time.Minute); l.Socket() != nil && time.Now().Before(end); {
					r.group.Wait(time.Second)
					for r.group.ServeReady(10) {
					}
				}
				l.want("closing", "lost, short: true")
			})
		})
	}
}

// Readable has sockets watched that do not notify by themselves: those that are connected, and
// those that connect later.
func TestReadableWatches(t *testing.T) {
	for name, early := range map[string]bool{"connected before": true, "connected later": false} {
		t.Run(name, func(t *testing.T) {
			onRig(t, func(r *rig) {
				var l *testLink
				if early {
					l = r.connectAll(1, linkConfig{change: withoutNotifier})[0]
				}
				readable := r.group.Readable()
				r.turn()
				if !early {
					l = r.connectAll(1, linkConfig{change: withoutNotifier})[0]
				}
				for range 2 {
					if socket.Detect(l.Socket().Net()).Notifier == nil {
						t.Fatal("the socket is not watched")
					}
					for r.group.ServeReady(10) {
					}
					r.isReadable()
					before := l.received()
					l.deliver(1)
					select {
					case <-readable:
					default:
						t.Error("Readable does not tell of a message")
					}
					if r.group.ServeReady(10); l.received() != before+1 {
						t.Errorf("%d messages are handled", l.received())
					}
					l.Close(errReason)
					l.connect() // the same socket, which stays watched
				}
				if len(l.sockets) != 1 {
					t.Errorf("%d sockets were made", len(l.sockets))
				}
			})
		})
	}
}

// After ClosePoller the next connections are watched by another poller.
func TestClosePoller(t *testing.T) {
	onRig(t, func(r *rig) {
		l := r.connectAll(1, linkConfig{change: withoutNotifier})[0]
		r.group.Readable()
		r.turn()
		l.Discard(errReason, false)
		r.group.ClosePoller()
		l = r.connectAll(1, linkConfig{change: withoutNotifier})[0]
		l.deliver(1)
		if !r.isReadable() {
			t.Error("Readable does not tell of a message")
		}
	})
}
