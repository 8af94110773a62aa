package sockettest

import (
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// TestHangingCheck: a check whose call does not return fails with the name of the check and the
// call. What the check does later has no effect.
func TestHangingCheck(t *testing.T) {
	for _, c := range checks() {
		if c.name != "CloseTwice" {
			continue
		}
		rec := outcome(t, c, &lab{kind: socket.Datagram, faults: func(p *port) {
			p.close = func() error {
				<-p.lab.release
				return errWrong
			}
		}})
		text := strings.Join(rec.failures, "\n")
		if len(rec.failures) != 1 || !strings.Contains(text, "the check CloseTwice hangs") ||
			!strings.Contains(text, "(*port).Close") {
			t.Errorf("failures: %q", rec.failures)
		}
	}
}

// stuck is a dialer whose sockets hang in State, which needs no lock that a bubble knows.
type stuck struct{ socket.Dialer }

var stuckForever sync.Mutex

func (d stuck) NewSocket(c socket.Config) (socket.Socket, error) {
	s, err := d.Dialer.NewSocket(c)
	return &stuckSocket{s}, err
}

type stuckSocket struct{ socket.Socket }

func (s *stuckSocket) State() socket.State {
	stuckForever.Lock()
	return s.Socket.State()
}

// TestHangingKit: Run ends a hanging check and skips the others; RunInBubbles ends the test.
// Neither waits for the time-out of go test. The test runs itself in a process of its own.
func TestHangingKit(t *testing.T) {
	const which = "SOCKETTEST_HANG"
	rig := func(t testing.TB) Rig {
		n := simnet.New(1)
		l, err := n.NewHost("server").Listen(5683)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return Rig{Dialer: stuck{n.NewHost("device").Dialer()}, Remote: socket.Endpoint{Host: "server", Port: 5683}, Peer: l}
	}
	switch os.Getenv(which) {
	case "Run":
		stuckForever.Lock()
		Run(t, rig)
		return
	case "RunInBubbles":
		stuckForever.Lock()
		RunInBubbles(t, synctest.Test, rig)
		return
	}
	if testing.Short() {
		t.Skip("waits three seconds")
	}
	for run, want := range map[string][]string{
		"Run": {"the check NewSocketIsClosed hangs", "stuckSocket", "SKIP: TestHangingKit/Echo",
			"the check NewSocketIsClosed hangs, and may still use the port"},
		"RunInBubbles": {"panic: the check NewSocketIsClosed hangs in its bubble", "stuckSocket"},
	} {
		t.Run(run, func(t *testing.T) {
			t.Parallel()
			command := exec.Command(os.Args[0], "-test.run=^TestHangingKit$", "-test.v", "-test.timeout=8s")
			command.Env = append(os.Environ(), which+"="+run)
			out, err := command.CombinedOutput()
			if err == nil {
				t.Error("the kit passes")
			}
			for _, text := range want {
				if !strings.Contains(string(out), text) {
					t.Errorf("it does not print %q:\n%s", text, out)
				}
			}
			if strings.Contains(string(out), "test timed out") {
				t.Errorf("go test ended it:\n%s", out)
			}
		})
	}
}
