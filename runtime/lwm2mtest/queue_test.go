package lwm2mtest_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// newSleeper returns a bench with a device in queue mode that has just registered.
func newSleeper(t *testing.T, cfg lwm2mserver.Config) (*bench, *handDevice, *lwm2mtest.Client) {
	t.Helper()
	b := newBench(t, false, cfg)
	d := b.newDevice(t, "hand")
	d.register("ep=hand", "lwm2m=1.1", "Q", "lt=7200")
	return b, d, b.WaitRegistered("hand")
}

// fallAsleep lets the awake time of the device pass.
func (b *bench) fallAsleep() {
	<-time.After(2 * time.Minute)
	b.WaitAsleep("hand")
}

// Requests to a sleeping device are sent when it wakes up, in their order and one at a time, after
// the response to the message that has woken the queue.
func TestRequestsWaitForTheDevice(t *testing.T) {
	for name, wake := range map[string]func(t *testing.T, d *handDevice, token []byte){
		"Update": func(t *testing.T, d *handDevice, _ []byte) {
			d.mid++
			m := coap.Message{Type: coap.Confirmable, Code: coap.POST, MessageID: d.mid, Token: []byte{9}}
			m.Options.AddPath(d.location)
			d.send(m)
			if resp, ok := d.read(time.Second); !ok || resp.Code != coap.Changed {
				t.Errorf("the first message after an Update is %v %v (%v), want its response", resp.Type, resp.Code, ok)
			}
		},
		"Send":         func(_ *testing.T, d *handDevice, _ []byte) { d.request(coap.POST, "/dp", reading) },
		"notification": func(_ *testing.T, d *handDevice, token []byte) { d.notify(token, 2, "81") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, d, dev := newSleeper(t, lwm2mserver.Config{})
				_, token := d.observe(dev)
				b.fallAsleep()
				var answers []<-chan outcome
				paths := []string{"/3/0/9", "/3/0/1", "/3/0/2"}
				for _, path := range paths {
					answers = append(answers, read(t, dev, path))
					synctest.Wait()
				}
				d.requireSilence(30 * time.Minute)
				var held []string
				for _, op := range dev.Held() {
					held = append(held, op.String())
				}
				if want := []string{"GET /3/0/9", "GET /3/0/1", "GET /3/0/2"}; !slices.Equal(held, want) {
					t.Errorf("held are %q, want %q", held, want)
				}

				wake(t, d, token)
				for i, path := range paths {
					r := d.requireRequest(coap.GET, path)
					d.requireSilence(time.Second)
					d.answer(r, path)
					if o := <-answers[i]; o.err != nil || o.answer.Text() != path {
						t.Errorf("Read %s: %v, %v", path, o.answer, o.err)
					}
				}
				if held := dev.Held(); len(held) > 0 {
					t.Errorf("%v are still held", held)
				}
			})
		})
	}
}

// A response that comes separately holds the next request back.
func TestNextRequestWaitsForSeparateResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, d, dev := newSleeper(t, lwm2mserver.Config{})
		first := read(t, dev, "/3/0/9")
		r := d.requireRequest(coap.GET, "/3/0/9")
		d.send(coap.Message{Type: coap.Acknowledgement, MessageID: r.MessageID})
		second := read(t, dev, "/3/0/1")
		d.requireSilence(10 * time.Second)
		d.mid++
		d.send(coap.Message{Type: coap.NonConfirmable, Code: coap.Content, MessageID: d.mid, Token: r.Token})
		if o := <-first; o.err != nil || o.answer.Code != coap.Content {
			t.Errorf("Read: %v, %v", o.answer, o.err)
		}
		d.answer(d.requireRequest(coap.GET, "/3/0/1"), "1")
		if o := <-second; o.err != nil || o.answer.Text() != "1" {
			t.Errorf("Read: %v, %v", o.answer, o.err)
		}
	})
}

