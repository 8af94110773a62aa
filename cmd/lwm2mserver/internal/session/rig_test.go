package session

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/cmd/lwm2mserver/internal/script"
	"github.com/lwm2mgen/toolkit/internal/names"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
	"github.com/lwm2mgen/toolkit/runtime/objects/advancedfirmware"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate/pull"
	"github.com/lwm2mgen/toolkit/runtime/objects/softwaremanagement"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

var book = sync.OnceValues(names.NewBook)

// bench is a session on a server, and a device that receives images, in virtual time.
type bench struct {
	t           *testing.T
	net         *simnet.Network
	cloud, site *simnet.Host
	server      *lwm2mserver.Server
	session     *Session
	flash       *flash
	records     *records
	dir         string
	// update and client configure the next start of the device.
	update firmwareupdate.Config
	client lwm2m.Config

	device *lwm2m.Client // while it runs

	mu  sync.Mutex
	out strings.Builder
}

// onBench runs a test in virtual time. The packets of the network take 47 ms, so that a block takes
// 94 ms, and ends at no full second.
func onBench(t *testing.T, fn func(b *bench)) {
	t.Helper()
	if _, err := book(); err != nil { // outside of the bubble, which others share
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) { fn(newBench(t)) })
}

func newBench(t *testing.T) *bench {
	n := simnet.New(1)
	b := &bench{
		t: t, net: n, cloud: n.NewHost("cloud"), site: n.NewHost("site"), dir: t.TempDir(),
		flash: &flash{version: "1.0"}, records: &records{values: map[string][]byte{}},
	}
	must(t, n.SetLink(b.cloud, b.site, simnet.Link{Delay: 47 * time.Millisecond}))
	must(t, n.SetLink(b.site, b.cloud, simnet.Link{Delay: 47 * time.Millisecond}))
	udp, err := b.cloud.Listen(5683)
	must(t, err)
	tcp, err := b.cloud.ListenStream(5683)
	must(t, err)
	b.server, err = lwm2mserver.New(lwm2mserver.Config{Listeners: []socket.Listener{udp, tcp}})
	must(t, err)
	t.Cleanup(b.server.Close)
	known, err := book()
	must(t, err)
	b.server.Define(known.Definitions()...)
	b.open(nil)
	b.update = firmwareupdate.Config{
		Installer: b.flash, Storage: b.flash, Store: b.records, Logger: slog.New(slog.DiscardHandler),
		Installed: func(image *firmwareupdate.Image) bool { return b.flash.runs(image.Version) },
	}
	b.client = lwm2m.Config{
		Endpoint: "dev", Servers: []lwm2m.Server{{URI: "coap://cloud", Lifetime: time.Hour}},
		Dialers: []socket.Dialer{b.site.Dialer(), b.site.StreamDialer()}, Logger: slog.New(slog.DiscardHandler),
	}
	return b
}

// open opens the session. width returns the columns of the terminal; nil means that the output is
// none.
func (b *bench) open(width func() int) {
	known, err := book()
	must(b.t, err)
	files := script.NewFiles(func(string, string) ([]dm.Entry, error) { return nil, errors.New("no file") })
	b.session = New(Config{
		Server: b.server, Book: known, Scripts: files, Timeout: 30 * time.Second, Print: NewPrinter(b, width).Print,
	})
	b.t.Cleanup(b.session.Close)
}

// Write collects what the session prints.
func (b *bench) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.Write(p)
}

// pulls lets the device download images.
func (b *bench) pulls() {
	client, err := download.New(download.Config{Dialers: b.client.Dialers, Logger: slog.New(slog.DiscardHandler)})
	must(b.t, err)
	b.t.Cleanup(func() { must(b.t, client.Close()) })
	b.update.Downloader = pull.New(client, download.Records{})
}

// start starts the device and waits until it is registered. halt ends it in order.
func (b *bench) start() (halt func()) {
	b.t.Helper()
	update, err := firmwareupdate.New(b.update)
	must(b.t, err)
	b.client.Objects = []dm.Object{update}
	stop := b.run()
	return func() {
		stop()
		must(b.t, update.Close())
	}
}

// run runs the device with b.client.
func (b *bench) run() (stop func()) {
	b.t.Helper()
	client, err := lwm2m.New(b.client)
	must(b.t, err)
	b.device = client
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- client.Run(ctx) }()
	_, err = b.server.WaitRegistered(b.t.Context(), "dev")
	must(b.t, err)
	return func() {
		cancel()
		must(b.t, <-ended)
	}
}

