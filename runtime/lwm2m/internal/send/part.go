package send

import (
	"cmp"
	"slices"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/manage"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/series"
)

// part is what one message of a request reports.
type part struct {
	format content.Format
	values int
	loans  []loan
}

// loan is the samples of a history that a part reports.
type loan struct {
	history History
	samples []series.Sample // that were lent
	used    int             // how many of them the part reports
}

// maxLoan bounds the samples of one history that a part considers. A message has room for fewer.
const maxLoan = 256

// release removes the reported samples from their histories.
func (p *part) release() {
	for i := range p.loans {
		p.loans[i].history.Series.Release(p.loans[i].used)
	}
	p.loans = nil
}

// giveBack returns the samples to their histories.
func (p *part) giveBack() {
	for i := range p.loans {
		p.loans[i].history.Series.Return()
	}
	p.loans = nil
}

// nextPart returns the payload of the next part of a request, or nil if nothing is left to report.
// The first part has everything but the histories; a history follows as far as there is room in a
// message.
func (q *Queue) nextPart(r *Request) ([]byte, error) {
	var fixed []dm.Entry
	if !r.given {
		r.left = slices.Clone(r.unread)
		fixed = q.fixed(r)
	}
	r.part = part{format: q.format(r)}
	q.borrow(r)
	timed := r.part.merge()
	if len(fixed)+len(timed) == 0 {
		r.part.giveBack()
		return nil, nil
	}
	for n := len(timed); ; {
		entries := slices.Concat(fixed, timed[:n])
		if r.part.format == content.LwM2MCBOR {
			for i := range entries {
				entries[i].Time = 0
			}
		}
		entries = unique(entries)
		body, err := q.encode(r.part.format, entries)
		least := 0
		if len(fixed) == 0 {
			least = 1
		}
		if err != nil || len(body) <= q.cfg.Part || n <= least {
			r.part.values = len(entries)
			r.part.use(n)
			return body, err
		}
		n = max(least, min(n-1, n*q.cfg.Part/len(body)))
	}
}

// format returns the format of a request. A request with times needs SenML.
func (q *Queue) format(r *Request) content.Format {
	f := r.Format
	if f == 0 {
		f = q.cfg.Format
		if f == content.LwM2MCBOR && (r.late || r.hasTimes()) || !f.Carries(content.Send, dm.RootLevel) {
			f = content.SenMLCBOR
		}
	}
	return f
}

// fixed returns the values of the first part: those that were read, and those that the application
// has given.
func (q *Queue) fixed(r *Request) []dm.Entry {
	now := time.Now()
	var entries []dm.Entry
	for _, e := range r.read {
		if r.late {
			e.Time = stamp(r.readAt, now)
		}
		if err := q.cfg.Peer.CheckRead(e.Path); err != nil { // the rights may have changed since
			r.leaveOut(e.Path.Up(dm.InstanceLevel), err)
			continue
		}
		if q.isRegistered(r, e.Path) {
			entries = append(entries, e)
		}
	}
	for _, v := range r.Values {
		e := dm.Entry{Path: v.Path, Value: clone(v.Value)}
		if !v.At.IsZero() {
			e.Time = stamp(v.At, now)
		}
		if q.isReportable(r, e) {
			entries = append(entries, e)
		}
	}
	return entries
}

// isReportable reports whether a value of the application can be reported now, and notes the reason
// if it cannot.
func (q *Queue) isReportable(r *Request, e dm.Entry) bool {
	if err := q.cfg.Peer.CheckValue(e); err != nil {
		r.leaveOut(e.Path, err)
		return false
	}
	return q.isRegistered(r, e.Path)
}

func (q *Queue) isRegistered(r *Request, p dm.Path) bool {
	instance := p.Up(dm.InstanceLevel)
	if known, _ := q.cfg.Account.Registered(instance); known {
		return true
	}
	r.leaveOut(instance, ErrNotRegistered)
	return false
}

// leaveOut notes that a node is not reported, once.
func (r *Request) leaveOut(p dm.Path, err error) {
	for _, l := range r.left {
		if l.Path == p {
			return
		}
	}
	r.left = append(r.left, manage.LeftOut{Path: p, Err: err})
}

// borrow lends the oldest samples of each history.
func (q *Queue) borrow(r *Request) {
	for _, h := range r.Histories {
		samples := h.Series.Lend(maxLoan)
		if samples == nil {
			continue
		}
		if !q.isReportable(r, dm.Entry{Path: h.Path, Value: samples[0].Value}) {
			h.Series.Return()
			continue
		}
		r.part.loans = append(r.part.loans, loan{history: h, samples: samples})
	}
}

// merge returns the samples of all loans by their times. Those of one history stay in their order.
func (p *part) merge() []dm.Entry {
	now := time.Now()
	next := make([]int, len(p.loans))
	var merged []dm.Entry
	for {
		first := -1
		for i := range p.loans {
			if next[i] < len(p.loans[i].samples) &&
				(first < 0 || p.loans[i].samples[next[i]].At.Before(p.loans[first].samples[next[first]].At)) {
				first = i
			}
		}
		if first < 0 {
			return merged
		}
		x := p.loans[first].samples[next[first]]
		next[first]++
		merged = append(merged, dm.Entry{Path: p.loans[first].history.Path, Value: x.Value, Time: stamp(x.At, now)})
	}
}

// use notes that the part reports the first n samples of merge.
func (p *part) use(n int) {
	for i := range p.loans {
		p.loans[i].used = 0
	}
	for range n {
		first := -1
		for i := range p.loans {
			l := &p.loans[i]
			if l.used < len(l.samples) &&
				(first < 0 || l.samples[l.used].At.Before(p.loans[first].samples[p.loans[first].used].At)) {
				first = i
			}
		}
		p.loans[first].used++
	}
}

// unique sorts entries by time and path. Of two with the same path and time, the later one counts.
func unique(entries []dm.Entry) []dm.Entry {
	slices.SortStableFunc(entries, compare)
	kept := entries[:0]
	for i, e := range entries {
		if i+1 == len(entries) || compare(e, entries[i+1]) != 0 {
			kept = append(kept, e)
		}
	}
	return kept
}

func compare(a, b dm.Entry) int {
	if c := cmp.Compare(a.Time, b.Time); c != 0 {
		return c
	}
	return a.Path.Compare(b.Path)
}

func (q *Queue) encode(f content.Format, entries []dm.Entry) ([]byte, error) {
	var enc codec.Encoder
	return enc.Encode(f, nil, content.Target{Root: q.cfg.Root}, entries)
}

// unset is the first time that SenML takes for absolute, in seconds since 1970. A clock that shows
// less has not been set.
const unset = 1 << 28 // 1978 (RFC 8428 §4.5.3)

// stamp returns a time as SenML carries it: in seconds since 1970, to the microsecond. A time from
// before the clock was set is counted back from now; it is relative, and negative, if the clock is
// still not set. A time that cannot be placed, because it has no monotonic reading, is 0: none.
func stamp(t, now time.Time) float64 {
	if t.Unix() >= unset {
		return float64(t.UnixMicro()) / 1e6
	}
	ago := min(t.Sub(now), 0)
	if now.Unix() < unset {
		return float64(ago.Microseconds()) / 1e6
	}
	if t = now.Add(ago); t.Unix() < unset {
		return 0
	}
	return float64(t.UnixMicro()) / 1e6
}