// The response to an Update leaves before the requests that were held, even if it is late.
func TestLateResponseLeavesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, d, dev := newSleeper(t, lwm2mserver.Config{})
		b.fallAsleep()
		got := read(t, dev, "/3/0/9")
		b.Disturb(1, lwm2mtest.Fault{Delay: 3 * time.Second}, nil)
		if code := d.update(); code != coap.Changed {
			t.Fatalf("Update: %v", code)
		}
		if len(d.early) > 0 {
			t.Errorf("before the response came %v", d.early)
		}
		d.answer(d.requireRequest(coap.GET, "/3/0/9"), "80")
		if o := <-got; o.err != nil {
			t.Error(o.err)
		}
	})
}

// An Update that the server ignores wakes nothing.
func TestDroppedUpdateDoesNotWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, d, dev := newSleeper(t, lwm2mserver.Config{})
		b.fallAsleep()
		b.Disturb(1, lwm2mtest.Fault{Drop: true}, nil)
		if code := d.update(); code != 0 || dev.Awake() {
			t.Errorf("after a dropped Update (%v) the device is awake: %v", code, dev.Awake())
		}
	})
}

// A request that the device does not acknowledge shows that it sleeps. The request is held again
// and sent when the device wakes up.
func TestUnansweredRequestIsHeldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, d, dev := newSleeper(t, lwm2mserver.Config{AwakeTime: time.Hour})
		sent := time.Now()
		first, second := read(t, dev, "/3/0/9"), (<-chan outcome)(nil)
		lost := d.requireRequest(coap.GET, "/3/0/9")
		second = read(t, dev, "/3/0/1")
		b.WaitAsleep("hand")
		e, _ := b.WaitEvent(0, lwm2mtest.Asleep, "hand")
		if after := e.Time.Sub(sent); after > 93*time.Second || after < 62*time.Second {
			t.Errorf("asleep after %v", after)
		}
		for range 4 {
			d.requireRequest(coap.GET, "/3/0/9") // its retransmissions
		}
		d.requireSilence(time.Minute)

		d.update()
		r := d.requireRequest(coap.GET, "/3/0/9")
		if r.MessageID == lost.MessageID {
			t.Error("the request has its old message ID")
		}
		d.answer(r, "9")
		d.answer(d.requireRequest(coap.GET, "/3/0/1"), "1")
		for _, got := range []<-chan outcome{first, second} {
			if o := <-got; o.err != nil {
				t.Error(o.err)
			}
		}
	})
}

// A request that the device has acknowledged is not sent again: the device may have performed it.
func TestAcknowledgedRequestIsNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, d, dev := newSleeper(t, lwm2mserver.Config{})
		got := read(t, dev, "/3/0/9")
		r := d.requireRequest(coap.GET, "/3/0/9")
		d.send(coap.Message{Type: coap.Acknowledgement, MessageID: r.MessageID})
		b.fallAsleep()
		if o := <-got; !errors.Is(o.err, coap.ErrTimeout) {
			t.Errorf("Read: %v, %v", o.answer, o.err)
		}
		d.update()
		d.requireSilence(time.Minute)
	})
}

// The caller of a request learns when it is held: at once, or when the device has fallen asleep
// before it has received the request or one before it.
func TestHeldFunc(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, d, dev := newSleeper(t, lwm2mserver.Config{})
		held := make(chan string, 10)
		ctx := lwm2mserver.WithHeldFunc(t.Context(), func(op lwm2mtest.Operation) { held <- op.String() })
		ask := func(path string) {
			go func() { _, _ = dev.Read(ctx, path, content.Text) }()
			synctest.Wait()
		}
		ask("/3/0/9")
		d.answer(d.requireRequest(coap.GET, "/3/0/9"), "9")
		ask("/3/0/1")
		ask("/3/0/2")
		if len(held) > 0 {
			t.Errorf("%s is held although the device is awake", <-held)
		}
		b.fallAsleep()
		ask("/3/0/3")
		got := map[string]int{}
		for range len(held) {
			got[<-held]++
		}
		if len(got) != 3 || got["GET /3/0/1"] != 1 || got["GET /3/0/2"] != 1 || got["GET /3/0/3"] != 1 {
			t.Errorf("held are %v", got)
		}
	})
}

