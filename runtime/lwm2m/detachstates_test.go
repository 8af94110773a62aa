package lwm2m_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// detaching is a device that is detached in the middle of something.
type detaching struct {
	*lives
	sensor   *temperature.Object
	executed int
}

// configure returns a configuration with objects that take their time.
func (d *detaching) configure() lwm2m.Config {
	d.t.Helper()
	cfg, _ := d.withGoals()
	var err error
	d.sensor, err = temperature.New(temperature.Config{})
	must(d.t, err)
	must(d.t, d.sensor.Add(0, temperature.Instance{
		SensorValue:      dm.Float(20),
		MinMeasuredValue: dm.Slow(func(ctx context.Context) (float64, error) { <-ctx.Done(); return 0, ctx.Err() }),
		ResetMinAndMaxMeasuredValues: dm.SlowExec(func(ctx context.Context, _ dm.Args) error {
			d.executed++
			<-ctx.Done()
			return ctx.Err()
		}),
	}))
	cfg.Objects = append(cfg.Objects, d.sensor)
	return cfg
}

// link gives every packet a delay.
func (l *lives) link(d time.Duration) {
	l.t.Helper()
	must(l.t, l.net.SetDefaultLink(simnet.Link{Delay: d}))
}

// background has the server send a request whose answer is of no interest.
func (d *detaching) background(do func(ctx context.Context, c *lwm2mtest.Client)) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	c := d.server.WaitRegistered("dev")
	go func() { defer cancel(); do(ctx, c) }()
}

// Detach ends a client within a second whatever it is doing, and the next one is registered and
// serves its server.
func TestDetachInTheMiddle(t *testing.T) {
	for _, test := range []struct {
		name   string
		set    func(*lwm2m.Config)
		before func(d *detaching) // while the device is registered
		update bool               // the next client sends an Update
	}{
		{name: "connecting", set: func(c *lwm2m.Config) { c.Servers[0].URI = strings.Replace(c.Servers[0].URI, "//s", "//nobody", 1) }},
		{name: "a bootstrap", before: func(d *detaching) { must(d.t, d.client.RequestBootstrap()) },
			set: func(c *lwm2m.Config) {
				b := c.Servers[0]
				b.Bootstrap, b.Lifetime = true, 0
				c.Servers = append(c.Servers, b)
			}},
		{name: "a bootstrap that writes", before: func(d *detaching) {
			d.server.FindScript(func(string) ([]lwm2mserver.BootstrapStep, bool) {
				return []lwm2mserver.BootstrapStep{
					lwm2mserver.BootstrapWriteValues("/1/0/1", dm.Entry{Path: dm.ResourcePath(1, 0, 1), Value: dm.IntegerValue(7777)}),
					lwm2mserver.BootstrapWriteValues("/1/0/1", dm.Entry{Path: dm.ResourcePath(1, 0, 1), Value: dm.IntegerValue(8888)}),
					lwm2mserver.BootstrapFinish(),
				}, true
			})
			must(d.t, d.client.RequestBootstrap())
		}, set: func(c *lwm2m.Config) {
			b := c.Servers[0]
			b.Bootstrap, b.Lifetime = true, 0
			c.Servers = append(c.Servers, b)
		}},
		{name: "registering again", before: func(d *detaching) { must(d.t, d.client.Register(1)) }},
		{name: "updating", before: func(d *detaching) { must(d.t, d.client.Update(1)) }, update: true},
		{name: "a notification", update: true, before: func(d *detaching) {
			c := d.server.WaitRegistered("dev")
			if _, _, err := c.Observe(context.Background(), "/3303/0/5700", content.SenMLCBOR, "con=1"); err != nil {
				d.t.Fatal(err)
			}
			must(d.t, d.sensor.Update(context.Background(), 0, func(i *temperature.Instance) error { i.SensorValue = dm.Float(21); return nil }))
		}},
		{name: "a slow sample", update: true, before: func(d *detaching) {
			d.background(func(ctx context.Context, c *lwm2mtest.Client) {
				_, _, _ = c.Observe(ctx, "/3303/0/5601", content.SenMLCBOR)
			})
		}},
		{name: "a Send", update: true, before: func(d *detaching) {
			b := &lwm2m.Batch{Defer: true}
			b.Add(dm.ResourcePath(3303, 0, 5700))
			c := d.client
			// Where it does not return, the bubble does not end.
			go func() { _, _ = c.Send(context.Background(), 1, b) }()
		}},
		{name: "a slow Execute", update: true, before: func(d *detaching) {
			d.background(func(ctx context.Context, c *lwm2mtest.Client) { _, _ = c.Execute(ctx, "/3303/0/5605", "") })
		}},
		{name: "a Write in blocks", update: true, before: func(d *detaching) {
			d.background(func(ctx context.Context, c *lwm2mtest.Client) {
				_, _ = c.Write(ctx, "/3308/0/5750", content.Text, []byte(strings.Repeat("x", 50_000)))
			})
		}},
		{name: "a Write that is being stored", update: true, before: func(d *detaching) {
			d.background(func(ctx context.Context, c *lwm2mtest.Client) {
				_, _ = c.Write(ctx, "/3308/0/5900", content.Text, []byte("33"))
			})
		}},
		{name: "offline", update: true, before: func(d *detaching) { d.client.Suspend() }},
		{name: "disabled", before: func(d *detaching) { must(d.t, d.client.Disable(1, time.Hour)) }},
		{name: "asleep", update: true, set: func(c *lwm2m.Config) { c.QueueMode = &lwm2m.QueueMode{AwakeTime: 20 * time.Second} },
			before: func(*detaching) { time.Sleep(time.Minute) }},
	} {
		for _, secured := range []bool{false, true} {
			for _, after := range []time.Duration{0, 700 * time.Millisecond, 2500 * time.Millisecond} {
				t.Run(test.name, func(t *testing.T) {
					inLives(t, secured, func(l *lives) {
						d := &detaching{lives: l}
						start := func() lwm2m.Config {
							cfg := d.configure()
							if test.set != nil {
								test.set(&cfg)
							}
							return cfg
						}
						if test.before == nil {
							l.start(start())
						} else {
							l.registered(start())
							l.link(500 * time.Millisecond)
							test.before(d)
						}
						time.Sleep(after)
						began := time.Now()
						l.detach()
						if took := time.Since(began); took > time.Second {
							t.Errorf("Detach took %v", took)
						}
						l.link(0)
						time.Sleep(5 * time.Minute) // the server has given up
						synctest.Wait()
						if test.before == nil {
							l.store.records = map[string][]byte{}
						}
						n := len(l.server.Requests())
						l.start(d.configure())
						time.Sleep(5 * time.Second)
						got := l.since(n)
						if s, _ := l.client.Status().Server(1); !s.State.Registered() {
							t.Fatalf("after %v the next client is %v, it has sent %q", after, s, got)
						}
						if test.update && !isUpdate(got) {
							t.Errorf("after %v the next client sends %q, want an Update", after, got)
						}
						a, err := l.server.WaitRegistered("dev").Read(context.Background(), "/3303/0/5700", content.Text)
						if err != nil || a.Code != coap.Content {
							t.Errorf("Read: %v (%v)", a, err)
						}
						if d.executed > 1 {
							t.Errorf("executed %d times", d.executed)
						}
					})
				})
			}
		}
	}
}
