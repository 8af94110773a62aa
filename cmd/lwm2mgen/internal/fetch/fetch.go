// Package fetch downloads object definitions into a folder and keeps their sums in a lock file, so
// that every copy of a project uses the same definitions, and needs no network once it has them.
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

// Registry is the URL of OMA's repository of definitions.
const Registry = "https://raw.githubusercontent.com/OpenMobileAlliance/lwm2m-registry/prod"

// Fetcher downloads definitions. One goroutine at a time may use it.
type Fetcher struct {
	// Dir is the folder of the definitions and the lock file. Fetch creates it if it does not
	// exist.
	Dir string
	// Mirror is the URL of a copy of OMA's repository. The zero value means Registry.
	Mirror string
	// Client makes the requests. The zero value means a client with a timeout of 30 seconds.
	Client *http.Client
	// Progress is called with a line about each file and each failed attempt. The zero value means
	// no progress messages.
	Progress func(line string)
	// Pause waits between two attempts. The zero value means to wait for the duration, or until the
	// context is done.
	Pause func(context.Context, time.Duration) error
}

// Fetch downloads the definitions into the folder and writes their sums to the lock file. Without
// refs it downloads the definitions that the lock file lists. It leaves a file with the locked sum
// alone. Fetch tries all definitions; the error joins one error for each that failed.
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
		return fmt.Errorf("%s lists no definitions, name the objects to fetch", filepath.Join(f.Dir, LockName))
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
		return fmt.Errorf("%s: the file does not have the sum in %s, delete it to fetch it again", path, LockName)
	}
	data, err := f.download(ctx, ref, say)
	if err != nil {
		return err
	}
	switch {
	case locked != "" && sumOf(data) != locked:
		return fmt.Errorf("%s: the file in %s does not have the sum in %s, delete the line of %s there to accept the change",
			path, f.mirror(), LockName, ref.File())
	case !missing && sumOf(data) != sumOf(have):
		return fmt.Errorf("%s: the file differs from the one in %s, and %s does not list it, move it",
			path, f.mirror(), LockName)
	}
	say(fmt.Sprintf("%d bytes", len(data)))
	if err := replace(path, data); err != nil {
		return err
	}
	sums[ref.File()] = sumOf(data)
	return sums.write(f.Dir)
}

// download returns the definition from the first path that exists.
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

// verify checks that data defines the object, so that an error page is not written as a definition.
func verify(data []byte, ref Ref) error {
	objects, faults := omaxml.ReadBytes(ref.File(), data)
	i := slices.IndexFunc(objects, func(o registry.Object) bool { return o.ID == ref.ID })
	if i < 0 {
		for _, fault := range faults {
			if fault.Severity == registry.Error {
				return fmt.Errorf("this is not a definition of the object: %w", fault)
			}
		}
		return errors.New("this is not a definition of the object")
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
