// Gateway-device lives through what a device in the field lives through: it leaves the factory, is
// bootstrapped, is managed by two servers with different rights, sleeps, is stopped and started,
// and is killed. The servers run in this process; the device is a process of its own, so that it
// can be killed. Each line says who did what, and the device says why it goes on with a
// registration or registers again. docs/lifecycle.md explains it.
//
//	go run ./examples/gateway-device
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/generated/setpoint"
	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
	"github.com/lwm2mgen/toolkit/runtime/objects/accesscontrol"
)

const (
	endpoint = "gateway-1"
	// deviceEnv makes the process the device. Its value is the URI of the bootstrap server, and
	// that of storeEnv the directory of the store.
	deviceEnv, storeEnv = "GATEWAY_BOOTSTRAP_URI", "GATEWAY_STORE"
	// awakeTime is how long the device and the servers expect the device to listen.
	awakeTime = 500 * time.Millisecond
)

// key is the pre-shared key of the device, the same as in factory.json. A real device has one for
// each server.
var key = socket.NewSecret([]byte("0123456789abcdef"))

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	if uri := os.Getenv(deviceEnv); uri != "" {
		err = runDevice(ctx, uri, os.Getenv(storeEnv))
	} else {
		err = run(ctx, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gateway-device:", err)
		os.Exit(1)
	}
}

// story is the servers and the present process of the device.
type story struct {
	bootstrap, first, second *lwm2mserver.Server
	store                    string
	cmd                      *exec.Cmd
	stop                     io.Closer // the standard input of cmd
	printed                  sync.WaitGroup

	mu  sync.Mutex
	out io.Writer
}

// run tells the story.
func run(ctx context.Context, out io.Writer) error {
	dir, err := os.MkdirTemp("", "gateway-device")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s := &story{store: dir, out: out}
	for _, server := range []**lwm2mserver.Server{&s.bootstrap, &s.first, &s.second} {
		if *server, err = newServer(); err != nil {
			return err
		}
		defer (*server).Close()
	}
	if err := s.scriptBootstrap(); err != nil {
		return err
	}
	defer s.kill()
	return errors.Join(s.leaveFactory(ctx), s.restart(ctx), s.crash(ctx))
}

// newServer starts a server for DTLS with pre-shared keys, which gives devices Connection IDs.
func newServer() (*lwm2mserver.Server, error) {
	below, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		return nil, err
	}
	listener, err := dtls.Listen(below, dtls.ServerConfig{
		Key:                func([]byte) (socket.Secret, error) { return key, nil },
		ConnectionIDLength: 8,
	})
	if err != nil {
		return nil, err
	}
	return lwm2mserver.New(lwm2mserver.Config{Listeners: []socket.Listener{listener}, AwakeTime: awakeTime})
}

// scriptBootstrap says what the bootstrap server writes: the accounts of two servers, and that
// server 1 owns everything while server 2 may read.
func (s *story) scriptBootstrap() error {
	rights, err := accesscontrol.New(accesscontrol.Config{})
	if err != nil {
		return err
	}
	governed := []dm.Path{
		dm.InstancePath(1, 1), dm.InstancePath(1, 2), // the accounts
		dm.InstancePath(3, 0), // the Device
		dm.InstancePath(setpoint.ObjectID, 0),
	}
	for i, p := range governed {
		err := rights.Add(dm.InstanceID(i), accesscontrol.Entry(p, 1, map[dm.ShortServerID]accesscontrol.Rights{2: accesscontrol.Read}))
		if err != nil {
			return err
		}
	}
	account := func(srv *lwm2mserver.Server, id lwm2m.ShortServerID) lwm2mserver.BootstrapStep {
		return lwm2mserver.BootstrapAccount(dm.InstanceID(id), lwm2m.Server{
			URI: srv.URI(), ShortID: id, PSK: lwm2m.PSK{Identity: endpoint, Key: key}, Lifetime: time.Hour,
		})
	}
	s.bootstrap.ScriptBootstrap(endpoint,
		account(s.first, 1), account(s.second, 2), lwm2mserver.BootstrapWriteObject(rights), lwm2mserver.BootstrapFinish())
	return nil
}

// say prints a line.
func (s *story) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, format+"\n", args...)
}

