package coap

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	piondtls "github.com/pion/dtls/v3"
	coapdtls "github.com/plgd-dev/go-coap/v3/dtls"
	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/message/pool"
	"github.com/plgd-dev/go-coap/v3/mux"
	coapnet "github.com/plgd-dev/go-coap/v3/net"
	"github.com/plgd-dev/go-coap/v3/net/blockwise"
	"github.com/plgd-dev/go-coap/v3/options"
	"github.com/plgd-dev/go-coap/v3/tcp"
	"github.com/plgd-dev/go-coap/v3/udp"

	"github.com/lwm2mgen/toolkit/runtime/coap"
)

// theirStore is the handler of go-coap's server.
type theirStore struct {
	t      *testing.T
	mu     sync.Mutex
	values map[string][]byte
	bye    chan struct{} // a deregistration has arrived
}

func (s *theirStore) ServeCOAP(w mux.ResponseWriter, r *mux.Message) {
	path, err := r.Path()
	if err != nil {
		s.t.Error(err)
	}
	body, err := r.ReadBody()
	if err != nil {
		s.t.Error(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	set := func(code codes.Code, b []byte) {
		if err := w.SetResponse(code, message.AppOctets, bytes.NewReader(b)); err != nil {
			s.t.Error(err)
		}
	}
	observe, err := r.Observe()
	switch {
	case r.Code() == codes.GET && path == "/tick" && err == nil && observe == 0:
		go s.tick(w.Conn(), bytes.Clone(r.Token()))
	case r.Code() == codes.GET && path == "/tick":
		set(codes.Content, []byte("plain"))
		close(s.bye)
	case r.Code() == codes.GET && s.values[path] == nil:
		set(codes.NotFound, nil)
	case r.Code() == codes.GET:
		set(codes.Content, s.values[path])
	case r.Code() == codes.PUT:
		s.values[path] = bytes.Clone(body)
		set(codes.Changed, nil)
	default:
		set(codes.Content, body)
	}
}

func (s *theirStore) tick(cc mux.Conn, token []byte) {
	for i := range 5 {
		m := cc.AcquireMessage(cc.Context())
		m.SetCode(codes.Content)
		m.SetToken(token)
		m.SetObserve(uint32(i + 2))
		m.SetBody(bytes.NewReader([]byte{'0' + byte(i)}))
		if err := cc.WriteMessage(m); err != nil {
			s.t.Error(err)
		}
		cc.ReleaseMessage(m)
		<-time.After(20 * time.Millisecond)
	}
}

// serveTheirs runs go-coap's server.
func serveTheirs(t *testing.T, network string, s *theirStore) string {
	t.Helper()
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait)
	if network == "dtls" {
		l, err := coapnet.NewDTLSListener("udp", "127.0.0.1:0", coapnet.NewDTLSServerOptions(
			piondtls.WithPSK(func(id []byte) ([]byte, error) {
				if string(id) != string(identity) {
					return nil, errors.New("unknown identity")
				}
				return key, nil
			}),
			piondtls.WithCipherSuites(piondtls.TLS_PSK_WITH_AES_128_CCM_8)))
		if err != nil {
			t.Fatal(err)
		}
		server := coapdtls.NewServer(options.WithMux(s), options.WithMaxMessageSize(2<<20),
			options.WithBlockwise(true, blockwise.SZX1024, 30*time.Second))
		wg.Go(func() { _ = server.Serve(l) })
		t.Cleanup(func() { server.Stop(); _ = l.Close() })
		return l.Addr().String()
	}
	if network == "udp" {
		l, err := coapnet.NewListenUDP("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := udp.NewServer(options.WithMux(s), options.WithMaxMessageSize(2<<20),
			options.WithBlockwise(true, blockwise.SZX1024, 30*time.Second))
		wg.Go(func() { _ = server.Serve(l) })
		t.Cleanup(server.Stop)
		return l.LocalAddr().String()
	}
	l, err := coapnet.NewTCPListener("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := tcp.NewServer(options.WithMux(s), options.WithMaxMessageSize(2<<20),
		options.WithBlockwise(true, blockwise.SZX1024, 30*time.Second))
	wg.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() { server.Stop(); _ = l.Close() })
	return l.Addr().String()
}

