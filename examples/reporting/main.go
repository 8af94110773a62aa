// Reporting shows the ways in which values reach a server: an observation with thresholds, one of
// several nodes, stored notifications after an outage, and Send with a history. It runs a device
// and a server in one process. docs/reporting.md explains it.
//
//	go run ./examples/reporting
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
	"github.com/lwm2mgen/toolkit/runtime/objects/device"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "reporting:", err)
		os.Exit(1)
	}
}

var sensor = dm.ResourcePath(3303, 0, temperature.SensorValueID)

// program is a device and the server that it is registered with.
type program struct {
	out    io.Writer
	temp   *temperature.Object
	client *lwm2m.Client
	server *lwm2mserver.Client // the device, as the server sees it
}

// run starts the server and the device, and reports in each way.
func run(ctx context.Context, out io.Writer) error {
	l, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		return err
	}
	srv, err := lwm2mserver.New(lwm2mserver.Config{Listeners: []socket.Listener{l}})
	if err != nil {
		return err
	}
	defer srv.Close()
	p := &program{out: out}
	if err := p.newClient(srv.URI()); err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- p.client.Run(running) }()
	if p.server, err = srv.WaitRegistered(ctx, "reporter"); err == nil {
		err = p.report(ctx)
	}
	stop()
	return errors.Join(err, <-ended)
}

// newClient makes the device.
func (p *program) newClient(uri string) error {
	dev, err := device.New(device.Config{})
	if err != nil {
		return err
	}
	if p.temp, err = temperature.New(temperature.Config{}); err != nil {
		return err
	}
	if err := p.temp.Add(0, temperature.Instance{SensorValue: dm.Float(20), ApplicationType: dm.Str("hall")}); err != nil {
		return err
	}
	p.client, err = lwm2m.New(lwm2m.Config{
		Endpoint: "reporter",
		Servers:  []lwm2m.Server{{URI: uri, Lifetime: time.Hour}}, // stores, and allows Send
		Objects:  []dm.Object{dev, p.temp},
		Logger:   slog.New(slog.DiscardHandler),
	})
	return err
}

func (p *program) report(ctx context.Context) error {
	for _, step := range []func(context.Context) error{p.observe, p.observeComposite, p.send} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// measure sets the temperature.
func (p *program) measure(ctx context.Context, celsius ...float64) error {
	for _, v := range celsius {
		err := p.temp.Update(ctx, 0, func(i *temperature.Instance) error {
			i.SensorValue.Set(v)
			return nil
		})
		if err != nil {
			return err
		}
		p.say("measured %v", v)
	}
	return nil
}

// observe observes the temperature with thresholds, then goes through an outage.
func (p *program) observe(ctx context.Context) error {
	p.say("observe /3303/0/5700 above 25 and below 18:")
	obs, _, err := p.server.Observe(ctx, sensor.String(), content.SenMLCBOR, "gt=25", "lt=18")
	if err != nil {
		return err
	}
	if err := p.measure(ctx, 22, 24, 26); err != nil { // only 26 crosses a threshold
		return err
	}
	if err := p.showNext(ctx, obs); err != nil {
		return err
	}

	p.say("an outage:")
	p.client.Suspend()
	if err := errors.Join(
		p.measure(ctx, 27, 21), p.waitStored(ctx, 1), // 21 crosses 25
		p.measure(ctx, 23, 16), p.waitStored(ctx, 2), // 16 crosses 18
	); err != nil {
		return err
	}
	p.client.Resume()
	if err := p.showNext(ctx, obs); err != nil { // both in one message
		return err
	}
	_, err = obs.Cancel(ctx)
	return err
}

// waitStored waits until n values are stored.
func (p *program) waitStored(ctx context.Context, n int) error {
	for ctx.Err() == nil {
		if s, _ := p.client.Status().Server(1); s.Stored == n {
			p.say("stored: %d", n)
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	return ctx.Err()
}

// observeComposite observes two nodes in one request.
func (p *program) observeComposite(ctx context.Context) error {
	p.say("observe /3303/0/5700 and /3303/0/5750 together:")
	obs, _, err := p.server.ObserveComposite(ctx, content.SenMLCBOR, []string{sensor.String(), "/3303/0/5750"})
	if err != nil {
		return err
	}
	if err := p.measure(ctx, 19); err != nil {
		return err
	}
	if err := p.showNext(ctx, obs); err != nil {
		return err
	}
	_, err = obs.Cancel(ctx)
	return err
}

// send reports a history and a value of now, without being asked.
func (p *program) send(ctx context.Context) error {
	p.say("send a history:")
	history := lwm2m.NewHistory(sensor, 100)
	for i := range 3 {
		history.Add(dm.FloatValue(18+float64(i)/2), time.Now().Add(time.Duration(i-3)*time.Minute))
	}
	var b lwm2m.Batch
	b.AddHistory(history)
	b.Add(dm.ResourcePath(3303, 0, temperature.ApplicationTypeID), dm.ResourcePath(3303, 1, temperature.SensorValueID))
	result, err := p.client.Send(ctx, 1, &b)
	if err != nil {
		return err
	}
	p.say("the Send is %v with %d values; %d are left in the history", result.Outcome, result.Values, history.Len())
	for _, l := range result.LeftOut {
		p.say("left out: %v", l.Err)
	}
	for report := range p.server.Sends(ctx) {
		return p.show("the server got", report)
	}
	return ctx.Err()
}

// showNext prints the next notification.
func (p *program) showNext(ctx context.Context, obs *lwm2mserver.Observation) error {
	a, err := obs.Next(ctx)
	if err != nil {
		return err
	}
	return p.show("notified of", a)
}

// show prints the values of a report.
func (p *program) show(what string, a lwm2mserver.Answer) error {
	entries, err := a.Entries()
	if err != nil {
		return err
	}
	for _, e := range entries {
		when := "now"
		if e.Time != 0 {
			when = fmt.Sprintf("%v ago", time.Since(time.UnixMicro(int64(e.Time*1e6))).Round(time.Minute))
		}
		p.say("%s %v = %v, %s", what, e.Path, e.Value, when)
	}
	return nil
}

func (p *program) say(format string, args ...any) { fmt.Fprintf(p.out, format+"\n", args...) }