// The number of requests that are held is bounded.
func TestHeldRequestsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, d, dev := newSleeper(t, lwm2mserver.Config{MaxHeld: 2})
		b.fallAsleep()
		read(t, dev, "/3/0/9")
		read(t, dev, "/3/0/9")
		synctest.Wait()
		if _, err := dev.Read(t.Context(), "/3/0/9", content.Text); !errors.Is(err, lwm2mtest.ErrQueueFull) {
			t.Errorf("the third Read: %v", err)
		}
		d.update()
		for range 2 {
			d.answer(d.requireRequest(coap.GET, "/3/0/9"), "9")
		}
		d.requireReadable(dev)
	})
}

// A context ends a request: one that is held is never sent.
func TestContextEndsHeldRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, d, dev := newSleeper(t, lwm2mserver.Config{})
		b.fallAsleep()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := dev.Read(ctx, "/3/0/9", content.Text); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Read: %v", err)
		}
		if _, _, err := dev.Observe(ctx, "/3/0/9", content.Text); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Observe: %v", err)
		}
		if held := dev.Held(); len(held) > 0 {
			t.Errorf("%v are held", held)
		}
		d.update()
		d.requireSilence(time.Minute)
	})
}

// A request with NoWait is not held.
func TestNoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, d, dev := newSleeper(t, lwm2mserver.Config{})
		op := lwm2mtest.Operation{Method: coap.GET, Path: "/3/0/9", NoWait: true}
		do := func() <-chan error {
			done := make(chan error, 1)
			go func() {
				_, err := dev.Do(t.Context(), op)
				done <- err
			}()
			synctest.Wait()
			return done
		}
		answered := do()
		d.answer(d.requireRequest(coap.GET, "/3/0/9"), "9")
		if err := <-answered; err != nil {
			t.Errorf("while the device is awake: %v", err)
		}
		sent, waiting := do(), do()
		b.fallAsleep()
		for _, done := range []<-chan error{sent, waiting, do()} {
			if err := <-done; !errors.Is(err, lwm2mtest.ErrAsleep) {
				t.Errorf("while the device falls asleep, or is asleep: %v", err)
			}
		}
		d.early = nil
		if held := dev.Held(); len(held) > 0 {
			t.Errorf("%v are held", held)
		}
	})
}

// An observation begins, and is cancelled, when the device wakes up.
func TestObserveSleepingDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, d, dev := newSleeper(t, lwm2mserver.Config{})
		b.fallAsleep()
		observed := make(chan *lwm2mtest.Observation, 1)
		go func() {
			obs, _, err := dev.Observe(t.Context(), "/3/0/9", content.Text)
			if err != nil {
				t.Error(err)
			}
			observed <- obs
		}()
		synctest.Wait()
		d.update()
		r := d.requireRequest(coap.GET, "/3/0/9")
		d.answer(r, "80")
		obs := <-observed

		b.fallAsleep()
		cancelled := make(chan error, 1)
		go func() {
			_, err := obs.Cancel(t.Context())
			cancelled <- err
		}()
		synctest.Wait()
		d.requireSilence(10 * time.Minute)
		d.notify(r.Token, 2, "81")
		bye := d.requireRequest(coap.GET, "/3/0/9")
		if v, ok := bye.Options.Uint(coap.OptionObserve); !ok || v != 1 {
			t.Errorf("the request has Observe %d (%v), want 1", v, ok)
		}
		d.answer(bye, "82")
		if err := <-cancelled; err != nil {
			t.Error(err)
		}
		if a, err := obs.Next(t.Context()); err != nil || a.Text() != "81" {
			t.Errorf("the notification is %v, %v", a, err)
		}
		if _, err := obs.Next(t.Context()); !errors.Is(err, lwm2mtest.ErrEnded) {
			t.Errorf("after the end: %v", err)
		}
	})
}

