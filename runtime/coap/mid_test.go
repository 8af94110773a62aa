package coap

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// Lifetimes of message IDs with the default parameters (RFC 7252 §4.8.2).
const (
	exchangeLifetime = sched.Time(247 * time.Second)
	nonLifetime      = sched.Time(145 * time.Second)
)

var midLifetimes = [midKinds]sched.Time{midNon: nonLifetime, midCon: exchangeLifetime, midHigh: exchangeLifetime}

// TestMessageIDLifetimes uses message IDs of all kinds at random rates and checks that none is used
// again within its lifetime.
func TestMessageIDLifetimes(t *testing.T) {
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 1))
		a := midAllocator{start: uint16(rng.Uint32())}
		var until [1 << 16]sched.Time
		now, used, refused := sched.Time(0), 0, 0
		for range 200000 {
			now += sched.Time(rng.Int64N(int64(4 * time.Millisecond)))
			kind := midKind(min(rng.IntN(20), 2))
			if seed%2 == 0 {
				kind = []midKind{midNon, midNon, midCon}[min(rng.IntN(20), 2)]
			}
			mid, at, ok := a.allocate(kind, now, midLifetimes[kind])
			if !ok {
				if refused++; at <= now {
					t.Fatalf("seed %d: refused at %v until %v", seed, now, at)
				}
				continue
			}
			if used++; now < until[mid] {
				t.Fatalf("seed %d: %#x at %v, it is in use until %v", seed, mid, now, until[mid])
			}
			until[mid] = now + midLifetimes[kind]
		}
		if used < 100000 {
			t.Errorf("seed %d: %d used, %d refused", seed, used, refused)
		}
	}
}

// TestMessageIDCapacity: non-confirmable messages can use nearly all IDs each NON_LIFETIME, which
// is about 450 a second.
func TestMessageIDCapacity(t *testing.T) {
	for kind, lifetime := range midLifetimes[:midHigh] {
		var a midAllocator
		n := 0
		for now := sched.Time(0); now < 10*lifetime; now += sched.Time(time.Second) / 1000 {
			if _, _, ok := a.allocate(midKind(kind), now, lifetime); ok {
				n++
			}
		}
		if rate, want := float64(n)/10, float64(1<<16)*0.9; rate < want {
			t.Errorf("kind %d: %.0f IDs in a lifetime, want at least %.0f", kind, rate, want)
		}
	}
}

// TestMessageIDReserve: whatever the others use, messages of high priority find an ID at any time.
func TestMessageIDReserve(t *testing.T) {
	var a midAllocator
	exhaust := func(now sched.Time) {
		for _, kind := range []midKind{midNon, midCon} {
			for ok := true; ok; {
				_, _, ok = a.allocate(kind, now, midLifetimes[kind])
			}
		}
	}
	for minute := range 60 {
		now := sched.Time(minute) * sched.Time(time.Minute)
		exhaust(now)
		for range 100 {
			if _, _, ok := a.allocate(midHigh, now, exchangeLifetime); !ok {
				t.Fatalf("minute %d: no message ID for a registration", minute)
			}
		}
		exhaust(now)
	}
}

// TestMessageIDSpacing: notifications that keep the spacing never run out of message IDs.
func TestMessageIDSpacing(t *testing.T) {
	for _, kind := range []midKind{midNon, midCon} {
		var a midAllocator
		now := sched.Time(0)
		for range 500000 {
			if _, at, ok := a.allocate(kind, now, midLifetimes[kind]); !ok {
				t.Fatalf("kind %d: none at %v until %v", kind, now, at)
			}
			now += max(a.spacing(now), sched.Time(time.Millisecond))
		}
		if rate := 500000 / time.Duration(now).Seconds(); rate < 0.8*(1<<16)/time.Duration(midLifetimes[kind]).Seconds() {
			t.Errorf("kind %d: %.0f a second", kind, rate)
		}
	}
}
