package lwm2m_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

func TestSendReportsValues(t *testing.T) {
	onSender(t, unprepared, func(s *sender) {
		b := batchOf(sensorValue, dm.ResourcePath(3, 0, device.BatteryLevelID), dm.ResourcePath(3, 0, device.PowerSourceVoltageID))
		b.AddValue(sensorValue, dm.FloatValue(19.5), time.Unix(1e9, 5e8))
		b.AddValue(sensorValue, dm.FloatValue(18), time.Unix(1e9-10, 0))
		r := s.wants(b, lwm2m.SendAcknowledged, "")
		if r.Values != 6 || r.LeftOut != nil {
			t.Errorf("the result is %+v, want 6 values", r)
		}
		s.wantReceived("/3/0/7/0=3800", "/3/0/7/1=5000", "/3/0/9=100", "/3303/0/5700=20", "/3303/0/5700=18@9.9999999e+08",
			"/3303/0/5700=19.5@1.0000000005e+09")
		q := s.server.Requests()[s.seen]
		if q.Method != coap.POST || q.Path != "/dp" || q.Format != content.SenMLCBOR {
			t.Errorf("the device sent %v in %v, want POST /dp in SenML CBOR", q, q.Format)
		}
	})
}

func TestSendFormats(t *testing.T) {
	onSender(t, func(b *bench) { b.cfg.AlternatePath = "/lwm2m" }, func(s *sender) {
		for _, f := range []content.Format{content.SenMLJSON, content.SenMLCBOR, content.LwM2MCBOR} {
			b := batchOf(dm.ResourcePath(3, 0, device.BatteryLevelID))
			b.Format = f
			s.wants(b, lwm2m.SendAcknowledged, "")
			sent := s.dev.Sent()
			a := sent[len(sent)-1]
			if v, err := a.Value("/3/0/9"); a.Format != f || err != nil || v.Integer() != 100 {
				t.Errorf("%v: the server got %v (%v)", f, a, err)
			}
			if f == content.SenMLJSON && a.Text() != `[{"bn":"/lwm2m/3/0/","n":"9","v":100}]` {
				t.Errorf("the server got %v, want the alternate path in the name", a)
			}
		}
		b := batchOf(sensorValue)
		b.Format = content.TLV
		s.wants(b, lwm2m.SendDropped, "none of SenML CBOR, SenML JSON and LwM2M CBOR")
		b.Format = content.LwM2MCBOR
		b.AddValue(sensorValue, dm.FloatValue(1), time.Now())
		s.wants(b, lwm2m.SendDropped, "carries no times")
	})
}

// Config.Format applies to a Send if it is a format for it, and can carry the batch.
func TestSendPrefersTheConfiguredFormat(t *testing.T) {
	for _, c := range []struct{ configured, plain, timed content.Format }{
		{content.SenMLJSON, content.SenMLJSON, content.SenMLJSON},
		{content.LwM2MCBOR, content.LwM2MCBOR, content.SenMLCBOR},
		{content.TLV, content.SenMLCBOR, content.SenMLCBOR},
	} {
		onSender(t, func(b *bench) { b.cfg.Format = c.configured }, func(s *sender) {
			b := batchOf(sensorValue)
			s.wants(b, lwm2m.SendAcknowledged, "")
			b.AddValue(sensorValue, dm.FloatValue(1), time.Now())
			s.wants(b, lwm2m.SendAcknowledged, "")
			if sent := s.dev.Sent(); sent[0].Format != c.plain || sent[1].Format != c.timed {
				t.Errorf("Config.Format %v: sent %v and %v, want %v and %v", c.configured, sent[0].Format, sent[1].Format, c.plain, c.timed)
			}
		})
	}
}

