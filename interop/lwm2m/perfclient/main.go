// Perfclient is a whole client for measurements of what it costs to serve one server. It has the
// Device of the examples in Core 1.2.2 §7.4 and a thermometer, registers at the server -s, and runs
// until it is interrupted.
//
//	go build -C interop -o ../bin/perfclient ./lwm2m/perfclient
//	bin/perfclient -s 127.0.0.1:5683
//
// docs/performance.md says what is measured, and how.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

func main() {
	addr := flag.String("s", "127.0.0.1:5685", "address of the server")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, "coap://"+*addr); err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}

func run(ctx context.Context, uri string) error {
	dev, err := device.New(device.Config{})
	if err != nil {
		return err
	}
	if err := dev.Add(0, example()); err != nil {
		return err
	}
	temp, err := temperature.New(temperature.Config{})
	if err != nil {
		return err
	}
	if err := temp.Add(0, temperature.Instance{SensorValue: dm.Float(22.5), SensorUnits: dm.Str("Cel")}); err != nil {
		return err
	}
	client, err := lwm2m.New(lwm2m.Config{
		Endpoint: "perf",
		Servers:  []lwm2m.Server{{URI: uri, Lifetime: time.Hour}},
		Objects:  []dm.Object{dev, temp},
	})
	if err != nil {
		return err
	}
	return client.Run(ctx)
}

// example returns the Device of the examples in Core 1.2.2 §7.4.
func example() device.Instance {
	return device.Instance{
		Manufacturer: dm.Str("Open Mobile Alliance"), ModelNumber: dm.Str("Lightweight M2M Client"),
		SerialNumber: dm.Str("345000123"), FirmwareVersion: dm.Str("1.0"),
		Reboot:                func(context.Context, dm.Args) error { return nil },
		AvailablePowerSources: dm.Ints(1, 5), PowerSourceVoltage: dm.Ints(3800, 5000),
		PowerSourceCurrent: dm.Ints(125, 900),
		BatteryLevel:       dm.Int(100), MemoryFree: dm.Int(15), ErrorCode: dm.Ints(0),
		CurrentTime: dm.Time(time.Unix(1367491215, 0)), UTCOffset: dm.Str("+02:00"), Timezone: dm.Str("Europe/Berlin"),
		SupportedBindingAndModes: dm.Str("U"),
	}
}
