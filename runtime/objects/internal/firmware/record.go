package firmware

import (
	"errors"
	"fmt"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/update"
)

// Record is what survives a restart. Its slices are replaced and never changed.
type Record struct {
	Phase   Phase  `json:"phase"`
	Result  Result `json:"result"`
	Since   int64  `json:"since,omitempty"` // of the last change of State, in Unix seconds
	URI     string `json:"uri,omitempty"`
	Size    int64  `json:"size,omitempty"` // of the complete image
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
	Until   int64  `json:"until,omitempty"` // end of the deferral in Unix seconds
	// Verified counts the attempts to verify the image that a restart has ended.
	Verified int `json:"verified,omitempty"`
	Settings
	// Of several components. Unit are the components that one image updates, the one that stores
	// it first; none if it updates its own component only. Batch are the components that are
	// installed together, the one on which Update was executed first.
	Unit        []dm.InstanceID `json:"unit,omitempty"`
	Batch       []dm.InstanceID `json:"batch,omitempty"`
	Conflicting []dm.InstanceID `json:"conflicting,omitempty"`
}

// Settings is what servers have set in an instance.
type Settings struct {
	Severity  int64   `json:"severity"`
	MaxDefer  *uint64 `json:"maxDefer,omitempty"` // in seconds
	Automatic bool    `json:"automatic,omitempty"`
}

// equal reports whether two settings are the same.
func (s Settings) equal(other Settings) bool {
	same := s.MaxDefer == other.MaxDefer || s.MaxDefer != nil && other.MaxDefer != nil && *s.MaxDefer == *other.MaxDefer
	return same && s.Severity == other.Severity && s.Automatic == other.Automatic
}

// DefaultSeverity is Mandatory, by the definition of the objects.
const DefaultSeverity = 1

// State returns the state of the update.
func (r Record) State() State { return State{r.Phase, r.Result} }

// Deadline returns the end of the deferral, zero without one.
func (r *Record) Deadline() time.Time {
	if r.Until == 0 {
		return time.Time{}
	}
	return time.Unix(r.Until, 0)
}

// forget forgets the package.
func (r *Record) forget() {
	r.URI, r.Name, r.Version, r.Size, r.Until, r.Unit, r.Batch = "", "", "", 0, 0, nil, nil
}

// waits reports whether an image waits for its installation.
func (r *Record) waits() bool { return r.Phase == Downloaded || r.Phase == Deferred }

// owner returns the component that stores the image of the component id.
func (r *Record) owner(id dm.InstanceID) dm.InstanceID {
	if len(r.Unit) > 0 {
		return r.Unit[0]
	}
	return id
}

// unit returns the components that the image of the component id updates.
func (r *Record) unit(id dm.InstanceID) []dm.InstanceID {
	if len(r.Unit) > 0 {
		return r.Unit
	}
	return []dm.InstanceID{id}
}

// batch returns the components that are installed together with the component id.
func (r *Record) batch(id dm.InstanceID) []dm.InstanceID {
	if len(r.Batch) > 0 {
		return r.Batch
	}
	return r.unit(id)
}

// load reads a record of an earlier process.
func (d *Driver) load(id dm.InstanceID) (Record, error) {
	r := Record{Settings: Settings{Severity: DefaultSeverity}}
	_, err := update.Load(d.cfg.Store, d.cfg.Record(id), &r, (*Record).check)
	return r, err
}

// check returns why a record cannot be used.
func (r *Record) check() error {
	const year10000 = 253402300800 // in Unix seconds
	switch {
	case r.Phase > Updating || r.Result > DependencyError:
		return fmt.Errorf("phase %d and result %d are unknown", r.Phase, r.Result)
	case r.Severity < 0 || r.Severity > 2:
		return fmt.Errorf("the severity %d is unknown", r.Severity)
	case r.Until >= year10000:
		return fmt.Errorf("the deferral ends at %d", r.Until)
	}
	return errors.Join(update.CheckText("URI", r.URI), update.CheckText("name", r.Name), update.CheckText("version", r.Version))
}