func TestSendNamesWhatItLeavesOut(t *testing.T) {
	onSender(t, unprepared, func(s *sender) {
		b := batchOf(sensorValue, dm.ResourcePath(3, 0, device.RebootID), dm.ResourcePath(0, 0, 0), dm.InstancePath(3303, 7))
		b.AddValue(dm.ResourcePath(3, 0, device.BatteryLevelID), dm.FloatValue(3), time.Time{})
		r := s.wants(b, lwm2m.SendAcknowledged, "")
		want := map[string]error{
			"/3/0/4": dm.MethodNotAllowed, "/0/0/0": dm.Unauthorized, "/3303/7": dm.NotFound, "/3/0/9": dm.BadRequest,
		}
		for _, l := range r.LeftOut {
			if !errors.Is(l.Err, want[l.Path.String()]) {
				t.Errorf("%v is left out because of %v, want %v", l.Path, l.Err, want[l.Path.String()])
			}
			delete(want, l.Path.String())
		}
		if len(want) > 0 {
			t.Errorf("%+v lacks %v", r.LeftOut, want)
		}
		s.wantReceived("/3303/0/5700=20")
		r = s.wants(batchOf(dm.ResourcePath(3, 0, device.RebootID)), lwm2m.SendDropped, "no value to report")
		if len(r.LeftOut) != 1 {
			t.Errorf("left out %+v, want /3/0/4", r.LeftOut)
		}
	})
}

func TestSendIsMuted(t *testing.T) {
	onSender(t, unprepared, func(s *sender) {
		mute := func(payload string) {
			t.Helper()
			a, err := s.dev.Write(context.Background(), "/1/0/23", content.Text, []byte(payload))
			if err != nil || a.Code != coap.Changed {
				t.Fatalf("%v, %v", a, err)
			}
		}
		mute("1")
		if _, err := s.sends(batchOf(sensorValue)); !errors.Is(err, lwm2m.ErrMuted) ||
			err.Error() != "lwm2m: Send to server 1: Send is muted by /1/0/23" {
			t.Errorf("the error is %v", err)
		}
		s.wants(batchOf(sensorValue), lwm2m.SendMuted, "muted by /1/0/23")
		mute("0")
		s.wants(batchOf(sensorValue), lwm2m.SendAcknowledged, "")
		s.wantReceived("/3303/0/5700=20")
	})
	absent := func(b *bench) {
		b.cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) { i.MuteSend = dm.Empty[bool]() }
	}
	onSender(t, absent, func(s *sender) {
		s.wants(batchOf(sensorValue), lwm2m.SendMuted, "muted by /1/0/23, which has no value: set it to false")
	})
}

func TestSendIsRefused(t *testing.T) {
	onSender(t, unprepared, func(s *sender) {
		s.server.Intercept(func(r lwm2mtest.Request) (lwm2mtest.Reply, bool) {
			return lwm2mtest.Reply{Code: coap.NotFound}, r.Path == "/dp"
		})
		_, err := s.sends(batchOf(sensorValue))
		var refused *lwm2m.ResponseError
		if !errors.As(err, &refused) || refused.Code != coap.NotFound || refused.Operation != "Send" {
			t.Errorf("the error is %v, want a 4.04", err)
		}
		s.wants(batchOf(sensorValue), lwm2m.SendRefused, "4.04")
		synctest.Wait()
		if n := s.registers(); n != 0 {
			t.Errorf("the device sent %d requests of the registration interface after a 4.04 to Send", n)
		}
	})
}

func TestSendLostDoesNotRegisterAgain(t *testing.T) {
	onSender(t, unprepared, func(s *sender) {
		s.loseSends()
		s.wants(batchOf(sensorValue), lwm2m.SendLost, "no answer in time")
		synctest.Wait()
		if st, _ := s.client.Status().Server(1); s.registers() != 0 || st.State != lwm2m.StateRegistered || st.Err != nil {
			t.Errorf("the lost Send has led to %d requests and %v", s.registers(), st)
		}
	})
}

// The server may know the device before the response to the Register has arrived: a Send waits for
// it.
func TestSendDuringRegister(t *testing.T) {
	onSender(t, unprepared, func(s *sender) {
		outcome := make(chan error, 1)
		s.server.Intercept(func(r lwm2mtest.Request) (lwm2mtest.Reply, bool) {
			if r.Path == "/rd" {
				must(t, s.client.StartSend(1, batchOf(sensorValue), func(_ lwm2m.SendResult, err error) { outcome <- err }))
				synctest.Wait()
			}
			return lwm2mtest.Reply{}, false
		})
		must(t, s.client.Register(1))
		if err := <-outcome; err != nil {
			t.Error(err)
		}
	})
}

