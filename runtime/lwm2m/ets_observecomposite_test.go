package lwm2m_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// compositeWatch is a composite observation with the time of its last message.
type compositeWatch struct {
	*watch
	format content.Format
}

// observesComposite begins a composite observation of paths to which pmin and pmax are attached.
// Its response must have the values of the paths.
func (m *managed) observesComposite(f content.Format, set []string, paths ...string) *compositeWatch {
	m.t.Helper()
	for _, p := range paths {
		m.attributes(p, set...)
	}
	obs, a, err := m.dev.ObserveComposite(context.Background(), f, paths)
	if err != nil || a.Code != coap.Content || a.Format != f {
		m.t.Fatalf("Observe-Composite: %v in %v (%v)", a, a.Format, err)
	}
	m.same("the response", m.values(a), m.of(paths...))
	return &compositeWatch{&watch{m, obs, time.Now()}, f}
}

// after fails unless the next notification arrives after d, with these values.
func (w *compositeWatch) after(d time.Duration, want []string) {
	w.m.t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), time.Hour)
	defer stop()
	a, err := w.obs.Next(ctx)
	if err != nil || a.Code != coap.Content || a.Format != w.format || time.Since(w.at) != d {
		w.m.t.Errorf("notified %v in %v (%v) after %v, want %v", a, a.Format, err, time.Since(w.at), d)
	}
	w.m.same("the notification", w.m.values(a), want)
	w.at = time.Now()
}

// onComposites runs a case with each format that every version supports for composites.
func onComposites(t *testing.T, fn func(m *managed, f content.Format)) {
	t.Helper()
	for _, f := range compositeFormats {
		onManaged(t, func(m *managed) { fn(m, f) })
	}
}

// fail sets the error codes of the device, as the application.
func (m *managed) fail(codes ...int64) {
	m.t.Helper()
	must(m.t, m.object.Update(context.Background(), 0, func(i *device.Instance) error {
		for n, code := range codes {
			i.ErrorCode.Set(dm.ResourceInstanceID(n), code)
		}
		return nil
	}))
}

var halfMinute = []string{"pmin=30", "pmax=45"}

func TestETS_1_1_int_304_ObserveComposite(t *testing.T) {
	onComposites(t, func(m *managed, f content.Format) {
		paths := []string{"/1/0/1", "/3/0/11/0", "/3/0/16"}
		w := m.observesComposite(f, halfMinute, paths...)
		w.after(45*time.Second, m.of(paths...)) // at pmax, because nothing has changed
		<-time.After(5 * time.Second)
		m.fail(3)
		w.after(30*time.Second, m.of(paths...)) // not before pmin
		if got := m.of(paths...); !slices.Contains(got, "/3/0/11/0=3") {
			m.t.Errorf("the values are %v", got)
		}
		w.after(45*time.Second, m.of(paths...))
	})
}

func TestETS_1_1_int_305_CancelComposite(t *testing.T) {
	onComposites(t, func(m *managed, f content.Format) {
		paths := []string{"/1/0/1", "/3/0/11/0", "/3/0/16"}
		w := m.observesComposite(f, halfMinute, paths...)
		w.after(45*time.Second, m.of(paths...))
		a, err := w.obs.Cancel(context.Background()) // FETCH with the same list and Observe 1
		if err != nil || a.Code != coap.Content {
			m.t.Errorf("the cancellation was answered %v (%v)", a, err)
		}
		m.same("the response to the cancellation", m.values(a), m.of(paths...))
		sent := m.sends()
		m.fail(3)
		<-time.After(time.Hour)
		synctest.Wait()
		if n := sent.Load(); n != 0 {
			m.t.Errorf("the device sent %d datagrams after the cancellation", n)
		}
		ctx, stop := context.WithTimeout(context.Background(), time.Hour)
		defer stop()
		if _, err := w.obs.Next(ctx); !errors.Is(err, lwm2mtest.ErrEnded) {
			m.t.Errorf("the observation goes on: %v", err)
		}
	})
}

func TestETS_1_1_int_308_ObserveCompositeAndCreate(t *testing.T) {
	onComposites(t, func(m *managed, f content.Format) {
		paths := []string{"/3/0/11/0", "/16"}
		w := m.observesComposite(f, halfMinute, paths...)
		w.after(45*time.Second, m.of(paths...))
		m.answers(coap.Created, lwm2mtest.Operation{Method: coap.POST, Path: "/16", Accept: content.None,
			Format: content.SenMLJSON, Payload: []byte(`[{"n":"/16/1/0/0","vs":"new"}]`)})
		// The server is not notified of its own Create before pmax.
		w.after(45*time.Second, m.of(paths...))
		if got := m.of("/16"); !slices.Contains(got, "/16/1/0/0=new") {
			m.t.Errorf("the values are %v", got)
		}
	})
}

func TestETS_1_1_int_309_ObserveCompositeAndDelete(t *testing.T) {
	onComposites(t, func(m *managed, f content.Format) {
		m.answers(coap.Created, lwm2mtest.Operation{Method: coap.POST, Path: "/16", Accept: content.None,
			Format: content.SenMLJSON, Payload: []byte(`[{"n":"/16/1/0/0","vs":"old"}]`)})
		paths := []string{"/3/0/11/0", "/16/0", "/16/1"}
		w := m.observesComposite(f, halfMinute, paths...)
		w.after(45*time.Second, m.of(paths...))
		m.answers(coap.Deleted, lwm2mtest.Operation{Method: coap.DELETE, Path: "/16/1", Accept: content.None, Format: content.None})
		w.after(30*time.Second, m.of("/3/0/11/0", "/16/0"))
		w.after(45*time.Second, m.of("/3/0/11/0", "/16/0"))
	})
}

func TestETS_1_1_int_310_ObserveCompositeAndAttributes(t *testing.T) {
	onComposites(t, func(m *managed, f content.Format) {
		paths := []string{"/1/0/1", "/3/0/11/0", "/3/0/16"}
		w := m.observesComposite(f, halfMinute, paths...)
		w.after(45*time.Second, m.of(paths...))
		m.attributes("/3/0/11/0", "pmin=1", "pmax=5")
		for range 3 {
			w.after(5*time.Second, m.of(paths...))
		}
	})
	// LwM2M 1.2 carries them in the request.
	onVersion(t, registry.V(1, 2), func(*managed) {}, func(m *managed) {
		m.attributes("/3", "pmax=60")
		obs, a, err := m.dev.ObserveComposite(context.Background(), content.SenMLCBOR, []string{"/3/0/9", "/3/0/10"}, "pmax=5")
		if err != nil || a.Code != coap.Content {
			m.t.Fatalf("Observe-Composite: %v (%v)", a, err)
		}
		w := &compositeWatch{&watch{m, obs, time.Now()}, content.SenMLCBOR}
		for range 3 {
			w.after(5*time.Second, m.of("/3/0/9", "/3/0/10"))
		}
	})
}
