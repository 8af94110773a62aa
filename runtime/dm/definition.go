package dm

import (
	"errors"
	"fmt"

	"github.com/lwm2mgen/toolkit/registry"
)

// checkDefinition reports where a definition and the Go type that carries it do not match, so that
// later code can rely on both: the IDs are valid and ascending, and every resource has a cell of
// its kind. Generated packages always match; hand-written ones may not.
func checkDefinition(def *registry.Object, cell func(instance, ResourceID) Cell, inst instance) error {
	switch {
	case def == nil:
		return errors.New("an object needs a definition")
	case cell == nil:
		return fmt.Errorf("object %s (%d): a function that finds cells is missing", def.Name, def.ID)
	case def.ID == reserved:
		return fmt.Errorf("object %s: the object ID 65535 is reserved", def.Name)
	}
	var errs []error
	for i := range def.Resources {
		r := &def.Resources[i]
		if i > 0 && def.Resources[i-1].ID >= r.ID {
			errs = append(errs, fmt.Errorf("object %s (%d): resource %d is not in ascending order",
				def.Name, def.ID, r.ID))
		}
		if err := checkCell(r, cell(inst, ResourceID(r.ID))); err != nil {
			errs = append(errs, fmt.Errorf("object %s (%d): resource %s (%d): %w", def.Name, def.ID, r.Name, r.ID, err))
		}
	}
	return errors.Join(errs...)
}

func checkCell(r *registry.Resource, c Cell) error {
	if r.ID == reserved {
		return errors.New("the resource ID 65535 is reserved")
	}
	if c == nil {
		return errors.New("the Go type has no cell for it")
	}
	t, multiple := c.kind()
	switch {
	case r.Ops.Executable():
		if t != registry.None {
			return errors.New("an executable needs an Exec")
		}
		return nil
	case t == registry.None:
		return errors.New("an Exec is for executables")
	case t != r.Type:
		return fmt.Errorf("the cell carries the type %s, not %s", t, r.Type)
	case multiple != r.Multiple:
		return errors.New("a resource with resource instances needs a Multi, any other a Res")
	case r.Secret && !c.hides():
		return errors.New("a secret needs the Go type Secret or SecretString")
	}
	return nil
}
