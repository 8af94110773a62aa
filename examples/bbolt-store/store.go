package main

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/lwm2mgen/toolkit/runtime/store"
)

// boltStore is a store.Store in a bbolt database.
type boltStore struct{ db *bbolt.DB }

var _ store.Store = boltStore{}

var bucket = []byte("lwm2m")

func openBolt(path string) (boltStore, error) {
	// Without a timeout, Open waits for another process that uses the database.
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return boltStore{}, fmt.Errorf("%s: %w", path, store.ErrInUse)
	}
	if err != nil {
		return boltStore{}, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucket)
		return err
	})
	if err != nil {
		return boltStore{}, errors.Join(err, db.Close())
	}
	return boltStore{db}, nil
}

// Apply is one transaction of bbolt, which is durable when Update returns.
func (s boltStore) Apply(changes ...store.Change) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucket)
		for _, c := range changes {
			var err error
			if c.Delete {
				err = b.Delete([]byte(c.Name))
			} else {
				err = b.Put([]byte(c.Name), c.Value)
			}
			if err != nil {
				return fmt.Errorf("%v: %w", c, err)
			}
		}
		return nil
	})
}

func (s boltStore) Load(prefix string, f func(name string, value []byte) error) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		p := []byte(prefix)
		c := tx.Bucket(bucket).Cursor()
		for k, v := c.Seek(p); k != nil && bytes.HasPrefix(k, p); k, v = c.Next() {
			if err := f(string(k), v); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s boltStore) Close() error { return s.db.Close() }