func TestSendWithoutAServer(t *testing.T) {
	onSender(t, unprepared, func(s *sender) {
		if r, err := s.client.Send(context.Background(), 7, batchOf(sensorValue)); !errors.Is(err, lwm2m.ErrUnknownServer) || r.Outcome != lwm2m.SendDropped {
			t.Errorf("%v, %v", r, err)
		}
		if err := s.client.StartSend(7, batchOf(sensorValue), nil); !errors.Is(err, lwm2m.ErrUnknownServer) {
			t.Error(err)
		}
		s.client.Suspend()
		_, err := s.sends(batchOf(sensorValue))
		if !errors.Is(err, lwm2m.ErrOffline) || errors.Is(err, lwm2m.ErrNotRegistered) {
			t.Errorf("offline: %v", err)
		}
		s.client.Resume()
		must(t, s.client.Disable(1, time.Hour))
		if _, err = s.sends(batchOf(sensorValue)); !errors.Is(err, lwm2m.ErrDisabled) {
			t.Errorf("disabled: %v", err)
		}
		s.client.Shutdown()
		<-s.client.Done()
		if r, err := s.sends(batchOf(sensorValue)); !errors.Is(err, lwm2m.ErrClosed) || r.Outcome != lwm2m.SendDropped {
			t.Errorf("shut down: %v, %v", r, err)
		}
	})
}

func TestSendNeedsLwM2M11(t *testing.T) {
	onSender(t, func(b *bench) { b.cfg.MaxVersion = registry.V(1, 0) }, func(s *sender) {
		s.wants(batchOf(sensorValue), lwm2m.SendDropped, "LwM2M 1.0, which has no Send")
	})
}

func isSend(r lwm2mtest.Request) bool { return r.Path == "/dp" }

// The outcome of a Send is the same whatever the server does to the first messages, as long as one
// gets through.
func TestSendToAServerThatMisbehaves(t *testing.T) {
	for _, c := range []struct {
		name  string
		n     int
		fault lwm2mtest.Fault
		want  lwm2m.SendOutcome
		text  string
		took  time.Duration
	}{
		{"drops two transmissions", 2, lwm2mtest.Fault{Drop: true}, lwm2m.SendAcknowledged, "", 0},
		{"drops everything", 100, lwm2mtest.Fault{Drop: true}, lwm2m.SendLost, "no answer in time", 0},
		{"answers late", 1, lwm2mtest.Fault{Delay: 20 * time.Second}, lwm2m.SendAcknowledged, "", 20 * time.Second},
		{"rejects the message", 1, lwm2mtest.Fault{Reset: true}, lwm2m.SendRefused, "rejected by the peer", 0},
		{"is busy", 1, lwm2mtest.Fault{Code: coap.ServiceUnavailable}, lwm2m.SendRefused, "5.03", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			onSender(t, unprepared, func(s *sender) {
				s.server.Disturb(c.n, c.fault, isSend)
				at := time.Now()
				s.wants(batchOf(sensorValue), c.want, c.text)
				if d := time.Since(at); c.took != 0 && d != c.took {
					t.Errorf("the Send took %v, want %v", d, c.took)
				}
				s.server.Disturb(0, c.fault, nil)
				if c.n == 1 {
					s.wants(batchOf(sensorValue), lwm2m.SendAcknowledged, "") // the fault is over
				}
				synctest.Wait()
				if n := s.registers(); n != 0 {
					t.Errorf("the device sent %d requests of the registration interface", n)
				}
			})
		})
	}
}

// A deferred Send reports what was read at the call, with the time of the call.
func TestSendWaitsUntilTheServerIsBack(t *testing.T) {
	onSender(t, unprepared, func(s *sender) {
		s.client.Suspend()
		synctest.Wait()
		<-time.After(time.Second)
		b := batchOf(sensorValue)
		b.Defer = true
		at := time.Now()
		done := make(chan lwm2m.SendResult, 1)
		must(t, s.client.StartSend(1, b, func(r lwm2m.SendResult, err error) {
			if err != nil {
				t.Error(err)
			}
			done <- r
		}))
		<-time.After(time.Minute)
		must(t, s.temp.Update(context.Background(), 0, func(i *temperature.Instance) error {
			i.SensorValue.Set(30)
			return nil
		}))
		if len(done) > 0 {
			t.Error("the Send has an outcome while the device is offline")
		}
		s.client.Resume()
		if r := <-done; r.Outcome != lwm2m.SendAcknowledged || r.Values != 1 {
			t.Errorf("the result is %+v", r)
		}
		s.wantReceived(fmt.Sprintf("/3303/0/5700=20@%v", float64(at.UnixMicro())/1e6))
		requests := s.server.Requests()[s.seen:]
		if len(requests) != 2 || requests[1].Path != "/dp" {
			t.Errorf("the server got %v, want an Update and the Send", requests)
		}
	})
}

