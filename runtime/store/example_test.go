package store_test

import (
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/lwm2mgen/toolkit/runtime/store"
)

func Example() {
	dir, err := os.MkdirTemp("", "store")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	s, err := store.OpenDir(dir, store.Config{})
	if err != nil {
		log.Fatal(err)
	}
	err = s.Apply(
		store.Put("dm/3308/0", []byte("21.5")),
		store.Put("reg/101", []byte("/rd/7")),
	)
	if err != nil {
		log.Fatal(err)
	}
	if err := s.Close(); err != nil {
		log.Fatal(err)
	}

	// After a restart:
	if s, err = store.OpenDir(dir, store.Config{}); err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	err = s.Load("", func(name string, value []byte) error {
		fmt.Printf("%s = %s\n", name, value)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// dm/3308/0 = 21.5
	// reg/101 = /rd/7
}

// A device always starts: it puts a damaged store aside and begins with its factory settings.
func ExampleReset() {
	open := func(dir string) (*store.Dir, error) {
		s, err := store.OpenDir(dir, store.Config{})
		var damage *store.DamageError
		if !errors.As(err, &damage) {
			return s, err
		}
		log.Print(err)
		if _, err := store.Reset(dir); err != nil {
			return nil, err
		}
		return store.OpenDir(dir, store.Config{})
	}

	dir, err := os.MkdirTemp("", "store")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	s, err := open(dir)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Close())
	// Output: <nil>
}
