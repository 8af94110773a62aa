package connectivity

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/generated/connectivitystatistics"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/behaviour"
)

// StatisticsConfig is the configuration of NewStatistics.
type StatisticsConfig struct {
	// CollectionPeriod is the first value of /7/0/8, in whole seconds: how long a collection lasts
	// that a server starts. Servers may write it. The zero value means until a server stops it.
	CollectionPeriod time.Duration
	// HeaderSize is how many bytes the headers below CoAP add to a message. The zero value means
	// 28, the headers of UDP and IPv4; with IPv6 they are 48.
	HeaderSize int
	// Traffic returns how many bytes the device has sent and received, headers included, since any
	// time in the past, such as the counters of a modem. It must be quick. The zero value means the
	// bytes of the client, DTLS and TLS included, with HeaderSize for each message.
	Traffic func() (sent, received uint64)
}

// statistics is the collection of a Connectivity Statistics object.
type statistics struct {
	cfg    StatisticsConfig
	object *connectivitystatistics.Object

	mu      sync.Mutex
	client  *lwm2m.Client
	running bool
	stop    func() // ends the counting of the client's messages
	period  behaviour.Period
	before  traffic // at the start
	total   traffic // of a collection that has ended
	// messages of the collection
	messages, bytes, largest uint64
	out, in                  uint64 // messages by direction
}

type traffic struct{ sent, received uint64 }

// NewStatistics returns the Connectivity Statistics object (7) with its instance. A collection
// counts the messages of the client from Start (/7/0/6) on, until Stop (/7/0/7) or the end of the
// collection period; the figures stay until the next Start. Tx Data and Rx Data are in units of
// 1024 bytes. Max Message Size and Average Message Size are of CoAP messages in both directions
// with HeaderSize, without the overhead of DTLS and TLS. The object has no SMS counters.
func NewStatistics(c StatisticsConfig) (*connectivitystatistics.Object, error) {
	if c.HeaderSize == 0 {
		c.HeaderSize = 28
	}
	if c.HeaderSize < 0 {
		return nil, fmt.Errorf("connectivity: StatisticsConfig.HeaderSize is %d, it must not be negative", c.HeaderSize)
	}
	s := &statistics{cfg: c}
	o, err := connectivitystatistics.New(connectivitystatistics.Config{
		Hooks: connectivitystatistics.Hooks{Validate: validateStatistics},
	})
	s.object = o
	return behaviour.Single(o, err, connectivitystatistics.Instance{
		TxData:             s.figure(func() uint64 { return s.now().sent >> 10 }),
		RxData:             s.figure(func() uint64 { return s.now().received >> 10 }),
		MaxMessageSize:     s.figure(func() uint64 { return s.largest }),
		AverageMessageSize: s.figure(func() uint64 { return s.bytes / max(s.messages, 1) }, dm.Quiet()),
		Start:              s.startCollection,
		Stop:               s.stopCollection,
		CollectionPeriod:   dm.Int(int64(c.CollectionPeriod / time.Second)),
	})
}

func validateStatistics(_ context.Context, tx *connectivitystatistics.Tx) error {
	for c := range tx.Changes() {
		if p := c.New.CollectionPeriod.Or(0); p < 0 || p > behaviour.MaxPeriod {
			return dm.Errorf(dm.BadRequest, "a collection period of %d seconds: it is from 0 to %d", p, int64(behaviour.MaxPeriod))
		}
	}
	return nil
}

// figure returns the cell of a counter that fn reads under the lock.
func (s *statistics) figure(fn func() uint64, options ...dm.LiveOption) dm.Res[int64] {
	return dm.Func(func(context.Context) (int64, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return int64(fn()), nil
	}, options...)
}

// startCollection is the executable Start. It begins a new collection, whether one runs or not.
func (s *statistics) startCollection(ctx context.Context, _ dm.Args) error {
	inst, _ := s.object.Get(0)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end()
	s.client = lwm2m.FromContext(ctx)
	s.messages, s.bytes, s.largest, s.out, s.in = 0, 0, 0, 0, 0
	s.before, s.running = s.counters(), true
	if s.client != nil {
		s.stop = s.client.WatchMessages(s.count)
	}
	s.period.Start(&s.mu, time.Duration(inst.CollectionPeriod.Or(0))*time.Second, s.end)
	return nil
}

// stopCollection is the executable Stop.
func (s *statistics) stopCollection(context.Context, dm.Args) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end()
	return nil
}

// end ends the collection, if one runs. The caller holds the lock.
func (s *statistics) end() {
	if !s.running {
		return
	}
	s.total, s.running = s.now(), false
	s.period.Stop()
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

// count counts one message, of which one of the two sizes is 0.
func (s *statistics) count(sent, received int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		return
	}
	n := uint64(sent + received + s.cfg.HeaderSize)
	s.messages++
	s.bytes += n
	s.largest = max(s.largest, n)
	if sent > 0 {
		s.out++
	} else {
		s.in++
	}
}

// now returns the traffic of the collection. The caller holds the lock.
func (s *statistics) now() traffic {
	if !s.running {
		return s.total
	}
	t := s.counters()
	return traffic{since(t.sent, s.before.sent), since(t.received, s.before.received)}
}

// since returns the difference of two readings of a counter, which may have begun again at 0.
func since(now, before uint64) uint64 {
	if now < before {
		return now
	}
	return now - before
}

// counters returns the running totals.
func (s *statistics) counters() traffic {
	if s.cfg.Traffic != nil {
		sent, received := s.cfg.Traffic()
		return traffic{sent, received}
	}
	header := uint64(s.cfg.HeaderSize)
	t := traffic{s.out * header, s.in * header}
	if s.client != nil {
		sent, received := s.client.Traffic()
		t.sent += sent
		t.received += received
	}
	return t
}
