// Package names translates between paths and the names in object definitions, and types values.
package names

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lwm2mgen/toolkit/internal/shipped"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/registry/omaxml"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// A Book holds object definitions. It must not change while others use it.
type Book struct {
	objects map[dm.ObjectID]*registry.Object
}

// NewBook returns a book with the definitions of the shipped objects.
func NewBook() (*Book, error) {
	all, err := shipped.Definitions()
	if err != nil {
		return nil, err
	}
	b := &Book{objects: map[dm.ObjectID]*registry.Object{}}
	for _, o := range all {
		b.objects[dm.ObjectID(o.ID)] = o
	}
	return b, nil
}

// Load adds the definitions of an XML file, or of all XML files of a folder. They replace
// definitions with the same ID. A definition that cannot be used is an error.
func (b *Book) Load(path string) error {
	files := []string{path}
	if info, err := os.Stat(path); err != nil {
		return err
	} else if info.IsDir() {
		if files, err = fs.Glob(os.DirFS(path), "*.xml"); err != nil {
			return err
		}
		if len(files) == 0 {
			return fmt.Errorf("%s has no XML files", path)
		}
		for i, name := range files {
			files[i] = filepath.Join(path, name)
		}
	}
	var errs []error
	for _, file := range files {
		errs = append(errs, b.loadFile(file))
	}
	return errors.Join(errs...)
}

func (b *Book) loadFile(file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	objects, faults := omaxml.ReadBytes(file, data)
	for i := range objects {
		b.objects[dm.ObjectID(objects[i].ID)] = &objects[i]
	}
	var errs []error
	for _, f := range faults {
		if f.Severity != registry.Warning {
			errs = append(errs, f)
		}
	}
	return errors.Join(errs...)
}

// Definitions returns all definitions in the order of their IDs.
func (b *Book) Definitions() []*registry.Object {
	var all []*registry.Object
	for _, id := range slices.Sorted(maps.Keys(b.objects)) {
		all = append(all, b.objects[id])
	}
	return all
}

// Object returns the definition of an object, nil if the book has none.
func (b *Book) Object(id dm.ObjectID) *registry.Object { return b.objects[id] }

// Resource returns the definition of the resource that a path leads to, nil if the book has none.
func (b *Book) Resource(p dm.Path) *registry.Resource {
	if p.Level() < dm.ResourceLevel {
		return nil
	}
	if o := b.objects[p.Object()]; o != nil {
		return o.Resource(uint16(p.Resource()))
	}
	return nil
}

// Name returns the registered name of the object or the resource that a path leads to, "" if the
// book has none.
func (b *Book) Name(p dm.Path) string {
	if r := b.Resource(p); r != nil {
		return r.Name
	}
	if o := b.objects[p.Object()]; o != nil && p.Level() >= dm.ObjectLevel && p.Level() < dm.ResourceLevel {
		return o.Name
	}
	return ""
}

// compact returns a name as one word, such as "SetPoint" for "Set Point".
func compact(name string) string {
	words := strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for i, w := range words {
		first, size := utf8.DecodeRuneInString(w)
		words[i] = string(unicode.ToUpper(first)) + w[size:]
	}
	return strings.Join(words, "")
}

// fold returns what two spellings of a name have in common: its letters and digits, in lower case.
func fold(name string) string { return strings.ToLower(compact(name)) }
