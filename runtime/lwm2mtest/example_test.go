package lwm2mtest_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// program is a lwm2mtest.TB for a program. A test passes its t.
type program struct{ atEnd []func() }

func (*program) Helper()                           {}
func (p *program) Cleanup(fn func())               { p.atEnd = append(p.atEnd, fn) }
func (*program) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (p *program) end() {
	for _, fn := range p.atEnd {
		fn()
	}
}

// A server reads and observes a thermometer, whose value changes.
func Example() {
	t := &program{}
	defer t.end()
	srv := lwm2mtest.NewServer(t)

	temp, err := temperature.New(temperature.Config{})
	if err == nil {
		err = temp.Add(0, temperature.Instance{SensorValue: dm.Float(22.5)})
	}
	if err != nil {
		t.Fatalf("%v", err)
	}
	client, err := lwm2m.New(lwm2m.Config{
		Endpoint: "thermometer",
		Servers:  []lwm2m.Server{{URI: srv.URI()}},
		Objects:  []dm.Object{temp},
		Logger:   slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatalf("%v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	srv.Run(client.Run)

	dev := srv.WaitRegistered("thermometer")
	obs, answer, err := dev.Observe(ctx, "/3303/0/5700", content.Text)
	if err != nil {
		t.Fatalf("%v", err)
	}
	fmt.Println(answer)
	err = temp.Update(ctx, 0, func(i *temperature.Instance) error {
		i.SensorValue.Set(23)
		return nil
	})
	if err != nil {
		t.Fatalf("%v", err)
	}
	note, err := obs.Next(ctx)
	fmt.Println(note.Text(), err)
	client.Shutdown()
	srv.WaitEvent(0, lwm2mtest.Deregistered, "thermometer")
	// Output:
	// 2.05 22.5
	// 23 <nil>
}
