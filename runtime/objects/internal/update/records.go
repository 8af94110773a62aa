package update

import (
	"encoding/json"
	"fmt"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// Load reads the record of an earlier process into r. Without one it returns false, and r stays as
// it is. check returns why the record cannot be used.
func Load[R any](s store.Store, name string, r *R, check func(*R) error) (found bool, err error) {
	if s == nil {
		return false, nil
	}
	value, err := store.Get(s, name)
	if found = value != nil; found {
		err = json.Unmarshal(value, r)
	}
	if err == nil {
		err = check(r)
	}
	if err != nil {
		return found, fmt.Errorf("record %q: %w", name, err)
	}
	return found, nil
}

// Save makes records durable, all of them or none. A nil store keeps nothing.
func Save[R any](s store.Store, name func(dm.InstanceID) string, records map[dm.InstanceID]R) error {
	if s == nil || len(records) == 0 {
		return nil
	}
	var changes []store.Change
	for id, r := range records {
		value, err := json.Marshal(r)
		if err != nil {
			return err
		}
		changes = append(changes, store.Put(name(id), value))
	}
	return s.Apply(changes...)
}
