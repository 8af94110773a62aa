package socket_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// nothing is a socket that does nothing.
type nothing struct {
	socket.Socket
	dialer string
	config socket.Config
}

// maker makes nothing.
type maker struct {
	name    string
	schemes []string
}

func (m maker) Schemes() []string { return m.schemes }

func (m maker) NewSocket(c socket.Config) (socket.Socket, error) {
	if c.LinkMTU == 1 {
		return nil, errors.New("bad luck")
	}
	return &nothing{dialer: m.name, config: c}, nil
}

type decorator struct{ maker }

func (decorator) Over() string { return "coap" }

func TestOpen(t *testing.T) {
	radio, udp := maker{"radio", []string{"coap"}}, maker{"udp", []string{"x", "coap"}}
	dtls := decorator{maker{"dtls", []string{"coaps"}}}
	dialers := []socket.Dialer{radio, dtls, udp}
	for uri, want := range map[string]string{"coap://a": "radio below <nil>", "coaps://a": "dtls below radio", "x://a": "udp below <nil>"} {
		s, remote, err := socket.Open(dialers, uri, socket.Config{})
		if err != nil {
			t.Errorf("%s: %v", uri, err)
			continue
		}
		n := s.(*nothing)
		below := "<nil>"
		if m, ok := n.config.Below.(maker); ok {
			below = m.name
		}
		if got := fmt.Sprintf("%s below %s", n.dialer, below); got != want || remote.Host != "a" {
			t.Errorf("%s: %s to %v, want %s", uri, got, remote, want)
		}
		if scheme, _, _ := strings.Cut(uri, ":"); n.config.Scheme != scheme {
			t.Errorf("%s: the dialer is told the scheme %q", uri, n.config.Scheme)
		}
	}
	s, _, err := socket.Open(dialers, "coaps://a", socket.Config{Below: udp})
	if err != nil || s.(*nothing).config.Below.(maker).name != "udp" {
		t.Errorf("a Below that is given is not used: %v", err)
	}
	for uri, want := range map[string]string{
		"coaps+tcp://a": "import github.com/lwm2mgen/toolkit/net/tls and add tls.Dialer{}",
		"smtp://a":      "docs/porting.md",
		"nonsense":      "no scheme",
	} {
		if _, _, err := socket.Open(dialers, uri, socket.Config{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want something about %q", uri, err, want)
		}
	}
	_, _, err = socket.Open(nil, "coap://a", socket.Config{})
	if !errors.Is(err, socket.ErrNotSupported) {
		t.Errorf("no dialer: %v", err)
	}
	if _, _, err := socket.Open(dialers, "coap://a", socket.Config{LinkMTU: 1}); err == nil || !strings.Contains(err.Error(), "bad luck") {
		t.Errorf("the dialer's error is lost: %v", err)
	}
}

// empty is a dialer that breaks its contract.
type empty struct{ maker }

func (empty) NewSocket(socket.Config) (socket.Socket, error) { return nil, nil }

func TestOpenWithoutSocket(t *testing.T) {
	s, _, err := socket.Open([]socket.Dialer{empty{maker{"radio", []string{"coap"}}}}, "coap://a", socket.Config{})
	if err == nil || s != nil || !strings.Contains(err.Error(), "NewSocket of socket_test.empty returned neither") {
		t.Errorf("%v, %v", s, err)
	}
}

func TestDetect(t *testing.T) {
	if a := socket.Detect(&nothing{}); a != (socket.Abilities{}) {
		t.Errorf("a socket without abilities: %+v", a)
	}
	var count struct {
		nothing
		counting
	}
	if a := socket.Detect(&count); a.Counters == nil || a.Addresses != nil {
		t.Errorf("a socket that counts: %+v", a)
	}
	if a := socket.Detect(&shy{}); a.Counters != nil {
		t.Error("a Describer is not asked")
	}
	names := func(k socket.Kind, secured bool) string {
		var n []string
		for _, l := range (socket.Abilities{Handle: handle{}}).Lacks(k, secured) {
			if l.Lost == "" {
				t.Errorf("%s: nothing lost?", l.Ability)
			}
			n = append(n, l.Ability)
		}
		return strings.Join(n, " ")
	}
	if got := names(socket.Datagram, false); got != "Addresses Binder Alternates Counters Buffered Notifier ReceiverOff Shutdowner" {
		t.Error(got)
	}
	if got := names(socket.Stream, true); got != "Addresses Binder Alternates Counters Buffered Backlog Notifier ReceiverOff Shutdowner Session Forgetter" {
		t.Error(got)
	}
}

// TestAbilitiesAreDocumented: each ability has a row in the package's table and in the page for
// ports, with what is lost without it and gained with it.
func TestAbilitiesAreDocumented(t *testing.T) {
	table, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/porting.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[socket.Abilities]()) {
		if !bytes.Contains(table, []byte("\n//\t"+f.Name+" ")) {
			t.Errorf("%s is not in the package's table", f.Name)
		}
		if !bytes.Contains(page, []byte("\n| `"+f.Name+"` | ")) {
			t.Errorf("%s is not in docs/porting.md", f.Name)
		}
	}
}

type handle struct{}

func (handle) SystemHandle(func(uintptr)) error { return nil }

type counting struct{}

func (counting) BytesSent() uint64     { return 1 }
func (counting) BytesReceived() uint64 { return 2 }

type shy struct {
	nothing
	counting
}

func (shy) Abilities() socket.Abilities { return socket.Abilities{} }
