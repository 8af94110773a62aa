package lwm2m

import (
	"math"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/send"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/series"
)

// unsentHandler returns the function that takes what was stored for observations that have ended
// with their registration, or nil if that is dropped.
func (s *server) unsentHandler() func([]dm.Entry) {
	if !s.client.cfg.SendStored {
		return nil
	}
	return s.sendUnsent
}

// sendUnsent reports stored values by Send as soon as the device is registered.
func (s *server) sendUnsent(values []dm.Entry) {
	byPath := map[dm.Path]*series.Series{}
	var histories []send.History
	for _, e := range values {
		h := byPath[e.Path]
		if h == nil {
			h = series.New(math.MaxInt)
			byPath[e.Path] = h
			histories = append(histories, send.History{Path: e.Path, Series: h})
		}
		h.Add(series.Sample{Value: e.Value, At: time.UnixMicro(int64(math.Round(e.Time * 1e6)))})
	}
	s.sendHistories(histories, 1)
}

// maxUnsentAttempts is how many Sends are lost before the values count as dropped.
const maxUnsentAttempts = 5

func (s *server) sendHistories(histories []send.History, attempt int) {
	s.sendQueue().Add(&send.Request{Defer: true, Histories: histories, Done: func(r send.Result) {
		left := 0
		for _, h := range histories {
			left += h.Series.Len()
		}
		switch {
		case left == 0:
		case r.Outcome == send.Lost && attempt < maxUnsentAttempts && !s.intent.removed:
			s.client.loop.sched.Post(func() { s.sendHistories(histories, attempt+1) })
		default:
			s.peer.CountDropped(left)
			s.log.Warn("stored values are dropped", "values", left, "reason", r.Err)
		}
	}})
}

// historyFinder returns the function that finds a history of Config.Histories by its resource, or
// nil if there are none.
func (c *Client) historyFinder() func(dm.Path) *series.Series {
	if len(c.cfg.Histories) == 0 {
		return nil
	}
	byPath := map[dm.Path]*series.Series{}
	for _, h := range c.cfg.Histories {
		byPath[h.path] = h.series
	}
	return func(p dm.Path) *series.Series { return byPath[p] }
}