func TestOurClientWithGoCoAP(t *testing.T) {
	for _, network := range []string{"udp", "tcp", "dtls"} {
		t.Run(network, func(t *testing.T) {
			s := &theirStore{t: t, values: map[string][]byte{"/small": []byte("22.5"), "/large": pattern(megabyte)}, bye: make(chan struct{})}
			g := start(t, dial(t, network, serveTheirs(t, network, s)), nil)
			if a := g.request(coap.GET, "/small", nil); a.err != nil || a.code != coap.Content || string(a.body) != "22.5" || a.format != 42 {
				t.Fatalf("small: %+v", a)
			}
			if a := g.request(coap.GET, "/none", nil); a.err != nil || a.code != coap.NotFound {
				t.Fatalf("none: %+v", a)
			}
			if a := g.request(coap.GET, "/large", nil); a.err != nil || !bytes.Equal(a.body, pattern(megabyte)) {
				t.Fatalf("large: %v, %v, %d bytes", a.err, a.code, len(a.body))
			}
			body := pattern(megabyte + 5)
			if a := g.request(coap.PUT, "/put", body); a.err != nil || a.code != coap.Changed {
				t.Fatalf("put: %+v", a)
			}
			s.mu.Lock()
			if !bytes.Equal(s.values["/put"], body) {
				t.Errorf("%d bytes arrived", len(s.values["/put"]))
			}
			s.mu.Unlock()
			if a := g.request(coap.POST, "/echo", pattern(10000)); a.err != nil || !bytes.Equal(a.body, pattern(10000)) {
				t.Fatalf("echo: %v, %v, %d bytes", a.err, a.code, len(a.body))
			}
			call, notes := g.observe("/tick")
			for i := range byte(5) {
				if a := next(t, notes); string(a.body) != string('0'+rune(i)) || a.last {
					t.Fatalf("notification %d: %+v", i, a)
				}
			}
			out := make(chan answer, 1)
			g.do(func() {
				if err := call.Deregister(func(r coap.Result) { out <- keep(r) }); err != nil {
					t.Error(err)
				}
			})
			if a := <-out; a.err != nil || string(a.body) != "plain" {
				t.Errorf("deregistration: %+v", a)
			}
			<-s.bye
			pong := make(chan error, 1)
			g.do(func() {
				if err := g.conn.Ping(func(err error) { pong <- err }); err != nil {
					t.Error(err)
				}
			})
			if err := <-pong; err != nil {
				t.Errorf("ping: %v", err)
			}
		})
	}
}

// theirClient has the methods that go-coap's UDP and TCP connections share.
type theirClient interface {
	Get(ctx context.Context, path string, opts ...message.Option) (*pool.Message, error)
	Put(ctx context.Context, path string, contentFormat message.MediaType, payload io.ReadSeeker, opts ...message.Option) (*pool.Message, error)
	Post(ctx context.Context, path string, contentFormat message.MediaType, payload io.ReadSeeker, opts ...message.Option) (*pool.Message, error)
	Delete(ctx context.Context, path string, opts ...message.Option) (*pool.Message, error)
	Observe(ctx context.Context, path string, f func(*pool.Message), opts ...message.Option) (mux.Observation, error)
	Ping(ctx context.Context) error
	Close() error
}

func dialTheirs(t *testing.T, network, addr string) theirClient {
	t.Helper()
	if network == "dtls" {
		c, err := coapdtls.Dial(addr, coapdtls.NewDTLSClientOptions(
			piondtls.WithPSK(func([]byte) ([]byte, error) { return key, nil }),
			piondtls.WithPSKIdentityHint(identity),
			piondtls.WithCipherSuites(piondtls.TLS_PSK_WITH_AES_128_CCM_8)),
			options.WithMaxMessageSize(2<<20), options.WithBlockwise(true, blockwise.SZX1024, 30*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if network == "udp" {
		c, err := udp.Dial(addr, options.WithMaxMessageSize(2<<20), options.WithBlockwise(true, blockwise.SZX1024, 30*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c, err := tcp.Client(conn, options.WithMaxMessageSize(2<<20), options.WithBlockwise(true, blockwise.SZX1024, 30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestGoCoAPWithOurServer(t *testing.T) {
	for _, network := range []string{"udp", "tcp", "dtls"} {
		t.Run(network, func(t *testing.T) {
			s := newStore(t)
			c := dialTheirs(t, network, serve(t, network, s))
			defer c.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			read := func(m *pool.Message, err error) ([]byte, codes.Code) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
				b, err := m.ReadBody()
				if err != nil {
					t.Fatal(err)
				}
				return b, m.Code()
			}
			if b, code := read(c.Get(ctx, "/small")); string(b) != "22.5" || code != codes.Content {
				t.Errorf("small: %v %q", code, b)
			}
			if _, code := read(c.Get(ctx, "/none")); code != codes.NotFound {
				t.Errorf("none: %v", code)
			}
			if b, _ := read(c.Get(ctx, "/large")); !bytes.Equal(b, pattern(megabyte)) {
				t.Errorf("large: %d bytes", len(b))
			}
			body := pattern(megabyte + 5)
			if _, code := read(c.Put(ctx, "/put", message.AppOctets, bytes.NewReader(body))); code != codes.Changed {
				t.Errorf("put: %v", code)
			}
			if b, _ := read(c.Get(ctx, "/put")); !bytes.Equal(b, body) {
				t.Errorf("put: %d bytes came back", len(b))
			}
			if b, _ := read(c.Post(ctx, "/echo", message.AppOctets, bytes.NewReader(pattern(10000)))); !bytes.Equal(b, pattern(10000)) {
				t.Errorf("echo: %d bytes", len(b))
			}
			if _, code := read(c.Delete(ctx, "/put")); code != codes.Deleted {
				t.Errorf("delete: %v", code)
			}
			notes := make(chan []byte, 10)
			o, err := c.Observe(ctx, "/tick", func(m *pool.Message) {
				b, err := m.ReadBody()
				if err != nil {
					t.Error(err)
				}
				notes <- b
			})
			if err != nil {
				t.Fatal(err)
			}
			for i := range byte(5) {
				select {
				case b := <-notes:
					if string(b) != string('0'+rune(i)) {
						t.Errorf("notification %d: %q", i, b)
					}
				case <-ctx.Done():
					t.Fatal("no notification")
				}
			}
			if err := o.Cancel(ctx); err != nil {
				t.Errorf("cancel: %v", err)
			}
			if why := <-s.ends; why != coap.ObserveDeregistered {
				t.Errorf("the observation ended: %v", why)
			}
			if err := c.Ping(ctx); err != nil {
				t.Errorf("ping: %v", err)
			}
		})
	}
}
