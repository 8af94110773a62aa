package coap

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// Save returns what [Conn.Restore] needs in order to continue the observation in a later process.
// Within a process [Conn.Resume] does the same without it. It may be called at any time, also when
// the observation has ended because its connection was closed.
//
// The blob is opaque, of a few dozen bytes, and holds the peer's token and the options of its
// request, but no values. The [Binding] of a [Layer] cannot be saved: Restore refuses such an
// observation.
func (o *Observation) Save() []byte {
	now, at := o.in.e.sched.Now(), o.in.e.saveTime()
	flags := byte(0)
	for i, set := range []bool{o.hasBlock, o.unsure, o.binding != nil} {
		if set {
			flags |= 1 << i
		}
	}
	b := make([]byte, 0, 72+len(o.token)+len(o.cacheKey))
	b = at.append(append(b, savedObservation))
	b = append(b, flags, o.szx)
	b = appendCount(b, int(o.in.sequence))
	b = appendRest(b, now-o.checked)
	b = appendBytes(b, o.token)
	b = appendBytes(b, o.cacheKey)
	for i := range o.hasNons { // the oldest first
		mid := o.nons[(o.nextNon-o.hasNons+i)%uint8(len(o.nons))]
		b = binary.BigEndian.AppendUint16(b, mid)
	}
	return appendChecksum(b)
}

const (
	savedHasBlock = 1 << iota
	savedUnsure
	savedBound
)

// A savedObserver is a blob of Observation.Save that was read. It refers to the blob.
type savedObserver struct {
	saveTime
	flags           byte
	szx             uint8
	sequence        uint32
	sinceChecked    sched.Time
	token, cacheKey []byte
	nons            []byte // two bytes each
}

func parseSavedObservation(b []byte) (s savedObserver, ok bool) {
	r := savedReader{b: b}
	s.saveTime = r.begin(savedObservation)
	s.flags, s.szx = r.byte(), r.byte()
	s.sequence = uint32(r.count(1<<24 - 1))
	s.sinceChecked = r.rest()
	s.token, s.cacheKey = r.bytes(), r.bytes()
	s.nons, r.b = r.b, nil
	return s, r.ok() && s.szx <= BERT && len(s.nons)%2 == 0 && len(s.nons)/2 <= len(Observation{}.nons)
}

// Restore continues an observation that [Observation.Save] has saved in an earlier process, on a
// connection to the same peer, which still knows the observation by its token.
//
// The peer takes a notification for new if its number follows that of the last one, or if 128 s
// have passed (RFC 7641 §3.4). With [ConnConfig.Saved] the numbers continue exactly. Without it
// they continue above the number at the time of Save and as many more as can have been sent since
// then, at most 4 million: 32768 for each second. If the process sent more after Save, the peer may
// ignore notifications until 128 s have passed since the last one.
//
// The error matches [ErrUsage] for a blob that is damaged or of another version of the format, for
// an observation that a [Layer] protected, over a stream, and without an observer. It matches
// [ErrClosed] when c is closed, and is [ErrBusy] when there are too many observations.
func (c *Conn) Restore(saved []byte, observer Observer) (*Observation, error) {
	return c.observations.restore(saved, observer)
}

func (os *observations) restore(saved []byte, observer Observer) (*Observation, error) {
	s, ok := parseSavedObservation(saved)
	switch {
	case os.closed != nil:
		return nil, os.closed
	case !ok || len(s.token) > os.cfg.MaxToken:
		return nil, fmt.Errorf("%w: Restore of a blob that is damaged, or of another version", ErrUsage)
	case s.flags&savedBound != 0 || os.cfg.Layer != nil:
		return nil, fmt.Errorf("%w: Restore of an observation with a Layer, whose binding cannot be saved", ErrUsage)
	case os.sizes.isStream() || observer == nil:
		return nil, fmt.Errorf("%w: Restore over a stream, or without an observer", ErrUsage)
	}
	now := os.e.sched.Now()
	age, backwards := s.age(os.e)
	o := &Observation{
		observer: observer, checked: now - age - s.sinceChecked,
		szx: s.szx, hasBlock: s.flags&savedHasBlock != 0, unsure: s.flags&savedUnsure != 0,
	}
	o.identify(os.e, s.token, s.cacheKey)
	for ; len(s.nons) > 0; s.nons = s.nons[2:] {
		o.noteNon(binary.BigEndian.Uint16(s.nons))
	}
	if !os.add(o) {
		return nil, ErrBusy
	}
	if !os.continued {
		s.sequence += maxSentSince(age, backwards)
	}
	os.continueFrom(s.sequence)
	return o, nil
}

// maxSentSince is how many notifications can have been sent in a time. No more than 2^23 are sent
// in 256 s (RFC 7641 §4.4); after 128 s the number does not count (RFC 7641 §3.4).
func maxSentSince(age sched.Time, unknown bool) uint32 {
	const most = sched.Time(128 * time.Second)
	if unknown || age > most {
		age = most
	}
	return 1 + uint32(age*(1<<22-1)/most)
}
