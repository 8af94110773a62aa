package leshanlife_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/device"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// transmission lets a request without a response take about 3 s.
var transmission = coap.Params{AckTimeout: 300 * time.Millisecond, MaxRetransmit: 2}

// life is a device with a thermometer.
type life struct {
	Endpoint string
	Port     uint16 // of the server
	Secured  bool
	Lifetime time.Duration
	Value    float64 // of the thermometer at the start
	Store    string  // a folder, or empty
	Local    netip.AddrPort
}

// client makes the client. change changes its configuration.
func (l life) client(change func(*lwm2m.Config)) (*lwm2m.Client, *temperature.Object, error) {
	dev, err := device.New(device.Config{Instance: device.Instance{Manufacturer: dm.Str("Example")}})
	if err != nil {
		return nil, nil, err
	}
	things, err := temperature.New(temperature.Config{})
	if err != nil {
		return nil, nil, err
	}
	if err := things.Add(0, temperature.Instance{SensorValue: dm.Float(l.Value)}); err != nil {
		return nil, nil, err
	}
	account := lwm2m.Server{
		URI: fmt.Sprintf("coap://127.0.0.1:%d", l.Port), Lifetime: l.Lifetime,
		// The device tries again every second. Its notifications are confirmable.
		Instance: func(i *lwm2m.ServerInstance) {
			i.CommunicationRetryCount, i.CommunicationSequenceRetryCount = dm.Uint(1), dm.Uint(1000)
			i.CommunicationSequenceDelayTimer = dm.Uint(1)
			i.DefaultNotificationMode = dm.Int(1)
		},
	}
	if l.Secured {
		account.URI = fmt.Sprintf("coaps://127.0.0.1:%d", l.Port)
		account.PSK = lwm2m.PSK{Identity: l.Endpoint, Key: socket.NewSecret(key)}
	}
	cfg := lwm2m.Config{
		Endpoint: l.Endpoint, Servers: []lwm2m.Server{account}, Objects: []dm.Object{dev, things},
		Dialers: []socket.Dialer{udp.Dialer{}, dtls.Dialer{}}, Transmission: transmission,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	cfg.Socket.Local = l.Local
	if l.Store != "" {
		s, err := store.OpenDir(l.Store, store.Config{})
		if err != nil {
			return nil, nil, err
		}
		cfg.Store = s // the end of the process closes it
	}
	if change != nil {
		change(&cfg)
	}
	c, err := lwm2m.New(cfg)
	return c, things, err
}

// measure changes the value of the thermometer.
func measure(things *temperature.Object, celsius float64) error {
	return things.Update(context.Background(), 0, func(i *temperature.Instance) error {
		i.SensorValue.Set(celsius)
		return nil
	})
}

// sensor is a device in the process of the test.
type sensor struct {
	*lwm2m.Client
	things *temperature.Object
	log    *strings.Builder
}

// run runs a device until the end of the test.
func run(t *testing.T, l life, change func(*lwm2m.Config)) *sensor {
	t.Helper()
	s := &sensor{log: new(strings.Builder)}
	var err error
	s.Client, s.things, err = l.client(func(c *lwm2m.Config) {
		c.Logger = slog.New(slog.NewTextHandler(s.log, nil))
		if change != nil {
			change(c)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		err := <-ended
		if err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(s.log.String())
		}
	})
	return s
}

// measure changes the value of the thermometer.
func (s *sensor) measure(t *testing.T, celsius float64) {
	t.Helper()
	if err := measure(s.things, celsius); err != nil {
		t.Fatal(err)
	}
}

// until waits until a condition on the account of the server holds.
func (s *sensor) until(t *testing.T, what string, holds func(lwm2m.ServerStatus) bool) {
	t.Helper()
	timeout, tick := time.After(patience), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for {
		if st, ok := s.Status().Server(1); ok && holds(st) {
			return
		}
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("not within %v: %s, but %v", patience, what, s.Status())
		}
	}
}

// lifeVariable tells a process of this program which device it is.
const lifeVariable = "LWM2M_INTEROP_LIFE"

// TestMain runs the tests, or a device that startProcess has started.
func TestMain(m *testing.M) {
	if text, ok := os.LookupEnv(lifeVariable); ok {
		if err := live(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// live is the program of a device: it sets the thermometer to each number that it reads, and
// detaches at the line "detach".
func live(text string) error {
	var l life
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return err
	}
	c, things, err := l.client(nil)
	if err != nil {
		return err
	}
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			if lines.Text() == "detach" {
				c.Detach()
				continue
			}
			v, err := strconv.ParseFloat(lines.Text(), 64)
			if err == nil {
				err = measure(things, v)
			}
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
		}
	}()
	return c.Run(context.Background())
}

// process is a device in a process of its own.
type process struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	kill func() // kills the process without a warning
}

// startProcess runs a device in a process of its own.
func startProcess(t *testing.T, l life) *process {
	t.Helper()
	text, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(program)}
	p.cmd.Env = append(os.Environ(), lifeVariable+"="+string(text))
	var log strings.Builder
	p.cmd.Stderr = &log
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.kill = sync.OnceFunc(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	})
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("the device:\n%s", log.String())
		}
	})
	return p
}

// say sends the device a line.
func (p *process) say(t *testing.T, line string) {
	t.Helper()
	if _, err := fmt.Fprintln(p.in, line); err != nil {
		t.Fatal(err)
	}
}

// detach ends the device in order, with its registration left to the next process.
func (p *process) detach(t *testing.T) {
	t.Helper()
	p.say(t, "detach")
	stuck := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer stuck.Stop()
	if err := p.cmd.Wait(); err != nil {
		t.Fatalf("the device ends with %v", err)
	}
}