func TestSendIsRepeatedOverTheNextConnection(t *testing.T) {
	for _, deferred := range []bool{false, true} {
		onSender(t, unprepared, func(s *sender) {
			lose := s.loseSends()
			b := batchOf(sensorValue)
			b.Defer = deferred
			done := make(chan lwm2m.SendOutcome, 1)
			must(t, s.client.StartSend(1, b, func(r lwm2m.SendResult, _ error) { done <- r.Outcome }))
			<-time.After(time.Second)
			synctest.Wait()
			must(t, s.client.Reconnect(1))
			synctest.Wait()
			lose.Store(false)
			if !deferred {
				if got := <-done; got != lwm2m.SendLost {
					t.Errorf("the Send is %v, want lost with its connection", got)
				}
				return
			}
			if got := <-done; got != lwm2m.SendAcknowledged {
				t.Errorf("the deferred Send is %v, want acknowledged over the next connection", got)
			}
			if got := s.received(); len(got) != 1 || !strings.HasPrefix(got[0], "/3303/0/5700=20@") {
				t.Errorf("the server has received %v", got)
			}
		})
	}
}

// An instance that the server does not know yet is reported after the Update that registers it.
func TestSendFollowsTheUpdateOfANewInstance(t *testing.T) {
	onSender(t, func(b *bench) { b.cfg.UpdateDelay = 10 * time.Second }, func(s *sender) {
		must(t, s.temp.Add(1, temperature.Instance{SensorValue: dm.Float(5)}))
		must(t, s.temp.Add(2, temperature.Instance{SensorValue: dm.Float(6)}))
		s.wants(batchOf(dm.ObjectPath(3303)), lwm2m.SendAcknowledged, "")
		requests := s.server.Requests()[s.seen:]
		for i, want := range []string{"/rd/1", "/dp"} {
			if i >= len(requests) || requests[i].Path != want {
				t.Fatalf("the server got %v, want an Update and then the Send", requests)
			}
		}
		must(t, s.temp.Add(3, temperature.Instance{SensorValue: dm.Float(7)}))
		s.server.Intercept(func(r lwm2mtest.Request) (lwm2mtest.Reply, bool) {
			return lwm2mtest.Reply{Code: coap.ServiceUnavailable}, strings.HasPrefix(r.Path, "/rd/")
		})
		s.wants(batchOf(sensorValue), lwm2m.SendAcknowledged, "") // waits for no Update
		<-time.After(20 * time.Second)
		r := s.wants(batchOf(dm.ObjectPath(3303)), lwm2m.SendAcknowledged, "")
		if len(r.LeftOut) != 1 || r.LeftOut[0].Path != dm.InstancePath(3303, 3) || !errors.Is(r.LeftOut[0].Err, lwm2m.ErrNotRegistered) {
			t.Errorf("left out %+v, want /3303/3, which the server has not accepted", r.LeftOut)
		}
		s.wantReceived("/3303/0/5700=20", "/3303/1/5700=5", "/3303/2/5700=6", "/3303/0/5700=20",
			"/3303/0/5700=20", "/3303/1/5700=5", "/3303/2/5700=6")
	})
}

