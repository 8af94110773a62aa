package firmwareupdate

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/firmware"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// record is what survives a restart.
type record struct {
	Phase   firmware.Phase  `json:"phase"`
	Result  firmware.Result `json:"result"`
	Since   int64           `json:"since,omitempty"` // of the last change of State, in Unix seconds
	URI     string          `json:"uri,omitempty"`
	Size    int64           `json:"size,omitempty"` // of the complete image
	Name    string          `json:"name,omitempty"`
	Version string          `json:"version,omitempty"`
	Until   int64           `json:"until,omitempty"` // end of the deferral in Unix seconds
	// What servers have set.
	Severity  int64   `json:"severity"`
	MaxDefer  *uint64 `json:"maxDefer,omitempty"`
	Automatic bool    `json:"automatic,omitempty"`
}

// The default of Severity is Mandatory, by the object's definition.
const defaultSeverity = 1

func (r *record) state() firmware.State { return firmware.State{Phase: r.Phase, Result: r.Result} }

func (r *record) status() Status { return Status{r.Phase.Resource(), int64(r.Result)} }

func (r *record) until() time.Time {
	if r.Until == 0 {
		return time.Time{}
	}
	return time.Unix(r.Until, 0)
}

// load reads the record of an earlier process.
func load(c *Config) (r record, err error) {
	r.Severity = defaultSeverity
	if c.Store == nil {
		return r, nil
	}
	var value []byte
	err = c.Store.Load(c.Record, func(name string, v []byte) error {
		if name == c.Record {
			value = slices.Clone(v)
		}
		return nil
	})
	if err == nil && value != nil {
		err = json.Unmarshal(value, &r)
	}
	if err == nil && (r.Phase > firmware.Updating || r.Result > firmware.DeferredByUser) {
		err = fmt.Errorf("phase %d and result %d are unknown", r.Phase, r.Result)
	}
	if err != nil {
		return r, fmt.Errorf("firmwareupdate: record %q: %w", c.Record, err)
	}
	return r, nil
}

// save makes the record durable.
func save(c *Config, r *record) error {
	if c.Store == nil {
		return nil
	}
	value, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return c.Store.Apply(store.Put(c.Record, value))
}

// publish writes the record to the instance.
func (r *record) publish(i *Instance, c *Config) {
	i.State, i.UpdateResult = dm.Int(r.Phase.Resource()), dm.Int(int64(r.Result))
	i.PkgName, i.PkgVersion = text(r.Name), text(r.Version)
	if uri, _ := i.PackageURI.Get(); uri != r.URI {
		i.PackageURI = dm.Str(r.URI)
	}
	if !c.Basic && r.Since != 0 {
		i.LastStateChangeTime = dm.Time(time.Unix(r.Since, 0))
	}
}

func text(s string) dm.Res[string] {
	if s == "" {
		return dm.Empty[string]()
	}
	return dm.Str(s)
}

// settings copies what servers have set from the instance.
func (r *record) settings(i *Instance) {
	r.Severity = i.Severity.Or(defaultSeverity)
	r.Automatic = i.AutomaticUpgradeAtDownload.Or(false)
	r.MaxDefer = nil
	if v, ok := i.MaximumDeferPeriod.Get(); ok {
		r.MaxDefer = &v
	}
}
