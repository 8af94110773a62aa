package tshark

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
	ready "github.com/lwm2mgen/toolkit/runtime/objects/device"
)

// TestWholeRun has tshark read everything that a device and a server exchange from registration to
// de-registration: reads in every format, blocks, writes, attributes, observations of one node and
// of several, and Sends. Nothing may be malformed or conspicuous.
func TestWholeRun(t *testing.T) {
	tool, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed: run interop/install")
	}
	messages := record(t)
	file := filepath.Join(t.TempDir(), "run.pcap")
	if err := os.WriteFile(file, captureMessages(messages), 0o600); err != nil {
		t.Fatal(err)
	}
	fields := func(filter string, names ...string) []string {
		args := []string{"-r", file, "-Y", filter, "-T", "fields"}
		for _, n := range names {
			args = append(args, "-e", n)
		}
		cmd := exec.CommandContext(t.Context(), tool, args...)
		cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C.UTF-8", "HOME="+t.TempDir())
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("tshark: %v", err)
		}
		return strings.Split(strings.TrimSpace(string(out)), "\n")
	}
	if n := len(fields("coap", "frame.number")); n != len(messages) {
		t.Errorf("tshark takes %d of %d messages for CoAP", n, len(messages))
	}
	const faults = `_ws.malformed || _ws.expert.severity >= "Warning"`
	if bad := fields(faults, "frame.number", "coap.code", "_ws.expert.message"); bad[0] != "" {
		t.Errorf("tshark finds faults:\n%s", strings.Join(bad, "\n"))
	}
	for what, filter := range map[string]string{
		"a Send":                  `coap.opt.uri_path == "dp" && coap.code == 2`,
		"an Observe-Composite":    `coap.code == 5 && coap.opt.observe == 0`,
		"a notification in CBOR":  `coap.code == 69 && coap.opt.observe && cbor`,
		"a Read in TLV":           `coap.code == 69 && lwm2mtlv`,
		"a second block":          `coap.opt.block_number == 1`,
		"attributes with a value": `coap.opt.uri_query == "gt=25"`,
		"a De-register":           `coap.code == 4`,
	} {
		if fields(filter, "frame.number")[0] == "" {
			t.Errorf("the run has no %s", what)
		}
	}
}

// A message is one datagram between the device and the server.
type message struct {
	fromServer bool
	data       []byte
}

// record runs a device at a server and returns all datagrams between them, in their order.
func record(t *testing.T) []message {
	srv := lwm2mtest.NewServer(t)
	r := startRelay(t, srv.Addr())
	dev, err := ready.New(ready.Config{Instance: ready.Instance{Manufacturer: dm.Str(strings.Repeat("long ", 300))}})
	if err != nil {
		t.Fatal(err)
	}
	things, err := temperature.New(temperature.Config{})
	if err == nil {
		err = things.Add(0, temperature.Instance{SensorValue: dm.Float(20), ApplicationType: dm.Str("hall")})
	}
	if err != nil {
		t.Fatal(err)
	}
	srv.Define(things.Definition(), dev.Definition())
	client, err := lwm2m.New(lwm2m.Config{
		Endpoint: "whole", Objects: []dm.Object{dev, things}, Dialers: []socket.Dialer{udp.Dialer{}},
		Servers: []lwm2m.Server{{URI: "coap://" + r.addr().String()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	running, leave := context.WithCancel(ctx)
	defer leave()
	srv.Run(func(context.Context) error { return client.Run(running) })
	manage(t, ctx, srv.WaitRegistered("whole"), client, things)
	leave()
	<-client.Done()
	return r.all()
}

// manage does one of everything.
func manage(t *testing.T, ctx context.Context, peer *lwm2mtest.Client, client *lwm2m.Client, things *temperature.Object) {
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []content.Format{
		content.TLV, content.SenMLJSON, content.SenMLCBOR, content.LwM2MJSON, content.LwM2MCBOR,
	} {
		must(peer.Read(ctx, "/3/0", f))
	}
	must(peer.Read(ctx, "/3303/0/5700", content.CBOR))
	must(peer.Read(ctx, "/3303/0/5700", content.Text))
	must(peer.Discover(ctx, "/3303"))
	must(peer.Write(ctx, "/3303/0/5750", content.Text, []byte("cellar")))
	must(peer.WriteAttributes(ctx, "/3303/0/5700", "gt=25", "st=0.5", "pmin=0"))
	single, _, err := peer.Observe(ctx, "/3303/0/5700", content.SenMLCBOR)
	must(nil, err)
	several, _, err := peer.ObserveComposite(ctx, content.SenMLCBOR, []string{"/3303/0/5700", "/3303/0/5750"}, "con=1")
	must(nil, err)
	must(nil, things.Update(ctx, 0, func(i *temperature.Instance) error { i.SensorValue.Set(30); return nil }))
	must(single.Next(ctx))
	must(several.Next(ctx))
	must(several.Cancel(ctx))
	must(single.Cancel(ctx))
	var b lwm2m.Batch
	b.Add(dm.ResourcePath(3303, 0, temperature.ApplicationTypeID))
	b.AddValue(dm.ResourcePath(3303, 0, temperature.SensorValueID), dm.FloatValue(19.5), time.Unix(1.7e9, 0))
	must(client.Send(ctx, 1, &b))
}

// relay passes the datagrams of one device to a server and back, and notes them.
type relay struct {
	conn   *net.UDPConn
	server *net.UDPConn

	mu       sync.Mutex
	device   netip.AddrPort
	messages []message
}

func startRelay(t *testing.T, server netip.AddrPort) *relay {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	up, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(server))
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{conn: conn, server: up}
	var running sync.WaitGroup
	running.Go(func() { r.pass(conn, false) })
	running.Go(func() { r.pass(up, true) })
	t.Cleanup(func() {
		_, _ = conn.Close(), up.Close()
		running.Wait()
	})
	return r
}

func (r *relay) addr() net.Addr { return r.conn.LocalAddr() }

func (r *relay) pass(from *net.UDPConn, fromServer bool) {
	buf := make([]byte, 65536)
	for {
		n, addr, err := from.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		r.mu.Lock()
		if !fromServer {
			r.device = addr
		}
		device := r.device
		r.messages = append(r.messages, message{fromServer, bytes.Clone(buf[:n])})
		r.mu.Unlock()
		if fromServer {
			_, _ = r.conn.WriteToUDPAddrPort(buf[:n], device)
		} else {
			_, _ = r.server.Write(buf[:n])
		}
	}
}

func (r *relay) all() []message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.messages
}
