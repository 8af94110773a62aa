package names

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// pathParts are the parts of a path: the object, the instance, the resource and the resource
// instance. Instances are numbers, and names may contain slashes, such as "On/Off switch".
var pathParts = regexp.MustCompile(`^/?(.+?)(?:/([0-9]+)(?:/(.+?)(?:/([0-9]+))?)?)?$`)

// Path returns the path that a text names: "/3303/0/5700", "3303/0/5700", "Temperature/0/Sensor
// Value" or a mixture. Case, blanks and punctuation of names do not matter. If several objects have
// the name, those for which has returns true are meant.
func (b *Book) Path(text string, has func(dm.ObjectID) bool) (dm.Path, error) {
	if text == "/" {
		return dm.Path{}, nil
	}
	m := pathParts.FindStringSubmatch(text)
	if m == nil {
		return dm.Path{}, fmt.Errorf("%q is no path: write numbers or names, such as /3303/0/5700 or Temperature/0/SensorValue", text)
	}
	object, err := b.objectID(m[1], has)
	if err != nil {
		return dm.Path{}, err
	}
	ids := []string{object, m[2], m[3], m[4]}
	if m[3] != "" {
		if ids[2], err = b.resourceID(object, m[3]); err != nil {
			return dm.Path{}, err
		}
	}
	return dm.ParsePath("/" + strings.Join(slices.DeleteFunc(ids, func(id string) bool { return id == "" }), "/"))
}

func isNumber(s string) bool { return strings.Trim(s, "0123456789") == "" }

// objectID returns the ID of the object with a name. A number is its own ID.
func (b *Book) objectID(name string, has func(dm.ObjectID) bool) (string, error) {
	if isNumber(name) {
		return name, nil
	}
	var all, supported []*registry.Object
	for _, o := range b.Definitions() {
		if fold(o.Name) == fold(name) {
			all = append(all, o)
			if has != nil && has(dm.ObjectID(o.ID)) {
				supported = append(supported, o)
			}
		}
	}
	if len(supported) > 0 {
		all = supported
	}
	switch len(all) {
	case 0:
		return "", fmt.Errorf("no object is named %q; load definitions of your own with -objects", name)
	case 1:
		return fmt.Sprint(all[0].ID), nil
	}
	return "", fmt.Errorf("objects %d and %d are both named %q: use the number", all[0].ID, all[1].ID, name)
}

// resourceID returns the ID of the resource of an object with a name. A number is its own ID.
func (b *Book) resourceID(object, name string) (string, error) {
	if isNumber(name) {
		return name, nil
	}
	p, err := dm.ParsePath("/" + object)
	if err != nil {
		return "", err
	}
	o := b.objects[p.Object()]
	if o == nil {
		return "", fmt.Errorf("no definition of object %s is known: use the number of %q, or load the definition with -objects",
			object, name)
	}
	var found []uint16
	for _, r := range o.Resources {
		if fold(r.Name) == fold(name) {
			found = append(found, r.ID)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("%s (%d) has no resource named %q", o.Name, o.ID, name)
	case 1:
		return fmt.Sprint(found[0]), nil
	}
	return "", fmt.Errorf("resources %d and %d of %s are both named %q: use the number", found[0], found[1], o.Name, name)
}

// ObjectWord returns the shortest text for an object that Path understands: its name as one word,
// such as "OnOffSwitch", or its ID if the name is unknown or not unique.
func (b *Book) ObjectWord(id dm.ObjectID) string {
	if o := b.objects[id]; o != nil {
		if _, err := b.objectID(o.Name, nil); err == nil && !isNumber(compact(o.Name)) {
			return compact(o.Name)
		}
	}
	return fmt.Sprint(id)
}

// ResourceWord returns the shortest text for a resource that Path understands, as ObjectWord does.
func (b *Book) ResourceWord(object dm.ObjectID, id dm.ResourceID) string {
	if o := b.objects[object]; o != nil {
		if r := o.Resource(uint16(id)); r != nil {
			if _, err := b.resourceID(fmt.Sprint(object), r.Name); err == nil && !isNumber(compact(r.Name)) {
				return compact(r.Name)
			}
		}
	}
	return fmt.Sprint(id)
}
