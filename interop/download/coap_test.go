package download

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/mux"
	coapnet "github.com/plgd-dev/go-coap/v3/net"
	"github.com/plgd-dev/go-coap/v3/net/blockwise"
	"github.com/plgd-dev/go-coap/v3/options"
	"github.com/plgd-dev/go-coap/v3/tcp"
	"github.com/plgd-dev/go-coap/v3/udp"
)

// startLibcoap runs coap-server with an image that coap-client has put there, and returns its port.
// TLS is at the next one.
func startLibcoap(t *testing.T, args ...string) int {
	t.Helper()
	server := program(t, "coap-server-openssl", "coap-server-gnutls", "coap-server")
	client := program(t, "coap-client-notls", "coap-client")
	port := freePort(t)
	args = append(args, "-A", "127.0.0.1", "-p", fmt.Sprint(port), "-d", "10", "-v", "3", "-k", string(key))
	serve(t, fmt.Sprintf("127.0.0.1:%d", port), exec.CommandContext(t.Context(), server, args...))
	file := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(file, image(size), 0o600); err != nil {
		t.Fatal(err)
	}
	uri := fmt.Sprintf("coap+tcp://127.0.0.1:%d/fw.bin", port)
	if out, err := exec.CommandContext(t.Context(), client, "-m", "put", "-f", file, "-b", "1024", uri).CombinedOutput(); err != nil {
		t.Fatalf("coap-client: %v\n%s", err, out)
	}
	return port
}

// TestLibcoap downloads from a server that makes a new ETag for each transfer: after a restart the
// download starts again.
func TestLibcoap(t *testing.T) {
	t.Parallel()
	port := startLibcoap(t)
	for scheme, port := range map[string]int{"coap": port, "coap+tcp": port, "coaps": port + 1} {
		t.Run(scheme, func(t *testing.T) {
			d := &device{t: t, uri: fmt.Sprintf("%s://127.0.0.1:%d/fw.bin", scheme, port)}
			d.restart(false)
		})
	}
}

// TestLibcoapWithLoss downloads from a server that loses 5 % of its datagrams.
func TestLibcoapWithLoss(t *testing.T) {
	t.Parallel()
	d := &device{t: t, uri: fmt.Sprintf("coap://127.0.0.1:%d/fw.bin", startLibcoap(t, "-l", "5%"))}
	d.restart(false)
}

// goCoAP serves an image, with an ETag.
type goCoAP struct{ t *testing.T }

func (s goCoAP) ServeCOAP(w mux.ResponseWriter, r *mux.Message) {
	err := w.SetResponse(codes.Content, message.AppOctets, bytes.NewReader(image(size)),
		message.Option{ID: message.ETag, Value: []byte("v1")})
	if err != nil {
		s.t.Error(err)
	}
}

// TestGoCoAP downloads from a server whose blocks may be smaller than the device asks for.
func TestGoCoAP(t *testing.T) {
	t.Parallel()
	for _, szx := range []blockwise.SZX{blockwise.SZX1024, blockwise.SZX128} {
		t.Run(fmt.Sprintf("coap in blocks of %d", szx.Size()), func(t *testing.T) {
			l, err := coapnet.NewListenUDP("udp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			server := udp.NewServer(options.WithMux(goCoAP{t}), options.WithMaxMessageSize(2<<20),
				options.WithBlockwise(true, szx, 30*time.Second))
			go func() { _ = server.Serve(l) }()
			t.Cleanup(server.Stop)
			d := &device{t: t, uri: "coap://" + l.LocalAddr().String() + "/fw.bin"}
			d.restart(true)
			d.end()
		})
		t.Run(fmt.Sprintf("coap+tcp in blocks of %d", szx.Size()), func(t *testing.T) {
			l, err := coapnet.NewTCPListener("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			server := tcp.NewServer(options.WithMux(goCoAP{t}), options.WithMaxMessageSize(2<<20),
				options.WithBlockwise(true, szx, 30*time.Second))
			go func() { _ = server.Serve(l) }()
			t.Cleanup(func() { server.Stop(); _ = l.Close() })
			d := &device{t: t, uri: "coap+tcp://" + l.Addr().String() + "/fw.bin"}
			d.restart(true)
			d.end()
		})
	}
}