func TestSendsGoOutInTheOrderOfTheCalls(t *testing.T) {
	onSender(t, unprepared, func(s *sender) {
		must(t, s.net.SetDefaultLink(simnet.Link{Delay: time.Second}))
		var want []string
		done := make(chan error, 100)
		for i := range 70 {
			var b lwm2m.Batch
			b.AddValue(sensorValue, dm.FloatValue(float64(i)), time.Time{})
			must(t, s.client.StartSend(1, &b, func(_ lwm2m.SendResult, err error) { done <- err }))
			if i < 64 {
				want = append(want, fmt.Sprintf("/3303/0/5700=%d", i))
			}
		}
		tooMany := 0
		for range 70 {
			switch err := <-done; {
			case errors.Is(err, lwm2m.ErrTooManySends):
				tooMany++
			case err != nil:
				t.Error(err)
			}
		}
		if tooMany != 6 {
			t.Errorf("%d Sends were too many, want 6", tooMany)
		}
		s.wantReceived(want...)
	})
}

func TestSendIsLargerThanABlock(t *testing.T) {
	onSender(t, unprepared, func(s *sender) {
		var b lwm2m.Batch
		for i := range 500 {
			b.AddValue(sensorValue, dm.FloatValue(float64(i)), time.Unix(1e9+int64(i), 0))
		}
		r := s.wants(&b, lwm2m.SendAcknowledged, "")
		if got := s.received(); r.Values != 500 || len(got) != 500 || len(s.dev.Sent()) != 1 {
			t.Errorf("the server has received %d values in %d Sends (%+v), want 500 in one", len(got), len(s.dev.Sent()), r)
		}
	})
}

func TestSendIsGivenUpWithItsContext(t *testing.T) {
	onSender(t, unprepared, func(s *sender) {
		s.loseSends()
		cause := errors.New("enough")
		ctx, stop := context.WithTimeoutCause(context.Background(), 5*time.Second, cause)
		defer stop()
		if r, err := s.client.Send(ctx, 1, batchOf(sensorValue)); r.Outcome != lwm2m.SendLost || !errors.Is(err, cause) {
			t.Errorf("%+v, %v, want a lost Send", r, err)
		}
		synctest.Wait()
		s.client.Suspend()
		b := batchOf(sensorValue)
		b.Defer = true
		ctx, stop = context.WithTimeoutCause(context.Background(), 5*time.Second, cause)
		defer stop()
		if r, err := s.client.Send(ctx, 1, b); r.Outcome != lwm2m.SendDropped || !errors.Is(err, cause) {
			t.Errorf("%+v, %v, want a dropped Send", r, err)
		}
		s.net.SetFilter(nil)
		s.client.Resume()
		<-time.After(time.Minute)
		s.wantReceived()
	})
}

func TestSendAsksSlowFunctions(t *testing.T) {
	onBench(t, func(b *bench) {
		o, err := temperature.New(temperature.Config{})
		must(t, err)
		must(t, o.Add(0, temperature.Instance{SensorValue: dm.Slow(func(ctx context.Context) (float64, error) {
			<-time.After(3 * time.Second)
			return 4, nil
		})}))
		b.cfg.Objects = append(b.cfg.Objects, o)
		b.start()
		s := &sender{bench: b, dev: b.server.WaitRegistered("dev")}
		synctest.Wait()
		at := time.Now()
		s.wants(batchOf(sensorValue), lwm2m.SendAcknowledged, "")
		if d := time.Since(at); d != 3*time.Second {
			t.Errorf("the Send took %v, want 3 s", d)
		}
		s.wantReceived("/3303/0/5700=4")
	})
}

// The registration interface comes first: an Update waits for one block of a Send at most.
func TestUpdateDoesNotWaitForALargeSend(t *testing.T) {
	onSender(t, unprepared, func(s *sender) {
		must(t, s.net.SetDefaultLink(simnet.Link{Delay: 500 * time.Millisecond}))
		var b lwm2m.Batch
		for i := range 1000 {
			b.AddValue(sensorValue, dm.FloatValue(float64(i)), time.Unix(1e9+int64(i), 0))
		}
		ended := make(chan error, 1)
		must(t, s.client.StartSend(1, &b, func(_ lwm2m.SendResult, err error) { ended <- err }))
		<-time.After(2500 * time.Millisecond)
		at := time.Now()
		must(t, s.client.Update(1))
		r := s.next()
		if d := time.Since(at); !strings.HasPrefix(r.Path, "/rd/") || d > 1500*time.Millisecond {
			t.Errorf("%v arrived after %v, want the Update within one round trip and a half", r, d)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
