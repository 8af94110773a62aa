package socket

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// FileSessions is a SessionStore that keeps each session in a file of its own in a directory, which
// must exist and should be readable by the program's user only. Sessions survive restarts. Put and
// Take return when their change would survive a loss of power, as far as the file system guarantees
// that. Only one process at a time may use the directory. The zero value is not usable: Dir must be
// set.
//
// Never restore the directory from a copy: sessions that were used would be used again.
type FileSessions struct {
	Dir string

	mu sync.Mutex
}

// maxSessionFile is larger than any session.
const maxSessionFile = 1 << 20

func (f *FileSessions) path(key string) (string, error) {
	if f.Dir == "" {
		return "", errors.New("session store: Dir is not set")
	}
	h := sha256.Sum256([]byte(key))
	return filepath.Join(f.Dir, hex.EncodeToString(h[:16])+".session"), nil
}

// Put stores blob in a file, which replaces an earlier one as a whole.
func (f *FileSessions) Put(key string, blob []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	path, err := f.path(key)
	if err != nil {
		return err
	}
	// Always the same name, so that the next Put removes the file that a crash leaves.
	name := path + ".new"
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("session store: %w", err)
	}
	tmp, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("session store: %w", err)
	}
	_, err = tmp.Write(blob)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(name, path)
	}
	if err != nil {
		_ = os.Remove(name)
		return fmt.Errorf("session store: %w", err)
	}
	return f.syncDir()
}

// Take reads the file, removes it, and returns its content.
func (f *FileSessions) Take(key string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path, err := f.path(key)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("session store: %w", err)
	}
	var blob []byte
	if info.Size() <= maxSessionFile {
		if blob, err = os.ReadFile(path); err != nil {
			return nil, fmt.Errorf("session store: %w", err)
		}
	}
	if err := os.Remove(path); err != nil {
		return nil, fmt.Errorf("session store: %w", err)
	}
	if err := f.syncDir(); err != nil {
		return nil, err
	}
	return blob, nil
}

// syncDir makes changes of the names in the directory durable.
func (f *FileSessions) syncDir() error {
	d, err := os.Open(f.Dir)
	if err != nil {
		return fmt.Errorf("session store: %w", err)
	}
	if err := errors.Join(syncDirectory(d), d.Close()); err != nil {
		return fmt.Errorf("session store: %w", err)
	}
	return nil
}
