package softwaremanagement

import (
	"errors"
	"fmt"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/update"
)

// record is what survives a restart.
type record struct {
	state
	URI  string `json:"uri,omitempty"`
	Size int64  `json:"size,omitempty"` // of the complete package
	// Attempts counts those at what is under way that a restart has ended.
	Attempts int `json:"attempts,omitempty"`
	// Of the package, or of the software that is installed.
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
	// Shipped says that the software is that of Component.Shipped, and no server has replaced it.
	Shipped bool `json:"shipped,omitempty"`
	// Of the software that was prepared for an update.
	OldName    string `json:"oldName,omitempty"`
	OldVersion string `json:"oldVersion,omitempty"`
}

// set sets the state, and forgets what is of no interest any more.
func (r *record) set(to state) {
	if to.Phase != r.Phase {
		r.Attempts = 0
	}
	if !to.Old && (r.Phase == installing || to.Phase == idle) {
		r.Shipped = false
	}
	switch {
	case to.Old && !r.Old:
		r.OldName, r.OldVersion = r.Name, r.Version
	case !to.Old:
		r.OldName, r.OldVersion = "", ""
	}
	if to.Phase.resource() == 0 {
		r.Name, r.Version, r.Size = "", "", 0
	}
	r.state = to
}

// software returns the software that is installed, or was prepared for an update.
func (r *record) software(id dm.InstanceID) Software {
	if r.Old {
		return Software{id, r.OldName, r.OldVersion}
	}
	return Software{id, r.Name, r.Version}
}

// load reads the record of an earlier process. r is the record for the software that this version
// of the program ships, if no server has replaced or removed what an earlier version has shipped.
func (m *Manager) load(id dm.InstanceID) (stored, r record, err error) {
	found, err := update.Load(m.cfg.Store, m.record(id), &stored, (*record).check)
	r = stored
	shipped := m.cfg.Components[id].Shipped
	switch {
	case err != nil, shipped.Name == "" && shipped.Version == "":
	case !found:
		r = record{state: state{Phase: installed, Result: installedResult, Active: true}, Shipped: true,
			Name: shipped.Name, Version: shipped.Version}
	case r.Shipped && r.Old:
		r.OldName, r.OldVersion = shipped.Name, shipped.Version
	case r.Shipped:
		r.Name, r.Version = shipped.Name, shipped.Version
	}
	return stored, r, err
}

// check returns why a record cannot be used.
func (r *record) check() error {
	if r.Phase >= phases || r.Result > uninstallationFailed {
		return fmt.Errorf("phase %d and result %d are unknown", r.Phase, r.Result)
	}
	return errors.Join(update.CheckText("URI", r.URI), update.CheckText("name", r.Name), update.CheckText("version", r.Version))
}

// repeats reports whether a restart repeats what is under way in the phase.
func repeats(p phase) bool { return p == verifying || p > installed }

// givesUp counts an attempt that a restart has ended. It returns true if it was the last one: what
// always ends the program must not keep the device from running. That of a package, which anybody
// may have made, counts sooner than what the power may interrupt.
func (r *record) givesUp() bool {
	if !repeats(r.Phase) {
		return false
	}
	r.Attempts++
	if r.Phase == verifying {
		return r.Attempts >= 3
	}
	return r.Attempts >= 10
}

// record returns the name of a record.
func (m *Manager) record(id dm.InstanceID) string { return fmt.Sprintf("%s/%d", m.cfg.Record, id) }

// save makes records durable.
func (m *Manager) save(records map[dm.InstanceID]record) error {
	return update.Save(m.cfg.Store, m.record, records)
}
