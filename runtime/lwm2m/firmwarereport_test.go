package lwm2m_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate/pull"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// startUpdating starts a device whose firmware is updated by a restart. Results come on the
// returned channel.
func (l *lives) startUpdating(f *flash, bootID string) (*firmwareupdate.Updater, <-chan firmwareupdate.Status) {
	l.t.Helper()
	results := make(chan firmwareupdate.Status, 10)
	u, err := firmwareupdate.New(firmwareupdate.Config{
		Installer: restarting{f}, Storage: f, Store: l.store, Logger: quiet(),
		Installed: func(image *firmwareupdate.Image) bool { return f.version == image.Version },
		Changed: func(s firmwareupdate.Status) {
			if s.State == 0 {
				results <- s
			}
		},
	})
	must(l.t, err)
	cfg := l.config()
	cfg.BootID = bootID
	cfg.Objects = append(cfg.Objects, u)
	l.start(cfg)
	time.Sleep(5 * time.Second)
	return u, results
}

// install lets the server push an image and execute Update, until the device is about to restart.
func (l *lives) install(version string) {
	l.t.Helper()
	d, ctx := l.server.WaitRegistered("dev"), context.Background()
	a, err := d.Write(ctx, "/5/0/0", content.Opaque, firmwareImage(version, 3000))
	changed(l.t, a, a.Code, coap.Changed, err)
	time.Sleep(5 * time.Second)
	a, err = d.Execute(ctx, "/5/0/2", "")
	changed(l.t, a, a.Code, coap.Changed, err)
	time.Sleep(5 * time.Second)
	if a, err := d.Read(ctx, "/5/0/3", content.Text); err != nil || a.Text() != "3" {
		l.t.Fatalf("State is %v (%v), want 3", a, err)
	}
}

// After the restart that an installation makes, a server which observes the result is notified of
// it. If the whole device restarts, so that observations are forgotten, a Send reports it.
func TestFirmwareReports(t *testing.T) {
	for _, secured := range []bool{false, true} {
		for name, bootID := range map[string]string{"the program restarts": "boot-1", "the device restarts": "boot-2"} {
			t.Run(name+map[bool]string{true: ", secured"}[secured], func(t *testing.T) {
				inLives(t, secured, func(l *lives) {
					f := &flash{version: "1.0"}
					u, _ := l.startUpdating(f, "boot-1")
					ctx := context.Background()
					obs, _, err := l.server.WaitRegistered("dev").Observe(ctx, "/5/0/5", content.Text)
					must(t, err)
					l.install("2.0")
					l.detach()
					must(t, u.Close())
					time.Sleep(time.Minute)

					u, results := l.startUpdating(f, bootID)
					defer func() { must(t, u.Close()) }()
					if s := <-results; s != (firmwareupdate.Status{State: 0, Result: 1}) {
						t.Errorf("the device has the result %v", s)
					}
					if bootID == "boot-1" {
						if a, err := l.next(obs); err != nil || a.Text() != "1" {
							t.Errorf("the server is notified of %v (%v), want the result 1", a, err)
						}
						return
					}
					batch := &lwm2m.Batch{Defer: true, Format: content.SenMLJSON}
					batch.Add(dm.ResourcePath(5, 0, 3), dm.ResourcePath(5, 0, 5))
					_, err = l.client.Send(ctx, 1, batch)
					must(t, err)
					for report := range l.server.WaitRegistered("dev").Sends(ctx) {
						if got := report.Text(); got != `[{"bn":"/5/0/","n":"3","v":0},{"n":"5","v":1}]` {
							t.Errorf("the server receives %s", got)
						}
						break
					}
				})
			})
		}
	}
}

// slowStore takes a while for each batch.
type slowStore struct{ store.Store }

func (s slowStore) Apply(changes ...store.Change) error {
	time.Sleep(2 * time.Second)
	return s.Store.Apply(changes...)
}

// A server that reads State right after it has written Package URI or Package is told of the update
// that it has begun, and that is in the store by then.
func TestFirmwareStoredBeforeTheAnswer(t *testing.T) {
	inLives(t, false, func(l *lives) {
		f := &flash{version: "1.0"}
		client, err := download.New(download.Config{Dialers: []socket.Dialer{l.host.Dialer()}, Logger: quiet()})
		must(t, err)
		defer client.Close()
		u, err := firmwareupdate.New(firmwareupdate.Config{Installer: f, Storage: f, Store: slowStore{l.store}, Logger: quiet(),
			Downloader: pull.New(client, download.Records{})})
		must(t, err)
		defer u.Close()
		cfg := l.config()
		cfg.Objects = append(cfg.Objects, u)
		l.start(cfg)
		d, ctx := l.server.WaitRegistered("dev"), context.Background()
		for path, payload := range map[string][]byte{"/5/0/0": firmwareImage("2.0", 300), "/5/0/1": []byte("coap://nowhere/2.0")} {
			format := map[string]content.Format{"/5/0/0": content.Opaque, "/5/0/1": content.Text}[path]
			a, err := d.Write(ctx, path, format, payload)
			changed(t, a, a.Code, coap.Changed, err)
			if a, err := d.Read(ctx, "/5/0/3", content.Text); err != nil || a.Text() != "1" {
				t.Errorf("State after %s is %v (%v), want 1", path, a, err)
			}
			l.store.mu.Lock()
			got := string(l.store.records["firmwareupdate"])
			l.store.mu.Unlock()
			if strings.Contains(got, `"phase":0`) || got == "" {
				t.Errorf("after %s the store holds %s", path, got)
			}
			time.Sleep(time.Minute)
			a, err = d.Write(ctx, "/5/0/1", content.Text, nil)
			changed(t, a, a.Code, coap.Changed, err)
			time.Sleep(time.Minute)
		}
	})
}
