package device

import (
	"context"
	"regexp"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/behaviour"
)

// clock is the system's clock and time zone with what servers have set instead. A server that
// empties a resource, by an empty text or by a Replace of the instance that does not name it, gives
// the system's back. A clock of the system that Config.SetTime has set stays.
type clock struct {
	set func(context.Context, time.Time) error

	mu     sync.Mutex
	v      clockSetting
	before *clockSetting // set by a Commit that may still be rolled back
}

// clockSetting is what servers have set.
type clockSetting struct {
	ahead              int64 // of the system's clock, in seconds; a Duration ends at 292 years
	offset, zone       string
	hasOffset, hasZone bool // a server has set it
}

func (c *clock) now(context.Context) (time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	return time.Unix(now.Unix()+c.v.ahead, int64(now.Nanosecond())), nil
}

func (c *clock) utcOffset(context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.v.hasOffset {
		return c.v.offset, nil
	}
	return time.Now().Format("-07:00"), nil
}

// timezone returns ErrNoValue if the system does not know the name of its zone.
func (c *clock) timezone(context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.v.hasZone {
		return c.v.zone, nil
	}
	if name := time.Local.String(); name != "Local" {
		return name, nil
	}
	return "", dm.ErrNoValue
}

const (
	// maxTime leaves half of all times for the clock to go on in.
	maxTime = 1 << 62
	// maxZone is more than any name of the IANA time zone database has.
	maxZone = 64
)

var (
	// offsetForm is the form of ISO 8601, with or without UTC before it: +02:00, UTC-3, Z.
	offsetForm = regexp.MustCompile(`^(Z|UTC|(UTC)?[+-][01]?[0-9](:?[0-5][0-9])?)$`)
	// zoneForm is the form of names in the IANA time zone database.
	zoneForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$`)
)

func (c *clock) validate(tx *device.Tx) error {
	for ch := range tx.Changes() {
		if v, ok := ch.New.CurrentTime.Get(); ok && (v.Unix() > maxTime || v.Unix() < -maxTime) {
			return dm.Errorf(dm.BadRequest, "the time %d is too far away to go on from", v.Unix())
		}
		if v, ok := ch.New.Timezone.Get(); ok && len(v) > maxZone {
			return dm.Errorf(dm.BadRequest, "a time zone of %d characters: a name has at most %d", len(v), maxZone)
		}
		if v, ok := ch.New.UTCOffset.Get(); ok && v != "" && !offsetForm.MatchString(v) {
			return dm.Errorf(dm.BadRequest, "UTC offset %.16q: write it as in +02:00 or UTC+2", v)
		}
		if v, ok := ch.New.Timezone.Get(); ok && v != "" && !zoneForm.MatchString(v) {
			return dm.Errorf(dm.BadRequest, "time zone %.40q: write it as in Europe/Berlin", v)
		}
	}
	return nil
}

// commit applies what was written. It sets the system's clock last, because only that can fail, and
// it cannot be undone exactly.
func (c *clock) commit(ctx context.Context, tx *device.Tx) error {
	c.mu.Lock()
	before := c.v
	c.before = &before
	var at time.Time
	written := false
	for ch := range tx.Changes() {
		if ch.Affects(device.UTCOffsetID) {
			c.v.offset = ch.New.UTCOffset.Or("")
			c.v.hasOffset = c.v.offset != ""
		}
		if ch.Affects(device.TimezoneID) {
			c.v.zone = ch.New.Timezone.Or("")
			c.v.hasZone = c.v.zone != ""
		}
		if ch.Affects(device.CurrentTimeID) {
			c.v.ahead = 0
		}
		if v, ok := ch.New.CurrentTime.Get(); ok {
			at, written = v, true
			if c.set == nil {
				c.v.ahead = v.Unix() - time.Now().Unix()
			}
		}
	}
	c.mu.Unlock()
	if !written || c.set == nil {
		return nil
	}
	return c.set(ctx, at)
}

func (c *clock) rollback() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.before != nil {
		c.v, c.before = *c.before, nil
	}
}

func (c *clock) keepSetting() {
	c.mu.Lock()
	c.before = nil
	c.mu.Unlock()
}

// hooks returns the hooks of the clock, with those of the program after them.
func (d *Device) hooks(own Hooks) Hooks {
	return behaviour.Join(Hooks{
		Validate: func(_ context.Context, tx *device.Tx) error { return d.clock.validate(tx) },
		Commit:   d.clock.commit,
		Rollback: func(context.Context, *device.Tx) error { d.clock.rollback(); return nil },
		Changed:  func(context.Context, *device.Tx) { d.clock.keepSetting() },
	}, own)
}
