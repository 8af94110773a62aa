package lwm2m_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// A push that stops is reported as a lost connection, and the next one succeeds.
func TestFirmwarePushStops(t *testing.T) {
	onFirmware(t, func(m *updating) {
		must(m.t, m.net.SetLink(m.place, m.device, simnet.Link{Delay: 100 * time.Millisecond}))
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, err := m.dev.Write(ctx, "/5/0/0", content.Opaque, firmwareImage("2.0", 100_000))
			if err == nil {
				m.t.Error("the push has succeeded")
			}
		}()
		<-time.After(2 * time.Second)
		m.is("1", "0")
		stop()
		<-ended
		<-time.After(10 * time.Minute)
		m.is("0", "4")
		m.push(coap.Changed, firmwareImage("3.0", 5000))
		m.is("2", "0")
	})
}

// A server pushes an image that it reads block by block, and shows how far it is.
func TestPushFirmware(t *testing.T) {
	onFirmware(t, func(m *updating) {
		image := firmwareImage("2.0", 10*1024)
		var progress []int64
		a, err := m.dev.PushFirmware(context.Background(), bytes.NewReader(image), int64(len(image)),
			func(sent int64) { progress = append(progress, sent) })
		if err != nil || a.Code != coap.Changed {
			t.Fatalf("PushFirmware: %v (%v)", a, err)
		}
		if len(progress) != 9 || progress[0] != 1024 || progress[8] != 9*1024 {
			t.Errorf("progress %v", progress)
		}
		m.is("2", "0")
		a, err = m.dev.Push(context.Background(), "/5/0/0", bytes.NewReader(image), int64(len(image)), nil)
		if err != nil || a.Code != coap.MethodNotAllowed {
			t.Errorf("a second image: %v (%v)", a, err)
		}
		if uri := m.dev.ServerURI(); uri != m.server.URI() {
			t.Errorf("the device has registered over %s, want %s", uri, m.server.URI())
		}
	})
}

// After the restart that an installation needs, the server reads its result.
func TestFirmwareRestart(t *testing.T) {
	onBench(t, func(b *bench) {
		s := &memoryStore{records: map[string][]byte{}}
		f := &flash{version: "1.0"}
		boot := func() (u *firmwareupdate.Updater, halt func()) {
			var err error
			u, err = firmwareupdate.New(firmwareupdate.Config{
				Installer: restarting{f}, Storage: f, Store: s, Logger: quiet(),
				Installed: func(image *firmwareupdate.Image) bool { return f.version == image.Version },
			})
			must(t, err)
			cfg := b.cfg
			cfg.Objects = []dm.Object{newDevice(t), u}
			client, err := lwm2m.New(cfg)
			must(t, err)
			ctx, stop := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() { ended <- client.Run(ctx) }()
			return u, func() {
				stop()
				must(t, <-ended)
				must(t, u.Close())
			}
		}
		read := func(want string) {
			t.Helper()
			<-time.After(5 * time.Second)
			a, err := b.server.WaitRegistered("dev").Read(context.Background(), "/5/0", content.SenMLJSON)
			if err != nil || !strings.Contains(a.Text(), want) {
				t.Errorf("the object is %v (%v), want %s", a, err, want)
			}
		}
		_, halt := boot()
		a, err := b.server.WaitRegistered("dev").Write(context.Background(), "/5/0/0", content.Opaque, firmwareImage("2.0", 3000))
		if err != nil || a.Code != coap.Changed {
			t.Fatalf("push: %v (%v)", a, err)
		}
		<-time.After(5 * time.Second)
		a, err = b.server.WaitRegistered("dev").Execute(context.Background(), "/5/0/2", "")
		if err != nil || a.Code != coap.Changed {
			t.Fatalf("Update: %v (%v)", a, err)
		}
		read(`{"n":"3","v":3},{"n":"5","v":0}`)
		halt()
		u, halt := boot()
		defer halt()
		read(`{"n":"3","v":0},{"n":"5","v":1}`)
		if got := u.Status(); got != (firmwareupdate.Status{State: 0, Result: 1}) || f.version != "2.0" {
			t.Errorf("status %v, %s runs", got, f.version)
		}
	})
}

// restarting is a flash whose firmware runs after a restart.
type restarting struct{ *flash }

func (r restarting) Install(ctx context.Context, image *firmwareupdate.Image) (firmwareupdate.Outcome, error) {
	_, err := r.flash.Install(ctx, image)
	return firmwareupdate.Restarting, err
}

// memoryStore is a store in memory.
type memoryStore struct {
	mu      sync.Mutex
	records map[string][]byte
}

func (s *memoryStore) Apply(changes ...store.Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range changes {
		s.records[c.Name] = bytes.Clone(c.Value)
	}
	return nil
}

func (s *memoryStore) Load(prefix string, f func(string, []byte) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, v := range s.records {
		if strings.HasPrefix(name, prefix) {
			if err := f(name, v); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *memoryStore) Close() error { return nil }
