package device

import (
	"context"
	"regexp"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// clock is the system's clock and time zone, or what servers have set instead.
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

var (
	// offsetForm is the form of ISO 8601, with or without UTC before it: +02:00, UTC-3, Z.
	offsetForm = regexp.MustCompile(`^(Z|UTC|(UTC)?[+-][01]?[0-9](:?[0-5][0-9])?)$`)
	// zoneForm is the form of names in the IANA time zone database.
	zoneForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$`)
)

func (c *clock) validate(tx *device.Tx) error {
	for ch := range tx.Changes() {
		if ch.New == nil {
			continue
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
		if ch.New == nil {
			continue
		}
		if v, ok := ch.New.UTCOffset.Get(); ok {
			c.v.offset, c.v.hasOffset = v, v != ""
		}
		if v, ok := ch.New.Timezone.Get(); ok {
			c.v.zone, c.v.hasZone = v, v != ""
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

// hooks runs the clock before the program's hooks, and after them in Rollback.
func (d *Device) hooks(own Hooks) Hooks {
	h := own
	h.Validate = func(ctx context.Context, tx *device.Tx) error {
		if err := d.clock.validate(tx); err != nil || own.Validate == nil {
			return err
		}
		return own.Validate(ctx, tx)
	}
	h.Commit = func(ctx context.Context, tx *device.Tx) error {
		if err := d.clock.commit(ctx, tx); err != nil || own.Commit == nil {
			return err
		}
		return own.Commit(ctx, tx)
	}
	h.Rollback = func(ctx context.Context, tx *device.Tx) error {
		var err error
		if own.Rollback != nil {
			err = own.Rollback(ctx, tx)
		}
		d.clock.rollback()
		return err
	}
	h.Changed = func(ctx context.Context, tx *device.Tx) {
		d.clock.keepSetting()
		if own.Changed != nil {
			own.Changed(ctx, tx)
		}
	}
	return h
}
