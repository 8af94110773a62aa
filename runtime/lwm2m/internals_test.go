package lwm2m

import (
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func TestCoreVersion(t *testing.T) {
	for _, c := range []struct {
		object dm.ObjectID
		v10    registry.Version
		v11    registry.Version
		v12    registry.Version
	}{
		{1, registry.V(1, 0), registry.V(1, 1), registry.V(1, 2)},
		{2, registry.V(1, 0), registry.V(1, 0), registry.V(1, 1)},
		{3, registry.V(1, 0), registry.V(1, 1), registry.V(1, 2)},
		{4, registry.V(1, 0), registry.V(1, 2), registry.V(1, 3)},
		{5, registry.V(1, 0), registry.V(1, 0), registry.V(1, 1)},
		{6, registry.V(1, 0), registry.V(1, 0), registry.V(1, 0)},
		{3303, registry.V(1, 0), registry.V(1, 0), registry.V(1, 0)},
	} {
		for enabler, want := range map[registry.Version]registry.Version{registry.V(1, 0): c.v10, registry.V(1, 1): c.v11, registry.V(1, 2): c.v12} {
			if got := coreVersion(c.object, enabler); got != want {
				t.Errorf("object %d of LwM2M %v is %v, want %v", c.object, enabler, got, want)
			}
		}
	}
}

func TestBindingFor(t *testing.T) {
	for _, c := range []struct {
		binding  string
		queue    bool
		v10, v11 string
	}{
		{"U", false, "U", "U"}, {"U", true, "UQ", "U"}, {"UQ", false, "UQ", "U"}, {"US", true, "UQS", "US"},
		{"S", true, "SQ", "S"}, {"UQS", false, "UQS", "US"}, {"UT", true, "UT", "UT"}, {"", false, "", ""},
	} {
		if got := bindingFor(c.binding, c.queue, registry.V(1, 0)); got != c.v10 {
			t.Errorf("binding %q, queue mode %v in 1.0 is %q, want %q", c.binding, c.queue, got, c.v10)
		}
		if got := bindingFor(c.binding, c.queue, registry.V(1, 2)); got != c.v11 {
			t.Errorf("binding %q, queue mode %v in 1.2 is %q, want %q", c.binding, c.queue, got, c.v11)
		}
	}
}

func TestUpdateIn(t *testing.T) {
	for lifetime, want := range map[time.Duration]time.Duration{
		time.Second: time.Second / 2, 185 * time.Second: 185 * time.Second / 2, 186 * time.Second: 93 * time.Second, 24 * time.Hour: 24*time.Hour - 93*time.Second,
	} {
		if got, ends := updateIn(lifetime, coap.Params{}); !ends || got != want {
			t.Errorf("lifetime %v: update in %v, %v, want %v", lifetime, got, ends, want)
		}
	}
	if _, ends := updateIn(0, coap.Params{}); ends {
		t.Error("a registration without end is to be updated")
	}
}

// An attempt that fails is followed by another until those of each sequence, and all sequences, have failed.
func TestRetrySequences(t *testing.T) {
	const s = time.Second
	type step struct {
		pause time.Duration
		more  bool
	}
	for _, c := range []struct {
		name   string
		policy retryPolicy
		want   []step
	}{
		{"three sequences of two", retryPolicy{count: 2, timer: 10 * s, delay: 100 * s, sequences: 3},
			[]step{{10 * s, true}, {100 * s, true}, {10 * s, true}, {100 * s, true}, {10 * s, true}, {100 * s, false},
				{10 * s, true}, {100 * s, true}, {10 * s, true}, {100 * s, true}, {10 * s, true}, {100 * s, false}}},
		{"one of each", retryPolicy{count: 1, timer: 10 * s, delay: 100 * s, sequences: 1}, []step{{100 * s, false}, {100 * s, false}}},
		{"none of each is one", retryPolicy{timer: 10 * s, delay: 100 * s}, []step{{100 * s, false}, {100 * s, false}}},
		{"no sequence after the first", retryPolicy{count: 2, timer: 10 * s, delay: 100 * s, sequences: 3, lastOne: true},
			[]step{{10 * s, true}, {100 * s, false}}},
	} {
		var r retry
		for i, want := range c.want {
			if pause, more := r.failed(c.policy); pause != want.pause || more != want.more || r.total != i+1 {
				t.Errorf("%s, attempt %d: %v, %v, in all %d, want %v", c.name, i+1, pause, more, r.total, want)
			}
		}
	}
}

// Nothing a server can write makes a pause overflow.
func TestRetryExtremes(t *testing.T) {
	var r retry
	p := retryPolicy{count: 1 << 63, timer: seconds(1 << 40), delay: seconds(1<<64 - 1), sequences: 1 << 63}
	for i := range 200 {
		if pause, more := r.failed(p); !more || pause <= 0 || pause > maxPause {
			t.Fatalf("attempt %d: %v, %v", i, pause, more)
		}
	}
	for n := range uint64(100) {
		if d := backoff(time.Second, n); d < time.Second || d > maxPause {
			t.Fatalf("1 s doubled %d times is %v", n, d)
		}
	}
	if d := backoff(0, 1<<63); d != 0 {
		t.Errorf("nothing doubled is %v", d)
	}
}

// A loop that is driven by Serve alone keeps no connection that is over, however many there were.
func TestReadyForgets(t *testing.T) {
	l, err := NewLoop(LoopConfig{})
	if err != nil {
		t.Fatal(err)
	}
	var all []*Socket
	for range 100 {
		s := &Socket{loop: l}
		all = append(all, s)
		l.markReady(s)
	}
	for range 50 {
		l.nextReady()
	}
	for _, s := range all {
		l.unmarkReady(s)
		l.markReady(s) // told too late
	}
	if n := len(l.ready) - l.head; n != 0 || l.queued.Load() != 0 || l.nextReady() != nil {
		t.Errorf("%d sockets are left, %d by count", n, l.queued.Load())
	}
	s := &Socket{loop: l}
	l.markReady(s)
	if l.nextReady() != s || l.nextReady() != nil {
		t.Error("the queue does not go on")
	}
}
