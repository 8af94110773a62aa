// Command bbolt-store keeps records of a device in a bbolt database instead of a store.Dir. It is a
// module of its own, so that no user of the toolkit inherits bbolt.
package main

import (
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/lwm2mgen/toolkit/runtime/store"
)

func main() {
	path := "device.db"
	if len(os.Args) > 1 {
		path = os.Args[1]
	}
	if err := run(path); err != nil {
		log.Fatal(err)
	}
}

// run counts its starts, and prints what the database holds.
func run(path string) (err error) {
	s, err := openBolt(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()

	starts := 0
	err = s.Load("starts", func(_ string, value []byte) error {
		_, err := fmt.Sscan(string(value), &starts)
		return err
	})
	if err != nil {
		return err
	}
	if err := s.Apply(store.Put("starts", fmt.Append(nil, starts+1))); err != nil {
		return err
	}
	return s.Load("", func(name string, value []byte) error {
		fmt.Printf("%s = %s\n", name, value)
		return nil
	})
}
