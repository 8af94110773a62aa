package fetch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// LockName is the name of the lock file in the folder of the definitions.
const LockName = "lwm2m.lock"

// lock holds the SHA-256 sum of each file, in hexadecimal.
type lock map[string]string

// readLock reads the lock file of a folder. A missing file is an empty lock.
func readLock(dir string) (lock, error) {
	path := filepath.Join(dir, LockName)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return lock{}, nil
	}
	if err != nil {
		return nil, err
	}
	l := lock{}
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSuffix(line, "\r")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		sum, name, ok := strings.Cut(line, "  ")
		if _, isRef := refOfFile(name); !ok || !isRef || !isSum(sum) {
			return nil, fmt.Errorf("%s:%d: write a SHA-256 sum, two blanks and the name of a definition, or delete the line",
				path, i+1)
		}
		if l[name] != "" {
			return nil, fmt.Errorf("%s:%d: %s has a sum already, delete one of the two lines", path, i+1, name)
		}
		l[name] = sum
	}
	return l, nil
}

func isSum(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size && strings.ToLower(s) == s
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// write replaces the lock file of a folder.
func (l lock) write(dir string) error {
	var b bytes.Buffer
	b.WriteString("# SHA-256 sums of object definitions, kept by lwm2mgen fetch.\n")
	for _, name := range l.files() {
		fmt.Fprintf(&b, "%s  %s\n", l[name], name)
	}
	return replace(filepath.Join(dir, LockName), b.Bytes())
}

// files returns the names of the locked files in order of objects and versions.
func (l lock) files() []string {
	return slices.SortedFunc(maps.Keys(l), func(a, b string) int {
		x, _ := refOfFile(a)
		y, _ := refOfFile(b)
		if x.ID != y.ID {
			return int(x.ID) - int(y.ID)
		}
		if x.Version.IsZero() != y.Version.IsZero() {
			return strings.Compare(b, a) // the newest comes first
		}
		return x.Version.Compare(y.Version)
	})
}

// replace replaces a file atomically, so that a crash leaves either the old content or the new.
func replace(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails after a successful rename
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