// Held requests survive a registration at another location and address, and end with the
// registration.
func TestHeldRequestsFollowTheRegistration(t *testing.T) {
	t.Run("another registration", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b, d, dev := newSleeper(t, lwm2mserver.Config{})
			b.fallAsleep()
			got := read(t, dev, "/3/0/9")
			synctest.Wait()
			again := b.newDeviceAt(t, b.net.NewHost("elsewhere"), "hand")
			again.register("ep=hand", "lwm2m=1.1", "Q")
			if again.location == d.location {
				t.Errorf("both registrations are at %s", d.location)
			}
			again.answer(again.requireRequest(coap.GET, "/3/0/9"), "9")
			if o := <-got; o.err != nil || o.answer.Text() != "9" {
				t.Errorf("Read: %v, %v", o.answer, o.err)
			}
			d.requireSilence(time.Minute)
		})
	})
	t.Run("another address in the middle of a request", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b, d, dev := newSleeper(t, lwm2mserver.Config{})
			got := read(t, dev, "/3/0/9")
			d.requireRequest(coap.GET, "/3/0/9")
			moved := b.newDeviceAt(t, b.net.NewHost("elsewhere"), "hand")
			moved.location = d.location
			moved.update()
			moved.answer(moved.requireRequest(coap.GET, "/3/0/9"), "9")
			if o := <-got; o.err != nil || o.answer.Text() != "9" || !dev.Awake() {
				t.Errorf("Read: %v, %v", o.answer, o.err)
			}
		})
	})
	for name, c := range map[string]struct {
		end  func(b *bench, d *handDevice)
		kind lwm2mtest.EventKind
	}{
		"de-registration": {func(_ *bench, d *handDevice) { d.request(coap.DELETE, d.location, "") }, lwm2mtest.Deregistered},
		"expiry":          {func(*bench, *handDevice) { <-time.After(2 * time.Hour) }, lwm2mtest.Expired},
		"restart":         {func(b *bench, _ *handDevice) { b.Restart(lwm2mtest.LoseRegistrations) }, lwm2mtest.Forgotten},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, d, dev := newSleeper(t, lwm2mserver.Config{})
				b.fallAsleep()
				got := read(t, dev, "/3/0/9")
				synctest.Wait()
				c.end(b, d)
				b.WaitEvent(0, c.kind, "hand")
				if o := <-got; !errors.Is(o.err, lwm2mtest.ErrNotRegistered) {
					t.Errorf("Read: %v, %v", o.answer, o.err)
				}
				d.requireSilence(time.Minute)
			})
		})
	}
}

// Held requests survive a restart of the server that has kept its registrations, over a new DTLS
// session, too.
func TestHeldRequestsSurviveRestart(t *testing.T) {
	for name, secured := range map[string]bool{"UDP": false, "DTLS": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, secured, lwm2mserver.Config{})
				d := b.newDevice(t, "hand")
				d.register("ep=hand", "lwm2m=1.1", "Q")
				dev := b.WaitRegistered("hand")
				sent, held := read(t, dev, "/3/0/9"), (<-chan outcome)(nil)
				d.requireRequest(coap.GET, "/3/0/9")
				held = read(t, dev, "/3/0/1")
				synctest.Wait()
				b.Restart(lwm2mtest.LoseSessions)
				if dev.Awake() == secured {
					t.Errorf("awake after the restart: %v", dev.Awake())
				}
				if secured {
					_ = d.sock.Close()
					d.connect()
					d.update()
				}
				d.answer(d.requireRequest(coap.GET, "/3/0/9"), "9")
				d.answer(d.requireRequest(coap.GET, "/3/0/1"), "1")
				for _, got := range []<-chan outcome{sent, held} {
					if o := <-got; o.err != nil {
						t.Error(o.err)
					}
				}
			})
		})
	}
}

// A closed server ends what is held.
func TestClosedServerEndsHeldRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _, dev := newSleeper(t, lwm2mserver.Config{})
		b.fallAsleep()
		got := read(t, dev, "/3/0/9")
		synctest.Wait()
		b.Close()
		if o := <-got; !errors.Is(o.err, lwm2mserver.ErrClosed) {
			t.Errorf("Read: %v, %v", o.answer, o.err)
		}
		if held := dev.Held(); len(held) > 0 {
			t.Errorf("a closed server holds %v", held)
		}
	})
}