// start starts the device, whose output becomes part of the story.
func (s *story) start(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	s.cmd = exec.CommandContext(ctx, self)
	s.cmd.Env, s.cmd.Stderr = append(os.Environ(), deviceEnv+"="+s.bootstrap.URI(), storeEnv+"="+s.store), os.Stderr
	if s.stop, err = s.cmd.StdinPipe(); err != nil {
		return err
	}
	output, err := s.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	s.printed.Go(func() {
		for lines := bufio.NewScanner(output); lines.Scan(); {
			s.say("device: %s", lines.Text())
		}
	})
	return s.cmd.Start()
}

// end waits until the process of the device has ended.
func (s *story) end() error {
	s.printed.Wait()
	err := s.cmd.Wait()
	s.cmd = nil
	return err
}

// kill ends the device as a crash or a loss of power does.
func (s *story) kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it fails only if the process has ended
	_ = s.end()              // it says that the process was killed
}

// leaveFactory is the first life: bootstrap, registration, and what each server may do.
func (s *story) leaveFactory(ctx context.Context) error {
	s.say("\nThe device leaves the factory. It knows the bootstrap server alone.")
	if err := s.start(ctx); err != nil {
		return err
	}
	b, _, err := s.bootstrap.WaitBootstrap(ctx, 0, endpoint)
	if err != nil {
		return err
	}
	if err := b.Wait(ctx); err != nil {
		return err
	}
	s.say("bootstrap server: it has written the accounts of two servers, and their rights")
	for i, srv := range []*lwm2mserver.Server{s.first, s.second} {
		dev, err := srv.WaitRegistered(ctx, endpoint)
		if err != nil {
			return err
		}
		s.say("server %d: %v", i+1, srv.Requests()[0])
		a, err := dev.Write(ctx, "/3308/0/5900", content.Text, []byte("22.5"))
		if err != nil {
			return err
		}
		s.say("server %d: Write 22.5 to /3308/0/5900: %v", i+1, a)
	}
	return nil
}

// restart is the second life: after a stop in order the device goes on with its registrations.
func (s *story) restart(ctx context.Context) error {
	s.say("\nThe program of the device is stopped in order, and started again.")
	n := len(s.first.Requests())
	if err := s.stop.Close(); err != nil {
		return err
	}
	if err := s.end(); err != nil {
		return err
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	return s.showFirst(ctx, n)
}

// crash is the third life: after a kill the device registers again. What servers have written is
// there.
func (s *story) crash(ctx context.Context) error {
	s.say("\nThe program of the device is killed, and started again.")
	n := len(s.first.Requests())
	s.kill()
	if err := s.start(ctx); err != nil {
		return err
	}
	if err := s.showFirst(ctx, n); err != nil {
		return err
	}
	return s.sleep(ctx)
}

// showFirst prints the next request of the device to server 1, the value that it has stored, and
// which rights it remembers.
func (s *story) showFirst(ctx context.Context, n int) error {
	r, _, err := s.first.WaitRequest(ctx, n, func(lwm2mserver.Request) bool { return true })
	if err != nil {
		return err
	}
	path, _, _ := strings.Cut(r.String(), "?")
	s.say("server 1: %s", path)
	for i, srv := range []*lwm2mserver.Server{s.first, s.second} {
		dev, err := srv.WaitRegistered(ctx, endpoint)
		if err != nil {
			return err
		}
		a, err := dev.Read(ctx, "/3308/0/5900", content.Text)
		if err != nil {
			return err
		}
		s.say("server %d: Read /3308/0/5900: %v", i+1, a)
	}
	return nil
}

// sleep has a server ask a device that sleeps.
func (s *story) sleep(ctx context.Context) error {
	s.say("\nServer 1 wants a value every 3 s. In between the device turns its receiver off.")
	dev, err := s.first.WaitRegistered(ctx, endpoint)
	if err != nil {
		return err
	}
	if _, _, err := dev.Observe(ctx, "/3308/0/5900", content.SenMLCBOR, "pmax=3"); err != nil {
		return err
	}
	if err := dev.WaitAsleep(ctx); err != nil {
		return err
	}
	s.say("server 1: the device is asleep; a Read waits until it wakes up")
	a, err := dev.Read(ctx, "/3/0/0", content.Text)
	if err != nil {
		return err
	}
	s.say("server 1: Read /3/0/0: %v", a)
	return nil
}
