package lwm2m_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// radioDay is a way to report a value every hour.
type radioDay struct {
	security, between string // as the table shows it
	secured           bool
	cid               int
	noResumption      bool
	keeps             bool // Config.ResumptionKeepsRegistration
	suspends          bool // the program calls Suspend between the reports
}

var radioDays = []radioDay{
	{security: "none", between: "queue mode"},
	{security: "DTLS, Connection ID", between: "queue mode", secured: true, cid: 8},
	{security: "DTLS, Connection ID", between: "`Suspend`", secured: true, cid: 8, suspends: true},
	{security: "DTLS, resumption, `ResumptionKeepsRegistration`", between: "`Suspend`", secured: true, keeps: true, suspends: true},
	{security: "DTLS, resumption", between: "`Suspend`", secured: true, suspends: true},
	{security: "DTLS, full handshakes", between: "`Suspend`", secured: true, noResumption: true, suspends: true},
}

// radioCost is what a day costs, in datagrams and bytes of UDP payload.
type radioCost struct{ wakes, sent, received, sentBytes, receivedBytes, handshakes int }

// radio counts what passes between a device and its server.
type radio struct {
	mu     sync.Mutex
	device *simnet.Host
	cost   radioCost
	last   time.Time
}

// pass counts a datagram. One that follows a minute of silence wakes the device.
func (r *radio) pass(p simnet.Packet) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.last) > time.Minute {
		r.cost.wakes++
	}
	r.last = time.Now()
	if contains := p.From.Addr() == r.device.Addrs()[0] || p.From.Addr() == r.device.Addrs()[1]; contains {
		r.cost.sent, r.cost.sentBytes = r.cost.sent+1, r.cost.sentBytes+len(p.Data)
	} else {
		r.cost.received, r.cost.receivedBytes = r.cost.received+1, r.cost.receivedBytes+len(p.Data)
	}
	if p.Data[0] == 20 || p.Data[0] == 22 { // ChangeCipherSpec, handshake
		r.cost.handshakes += len(p.Data)
	}
	return true
}

// live lives through a day and returns its cost, without that of the first registration.
func (d *radioDay) live(t testing.TB) radioCost {
	n := simnet.New(1)
	if err := n.SetDefaultLink(simnet.Link{Delay: 100 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	r := &radio{device: n.NewHost("device")}
	n.SetFilter(r.pass)
	port, account := uint16(5683), lwm2m.Server{URI: "coap://s", Lifetime: 25 * time.Hour}
	if d.secured {
		port = 5684
		account.URI, account.PSK = "coaps://s", lwm2m.PSK{Identity: "sensor-0001", Key: socket.NewSecret([]byte("0123456789abcdef"))}
	}
	l, err := n.NewHost("s").Listen(port)
	if err != nil {
		t.Fatal(err)
	}
	if d.secured {
		cfg := withKey("0123456789abcdef")
		cfg.ConnectionIDLength, cfg.NoResumption = d.cid, d.noResumption
		if l, err = dtls.Listen(l, cfg); err != nil {
			t.Fatal(err)
		}
	}
	srv := lwm2mtest.NewServer(t, l)
	sensor := newSensor(t, 0)
	client, err := lwm2m.New(lwm2m.Config{
		Endpoint: "sensor-0001", Objects: []dm.Object{newDevice(t), sensor}, Logger: quiet(), Servers: []lwm2m.Server{account},
		Dialers: []socket.Dialer{r.device.Dialer(), dtls.Dialer{}}, QueueMode: &lwm2m.QueueMode{AwakeTime: 5 * time.Second},
		ResumptionKeepsRegistration: d.keeps,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- client.Run(ctx) }()
	srv.WaitRegistered("sensor-0001")
	time.Sleep(time.Minute)
	if d.suspends {
		client.Suspend()
		time.Sleep(time.Minute)
	}
	r.mu.Lock()
	r.cost = radioCost{}
	r.mu.Unlock()
	for range 24 {
		time.Sleep(59 * time.Minute)
		d.report(t, client)
	}
	r.mu.Lock()
	cost := r.cost
	r.mu.Unlock()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	return cost
}

// report sends a value, as a program does each hour.
func (d *radioDay) report(t testing.TB, client *lwm2m.Client) {
	if d.suspends {
		client.Resume()
	}
	var b lwm2m.Batch
	b.Defer = d.suspends // until the device is registered
	b.Add(dm.ResourcePath(3303, 0, 5700))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := client.Send(ctx, 1, &b); err != nil {
		t.Error(err)
	}
	if d.suspends {
		client.Suspend()
	}
	time.Sleep(time.Minute - time.Duration(time.Now().UnixNano())%time.Minute)
}

// about rounds a number of bytes: the time of a value does not always have the same length.
func about(bytes int) int {
	if bytes < 1000 {
		return bytes
	}
	return (bytes + 50) / 100 * 100
}

// radioTable is the table of docs/lifecycle.md.
func radioTable(t *testing.T) string {
	var b strings.Builder
	b.WriteString("| security | between reports | wake-ups | sent | received | of it handshakes |\n|---|---|---|---|---|---|\n")
	for i := range radioDays {
		d := &radioDays[i]
		synctest.Test(t, func(t *testing.T) {
			c := d.live(t)
			if d.cid > 0 && c.handshakes > 0 {
				t.Errorf("%s, %s: %d bytes of handshakes, want none", d.security, d.between, c.handshakes)
			}
			if c.wakes != 24 {
				t.Errorf("%s, %s: %d wake-ups for 24 reports", d.security, d.between, c.wakes)
			}
			fmt.Fprintf(&b, "| %s | %s | %d | %d in %d | %d in %d | %d |\n", d.security, d.between, c.wakes,
				about(c.sentBytes), c.sent, about(c.receivedBytes), c.received, about(c.handshakes))
		})
	}
	return b.String()
}

// A wake-up with a Connection ID costs no byte of a handshake, and each report one wake-up. The
// table of docs/lifecycle.md shows what a day costs.
func TestRadioCost(t *testing.T) {
	const page, begin, end = "../../docs/lifecycle.md", "<!-- begin radio -->\n", "<!-- end radio -->\n"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(text), begin)
	old, after, ok := strings.Cut(rest, end)
	if !ok {
		t.Fatal("docs/lifecycle.md has no place for radio")
	}
	table := radioTable(t)
	switch {
	case table == old:
	case !*updatePictures:
		t.Errorf("docs/lifecycle.md has\n%smeasured is\n%srun go test ./runtime/lwm2m -run TestRadioCost -update", old, table)
	default:
		if err := os.WriteFile(page, []byte(before+begin+table+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
