// Package fetch downloads object definitions into a folder and keeps their sums in a lock file, so
// that the same definitions are used everywhere and, once there, without a network.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/registry/omaxml"
)

// Registry is where OMA publishes its repository of definitions.
const Registry = "https://raw.githubusercontent.com/OpenMobileAlliance/lwm2m-registry/prod"

// Fetcher downloads definitions. It is used by one goroutine.
type Fetcher struct {
	// Dir is the folder of the definitions and the lock file; it is made when it is missing.
	Dir string
	// Mirror is the address of a copy of OMA's repository. Empty means Registry.
	Mirror string
	// Client makes the requests. Nil means one that gives each of them 30 seconds.
	Client *http.Client
	// Progress is told one line about each file and each further attempt. Nil means not at all.
	Progress func(line string)
	// Pause waits between two attempts. Nil means as long as it is told, or until the context is done.
	Pause func(context.Context, time.Duration) error
}

// Fetch brings the definitions into the folder and their sums into the lock file; without any it
// brings what the lock file lists. A file whose sum is as locked stays as it is. All definitions are tried; the
// error joins one for each that could not be had.
func (f *Fetcher) Fetch(ctx context.Context, refs []Ref) error {
	if err := checkMirror(f.mirror()); err != nil {
		return err
	}
	sums, err := readLock(f.Dir)
	if err != nil {
		return err
	}
	if len(refs) == 0 {
		for _, name := range sums.files() {
			ref, _ := refOfFile(name)
			refs = append(refs, ref)
		}
	}
	if len(refs) == 0 {
		return fmt.Errorf("%s lists nothing, name the objects to fetch", filepath.Join(f.Dir, LockName))
	}
	if err := os.MkdirAll(f.Dir, 0o777); err != nil {
		return err
	}
	var errs error
	for i, ref := range refs {
		prefix := fmt.Sprintf("[%d/%d] %s: ", i+1, len(refs), ref.File())
		errs = errors.Join(errs, f.fetch(ctx, ref, sums, func(line string) { f.say(prefix + line) }))
		if ctx.Err() != nil {
			break
		}
	}
	return errs
}

func (f *Fetcher) fetch(ctx context.Context, ref Ref, sums lock, say func(string)) error {
	path := filepath.Join(f.Dir, ref.File())
	have, err := os.ReadFile(path)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return err
	}
	locked := sums[ref.File()]
	if !missing && locked != "" {
		if sumOf(have) == locked {
			say("up to date")
			return nil
		}
		return fmt.Errorf("%s: the file is not the one that %s locks, delete it to fetch it again", path, LockName)
	}
	data, err := f.download(ctx, ref, say)
	if err != nil {
		return err
	}
	switch {
	case locked != "" && sumOf(data) != locked:
		return fmt.Errorf("%s: what %s has now is not what %s locks, delete the line of %s there to accept the change",
			path, f.mirror(), LockName, ref.File())
	case !missing && sumOf(data) != sumOf(have):
		return fmt.Errorf("%s: the file differs from what %s has, and %s does not list it; move it away", path, f.mirror(), LockName)
	}
	say(fmt.Sprintf("%d bytes", len(data)))
	if err := replace(path, data); err != nil {
		return err
	}
	sums[ref.File()] = sumOf(data)
	return sums.write(f.Dir)
}

// download returns the definition from the first place that has it.
func (f *Fetcher) download(ctx context.Context, ref Ref, say func(string)) ([]byte, error) {
	for _, path := range ref.paths() {
		url := strings.TrimSuffix(f.mirror(), "/") + "/" + path
		data, err := f.get(ctx, url, say)
		if errors.Is(err, errNotFound) {
			continue
		}
		if err == nil {
			err = verify(data, ref)
		}
		if err != nil {
			return nil, fmt.Errorf("object %s: %s: %w", ref, url, err)
		}
		return data, nil
	}
	return nil, fmt.Errorf("object %s is not in %s, see the registry for its IDs and versions", ref, f.mirror())
}

// verify checks that data defines the object, so that no error page is ever kept as a definition.
func verify(data []byte, ref Ref) error {
	objects, faults := omaxml.ReadBytes(ref.File(), data)
	i := slices.IndexFunc(objects, func(o registry.Object) bool { return o.ID == ref.ID })
	if i < 0 {
		for _, fault := range faults {
			if fault.Severity == registry.Error {
				return fmt.Errorf("this is no definition of the object: %w", fault)
			}
		}
		return errors.New("this is no definition of the object")
	}
	if v := objects[i].Version; !ref.Version.IsZero() && v.Compare(ref.Version) != 0 {
		return fmt.Errorf("this is version %s, and there is no file of version %s", v, ref.Version)
	}
	return nil
}

func (f *Fetcher) mirror() string {
	if f.Mirror == "" {
		return Registry
	}
	return f.Mirror
}

func (f *Fetcher) say(line string) {
	if f.Progress != nil {
		f.Progress(line)
	}
}