// image writes an image of n bytes to a file and returns its name. The first line is the version.
func (b *bench) image(version string, n int) string {
	b.t.Helper()
	content := append([]byte(version+"\n"), bytes.Repeat([]byte{'x'}, n-len(version)-1)...)
	name := filepath.Join(b.dir, "fw-"+version+".bin")
	must(b.t, os.WriteFile(name, content, 0o600))
	return name
}

// rates are the rate and the time left in the progress of a transfer.
var rates = regexp.MustCompile(`, \d\S* k?B/s(, .* left)?`)

// runs fails unless a command prints the lines, rates aside if they have none, and ends with an
// error that contains a text. An empty text means no error.
func (b *bench) runs(command, wantErr string, want ...string) {
	b.t.Helper()
	err := b.session.Run(b.t.Context(), command)
	if wantErr == "" && err != nil || wantErr != "" && (err == nil || !strings.Contains(err.Error(), wantErr)) {
		b.t.Errorf("%s: %v, want %q", command, err, wantErr)
	}
	b.printed(command, want...)
}

// printed fails unless the lines have been printed since the last call.
func (b *bench) printed(command string, want ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.out.Reset()
	got := strings.TrimSuffix(b.out.String(), "\n")
	if !rates.MatchString(strings.Join(want, "\n")) { // those of retransmissions are random
		got = rates.ReplaceAllString(got, "")
	}
	if got != strings.Join(want, "\n") {
		b.t.Errorf("%s prints\n%s\nwant\n%s", command, got, strings.Join(want, "\n"))
	}
}

// offers reports whether the server offers a file.
func (b *bench) offers(path string) bool {
	w := httptest.NewRecorder()
	b.server.FileHandler().ServeHTTP(w, httptest.NewRequest(http.MethodHead, path, nil))
	return w.Code == http.StatusOK
}

// flash holds an image in memory and installs it. The first line of an image is its version.
type flash struct {
	mu        sync.Mutex
	image     []byte
	version   string
	verifyErr error
	verifying time.Duration // how long Verify takes
	installs  func() (firmwareupdate.Outcome, error)
	writing   chan struct{} // Write waits for it, if it is set
}

func (f *flash) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.writing != nil && len(f.image) > 0 {
		<-f.writing
	}
	f.image = append(f.image, p...)
	return len(p), nil
}

func (f *flash) Sync() error { return nil }

func (f *flash) Truncate(n int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.image = f.image[:n]
	return nil
}

func (f *flash) Content() *io.SectionReader {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := bytes.Clone(f.image)
	return io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b)))
}

func (f *flash) Verify(_ context.Context, image *firmwareupdate.Image) error {
	<-time.After(f.verifying)
	b, err := io.ReadAll(image)
	version, _, _ := strings.Cut(string(b), "\n")
	image.Version = version
	return errors.Join(err, f.verifyErr)
}

func (f *flash) Install(_ context.Context, image *firmwareupdate.Image) (firmwareupdate.Outcome, error) {
	if f.installs != nil {
		return f.installs()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.version = image.Version
	return firmwareupdate.Done, nil
}

func (f *flash) runs(version string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.version == version
}

// component is a flash as an advancedfirmware.Installer.
type component struct{ *flash }

func (c component) Verify(_ context.Context, image *advancedfirmware.Image) error { return c.verifyErr }

func (c component) Install(context.Context, []*advancedfirmware.Image) (advancedfirmware.Outcome, error) {
	return advancedfirmware.Done, nil
}

// software is a flash as a softwaremanagement.Installer.
type software struct{ *flash }

func (s software) Verify(ctx context.Context, _ *softwaremanagement.Package) error {
	select {
	case <-time.After(s.verifying):
	case <-ctx.Done():
	}
	return s.verifyErr
}

func (s software) Install(_ context.Context, p *softwaremanagement.Package) (softwaremanagement.Outcome, error) {
	if s.installs != nil {
		return s.installs()
	}
	return softwaremanagement.Done, nil
}

func (s software) Activate(context.Context, softwaremanagement.Software) error   { return nil }
func (s software) Deactivate(context.Context, softwaremanagement.Software) error { return nil }

func (s software) Uninstall(context.Context, softwaremanagement.Software, bool) error { return nil }

// records is a store in memory.
type records struct {
	mu     sync.Mutex
	values map[string][]byte
}

func (r *records) Apply(changes ...store.Change) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range changes {
		r.values[c.Name] = bytes.Clone(c.Value)
	}
	return nil
}

func (r *records) Load(prefix string, f func(string, []byte) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, v := range r.values {
		if strings.HasPrefix(name, prefix) {
			if err := f(name, v); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *records) Close() error { return nil }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
