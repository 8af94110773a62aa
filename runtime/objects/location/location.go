package location

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/generated/location"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/behaviour"
)

// Fix is a position with the time of its measurement. The zero value of an optional field means
// that it is unknown.
type Fix struct {
	// Latitude and Longitude are in degrees (WGS 84), positive in the north and in the east.
	Latitude, Longitude float64
	// Time is when the position was measured.
	Time time.Time
	// Altitude is the height above sea level in metres. Optional.
	Altitude dm.Res[float64]
	// Radius is the uncertainty of the position in metres. Optional.
	Radius dm.Res[float64]
	// Velocity is the velocity. Optional.
	Velocity *Velocity
	// Speed is the speed in m/s. Optional; without it the speed is that of Velocity.
	Speed dm.Res[float64]
}

// Config is the configuration of New. The zero value means that the program sets the fixes.
type Config struct {
	// Fix returns the present fix, for positions that are read live. It must be quick, and may be
	// called from several goroutines. It returns dm.ErrNoValue if there is no fix at the moment.
	// The zero value means that the program calls Set.
	Fix func(ctx context.Context) (Fix, error)
	// MaxAge is how long a fix that Fix has returned is used for further reads, so that the values
	// of one read are of one fix. The zero value means 1 s.
	MaxAge time.Duration
	// Omit lists optional resources that no fix of this device has; they do not exist. The zero
	// value means that all exist, without a value where a fix does not have it.
	Omit []dm.ResourceID
}

// Location is the Location object with its instance. It is an object for lwm2m.Config.Objects. Its
// methods may be called from any goroutine.
type Location struct {
	*location.Object
	cfg Config

	mu  sync.Mutex
	fix Fix // as Fix returned it
	err error
	at  time.Time // when Fix was called, zero before
}

// New returns the object. It has no position before the first fix.
func New(c Config) (*Location, error) {
	if c.MaxAge == 0 {
		c.MaxAge = time.Second
	}
	l := &Location{cfg: c}
	inst := location.Instance{
		Latitude:  behaviour.Unknown[float64](),
		Longitude: behaviour.Unknown[float64](),
		Timestamp: behaviour.Unknown[time.Time](),
		Altitude:  dm.Empty[float64](),
		Radius:    dm.Empty[float64](),
		Velocity:  dm.Empty[[]byte](),
		Speed:     dm.Empty[float64](),
	}
	if c.Fix != nil {
		inst = l.live()
	}
	for _, id := range c.Omit {
		switch id {
		case location.AltitudeID:
			inst.Altitude = dm.Res[float64]{}
		case location.RadiusID:
			inst.Radius = dm.Res[float64]{}
		case location.VelocityID:
			inst.Velocity = dm.Res[[]byte]{}
		case location.SpeedID:
			inst.Speed = dm.Res[float64]{}
		default:
			return nil, fmt.Errorf("location: Config.Omit has resource %d, which is not optional", id)
		}
	}
	o, err := location.New(location.Config{})
	if l.Object, err = behaviour.Single(o, err, inst); err != nil {
		return nil, err
	}
	return l, nil
}

// Set makes f the present fix, in one transaction: whoever reads or observes the position sees the
// values of one fix. Set fails if the coordinates are not on earth, and where Config.Fix provides
// the position. It waits for other transactions until ctx ends.
func (l *Location) Set(ctx context.Context, f Fix) error {
	if l.cfg.Fix != nil {
		return errors.New("location: Config.Fix provides the position, so it cannot be set")
	}
	if err := f.check(); err != nil {
		return err
	}
	return l.Update(ctx, 0, func(i *location.Instance) error {
		i.Latitude, i.Longitude, i.Timestamp = dm.Float(f.Latitude), dm.Float(f.Longitude), dm.Time(f.Time)
		set(&i.Altitude, f.Altitude)
		set(&i.Radius, f.Radius)
		set(&i.Velocity, f.velocity())
		set(&i.Speed, f.speed())
		return nil
	})
}

// set changes the value of a resource that exists.
func set[T dm.DataType](cell *dm.Res[T], to dm.Res[T]) {
	if !cell.Supported() {
		return
	}
	if v, ok := to.Get(); ok {
		cell.Set(v)
	} else {
		cell.Clear()
	}
}

func (f *Fix) check() error {
	if !(f.Latitude >= -90 && f.Latitude <= 90 && f.Longitude >= -180 && f.Longitude <= 180) {
		return fmt.Errorf("location: latitude %v and longitude %v are not on earth", f.Latitude, f.Longitude)
	}
	return nil
}

func (f *Fix) velocity() dm.Res[[]byte] {
	if f.Velocity == nil {
		return dm.Empty[[]byte]()
	}
	return dm.Bytes(f.Velocity.Encode())
}

func (f *Fix) speed() dm.Res[float64] {
	if !f.Speed.Supported() && f.Velocity != nil {
		return dm.Float(f.Velocity.speed())
	}
	return f.Speed
}

// live returns the instance whose values Config.Fix provides.
func (l *Location) live() location.Instance {
	// A read comes to the latitude first: it asks for another fix earlier than the others do, so
	// that these do not ask for one in the middle of the read.
	first, others := l.cfg.MaxAge, 2*l.cfg.MaxAge
	optional := func(of func(*Fix) dm.Res[float64]) dm.Res[float64] {
		return part(l, others, func(f *Fix) (float64, bool) { r := of(f); return r.Get() })
	}
	return location.Instance{
		Latitude:  part(l, first, func(f *Fix) (float64, bool) { return f.Latitude, true }),
		Longitude: part(l, others, func(f *Fix) (float64, bool) { return f.Longitude, true }),
		Altitude:  optional(func(f *Fix) dm.Res[float64] { return f.Altitude }),
		Radius:    optional(func(f *Fix) dm.Res[float64] { return f.Radius }),
		Velocity:  part(l, others, func(f *Fix) ([]byte, bool) { r := f.velocity(); return r.Get() }),
		Timestamp: dm.Moving(func(ctx context.Context) (time.Time, error) {
			f, err := l.present(ctx, others)
			return f.Time, err
		}),
		Speed: optional((*Fix).speed),
	}
}

// part returns the cell of one value of a fix that is at most maxAge old.
func part[T dm.DataType](l *Location, maxAge time.Duration, of func(*Fix) (T, bool)) dm.Res[T] {
	return dm.Func(func(ctx context.Context) (v T, err error) {
		f, err := l.present(ctx, maxAge)
		if err != nil {
			return v, err
		}
		v, ok := of(&f)
		if !ok {
			return v, dm.ErrNoValue
		}
		return v, nil
	})
}

// present returns the last fix, or another one if that is older than maxAge.
func (l *Location) present(ctx context.Context, maxAge time.Duration) (Fix, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := time.Now(); l.at.IsZero() || now.Sub(l.at) >= maxAge {
		l.fix, l.err = l.cfg.Fix(ctx)
		if l.err == nil {
			l.err = l.fix.check()
		}
		l.at = now
	}
	return l.fix, l.err
}
