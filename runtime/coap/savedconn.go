package coap

import (
	"encoding/binary"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// Save returns what another connection to the same peer needs to continue this one, for
// [ConnConfig.Saved]: when a device suspends, reconnects or restarts, and the peer still knows it
// by its address or its security session. Call Save directly before [Conn.Close]: the blob does not
// cover what happens later.
//
// The blob holds
//
//   - the message IDs that have arrived within the last EXCHANGE_LIFETIME, and the answers, so that
//     a request that the peer retransmits is not executed twice. If the request waits for its
//     response, the retransmission is rejected by a reset, because the response is lost with this
//     connection; a GET or FETCH is served again;
//   - the message IDs that this side has used within that time, so that the peer does not take a
//     new message for a repetition;
//   - the number of the last notification, and the round-trip time.
//
// The answers are the bytes that were sent. They contain what the peer has read, secrets included:
// keep the blob as confidential as that data. It is opaque. It has about 40 bytes when nothing has
// arrived lately, and [ConnConfig.MaxHistory] bounds it. It is nil for a stream, whose messages
// have no IDs, and for a closed connection.
func (c *Conn) Save() []byte {
	if c.datagrams == nil || c.closed != nil {
		return nil
	}
	now, d := c.e.sched.Now(), c.datagrams
	var waiting map[uint32]*Request // by number of arrival
	for n := c.requests.pending.head; n != nil; n = n.next {
		if waiting == nil {
			waiting = make(map[uint32]*Request, c.requests.pending.n)
		}
		waiting[n.value.arrival] = n.value
	}
	at := c.e.saveTime()
	b := make([]byte, 0, maxSavedHead+d.seen.savedBytes())
	b = at.append(append(b, savedConn))
	b = appendCount(b, int(c.observations.sequence))
	b = c.pace.save(b, now)
	b = d.mids.save(b, now)
	b = d.seen.save(b, now, func(n uint32, a *arrival) (reaction, bool) {
		r := waiting[n]
		if r == nil || r.kind != Confirmable {
			return a.react, true
		}
		return reactReset, c.cfg.Layer != nil || !r.code.isSafe()
	})
	return appendChecksum(b)
}

// maxSavedHead is the size of a blob without the history.
const maxSavedHead = 1 + 8 + 2*9 + 4 + maxSavedPace + maxSavedIDs + checksumBytes

// A savedState is a blob of Conn.Save that was read.
type savedState struct {
	saveTime
	sequence uint32
	pace     savedPace
	mids     savedIDs
	arrivals []savedArrival
}

// parseSaved reads a blob of Conn.Save. It refers to b.
func parseSaved(b []byte) (s savedState, ok bool) {
	r := savedReader{b: b}
	s.saveTime = r.begin(savedConn)
	s.sequence = uint32(r.count(1<<24 - 1))
	s.pace = r.pace()
	s.mids = r.ids()
	s.arrivals = r.arrivals()
	return s, r.ok()
}

// restore continues from ConnConfig.Saved.
func (c *Conn) restore(saved []byte) {
	s, ok := parseSaved(saved)
	if !ok {
		return
	}
	now := c.e.sched.Now()
	age := s.certainAge(c.e)
	c.observations.continueFrom(s.sequence)
	c.observations.continued = true
	c.pace.restore(&s.pace, now, age)
	c.datagrams.mids.restore(&s.mids, now, age)
	c.datagrams.seen.restore(s.arrivals, now, age)
}

// A savedPace is a pace with durations in place of instants.
type savedPace struct {
	pace
	sinceLast, sinceNon sched.Time // never: none was sent
}

const maxSavedPace = 1 + 4*10

const (
	savedKnown = 1 << iota
	savedHeld
	savedLast
	savedLastNon
)

func (p *pace) save(b []byte, now sched.Time) []byte {
	var flags byte
	for i, set := range []bool{p.known, p.held, p.last != never, p.lastNon != never} {
		if set {
			flags |= 1 << i
		}
	}
	b = appendCount(append(b, flags), int64(p.rtt))
	b = appendCount(b, p.unmeasured)
	if p.last != never {
		b = appendRest(b, now-p.last)
	}
	if p.lastNon != never {
		b = appendRest(b, now-p.lastNon)
	}
	return b
}

func (r *savedReader) pace() savedPace {
	p := savedPace{pace: newPace(), sinceLast: never, sinceNon: never}
	flags := r.byte()
	p.known, p.held = flags&savedKnown != 0, flags&savedHeld != 0
	p.rtt = sched.Time(r.count(int64(longest)))
	p.unmeasured = int(r.count(measureAfter))
	if flags&savedLast != 0 {
		p.sinceLast = r.rest()
	}
	if flags&savedLastNon != 0 {
		p.sinceNon = r.rest()
	}
	return p
}

func (p *pace) restore(s *savedPace, now, age sched.Time) {
	*p = s.pace
	if s.sinceLast != never {
		p.last = now - age - s.sinceLast
	}
	if s.sinceNon != never {
		p.lastNon = now - age - s.sinceNon
	}
}

// savedIDs is a midAllocator with lifetimes in place of instants.
type savedIDs struct {
	start uint16
	next  uint8
	lanes [midKinds]midLane     // until is a lifetime
	free  [midShares]sched.Time // lifetimes; never: the share belongs to a lane
}

const maxSavedIDs = 3 + int(midKinds)*(3+1+10) + 1 + midShares*(1+10)

func (a *midAllocator) save(b []byte, now sched.Time) []byte {
	b = append(b, byte(a.start>>8), byte(a.start), a.next)
	for _, l := range a.lanes {
		b = appendCount(b, int(l.left))
		if l.left > 0 {
			b = appendRest(append(b, l.share), l.until-now)
		}
	}
	at, used := len(b), byte(0)
	b = append(b, 0)
	for i, until := range a.free {
		if until > now && until != never {
			b = appendRest(append(b, byte(i)), until-now)
			used++
		}
	}
	b[at] = used
	return b
}

func (r *savedReader) ids() (s savedIDs) {
	s.start, s.next = r.uint16(), r.share()
	for i := range s.lanes {
		l := &s.lanes[i]
		if l.left = uint16(r.count(midShareSize)); l.left > 0 {
			l.share, l.until = r.share(), r.rest()
			r.fail = r.fail || s.free[l.share] != 0 // each share belongs to one lane
			s.free[l.share] = never
		}
	}
	for range r.byte() {
		share := r.share()
		r.fail = r.fail || s.free[share] != 0
		s.free[share] = r.rest()
	}
	return s
}

func (r *savedReader) share() uint8 {
	share := r.byte()
	if share >= midShares {
		r.fail = true
	}
	return share % midShares
}

func (a *midAllocator) restore(s *savedIDs, now, age sched.Time) {
	*a = midAllocator{start: s.start, next: s.next}
	for i, l := range s.lanes {
		if l.left > 0 {
			l.until = now + max(l.until-age, 0)
			a.lanes[i] = l
		}
	}
	for i, rest := range s.free {
		switch {
		case rest == never:
			a.free[i] = never
		case rest > age:
			a.free[i] = now + rest - age
		}
	}
}

// A savedArrival is an arrival with the rest of its lifetime and its answer.
type savedArrival struct {
	mid    uint16
	mark   uint32
	react  reaction
	rest   sched.Time
	answer []byte // nil: it was dropped
}

// savedLost stands for reactAnswer where the answer was dropped.
const savedLost = reactAnswer + 1

// savedBytes is about the size of a saved history.
func (h *history) savedBytes() int {
	n := 3 + int(h.next-h.first)*(7+5+3)
	for i := h.firstChunk; i != h.nextChunk; i++ {
		n += len(h.chunkAt(i).bytes)
	}
	return n
}

// save appends what is remembered. override is given each entry: it returns how its repetitions are
// answered, and whether it is saved.
func (h *history) save(b []byte, now sched.Time, override func(n uint32, a *arrival) (reaction, bool)) []byte {
	for n := h.first; n != h.next; n++ {
		a := h.entry(n)
		if a.expires <= now {
			continue
		}
		react, keep := override(n, a)
		if !keep {
			continue
		}
		var answer []byte
		if react == reactAnswer {
			if answer = h.answer(a); answer == nil {
				react = savedLost
			}
		}
		b = append(binary.BigEndian.AppendUint32(append(b, byte(a.mid>>8), byte(a.mid)), a.mark), byte(react))
		b = appendRest(b, a.expires-now)
		if react == reactAnswer {
			b = appendBytes(b, answer)
		}
	}
	return b
}

// arrivals reads the rest of the blob.
func (r *savedReader) arrivals() []savedArrival {
	const least = 8 // bytes of an entry
	list := make([]savedArrival, 0, min(len(r.b)/least, 1<<16))
	for len(r.b) > 0 && !r.fail {
		a := savedArrival{mid: r.uint16(), mark: r.uint32(), react: reaction(r.byte()), rest: r.rest()}
		switch {
		case a.react == reactAnswer:
			a.answer = r.bytes()
		case a.react == savedLost:
			a.react = reactAnswer
		case a.react > savedLost:
			r.fail = true
		}
		list = append(list, a)
	}
	return list
}

// restore remembers what was saved, as far as it has not expired and there is memory for it.
func (d *duplicates) restore(saved []savedArrival, now, age sched.Time) {
	for i := range saved {
		a := &saved[i]
		if a.rest <= age {
			continue
		}
		n := d.addUntil(a.mid, a.mark, now, now+a.rest-age)
		d.set(n, a.react)
		d.dropAnswer(n)
		if a.answer != nil {
			d.storeAnswer(n, a.answer)
		}
	}
}
