// Command lwm2mstore checks and repairs the directory in which a device keeps its records
// (runtime/store). It runs on the device, while the device's program does not.
//
//	lwm2mstore check DIR               report on the store, and change nothing
//	lwm2mstore repair DIR [PREFIX...]  return to the last state before the damage
//	lwm2mstore reset DIR               put the store aside
//
// Repair deletes the records whose names begin with one of the prefixes. After reset the device
// starts from its factory settings.
//
// A sealed store needs -key FILE for repair: a file of 32 bytes.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/lwm2mgen/toolkit/runtime/store"
)

const usage = `usage: lwm2mstore [-key FILE] check DIR
       lwm2mstore [-key FILE] repair DIR [PREFIX...]
       lwm2mstore reset DIR`

// errDamaged makes check exit with 1: its report says the rest.
var errDamaged = errors.New("the store is damaged")

func main() {
	switch err := run(os.Args[1:], os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errDamaged):
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "lwm2mstore:", err)
		os.Exit(2)
	}
}

func run(args []string, out, messages io.Writer) error {
	flags := flag.NewFlagSet("lwm2mstore", flag.ContinueOnError)
	flags.SetOutput(messages)
	flags.Usage = func() { fmt.Fprintln(messages, usage) }
	keyFile := flags.String("key", "", "the file of the key of a sealed store")
	if err := flags.Parse(args); err != nil {
		return err
	}
	cfg, err := config(*keyFile)
	if err != nil {
		return err
	}
	verb, dir := flags.Arg(0), flags.Arg(1)
	if dir == "" || verb != "repair" && flags.NArg() > 2 {
		return errors.New(usage)
	}
	switch verb {
	case "check":
		report, err := store.Check(dir, cfg)
		if err != nil {
			return err
		}
		fmt.Fprintln(out, report)
		if report.Damage != nil {
			return errDamaged
		}
		return nil
	case "repair":
		report, err := store.Repair(dir, cfg, flags.Args()[2:]...)
		if err != nil {
			return err
		}
		fmt.Fprintln(out, report)
		if report.Damage != nil {
			fmt.Fprintln(out, "repaired; the damaged file is kept as data.damaged")
		}
		return nil
	case "reset":
		kept, err := store.Reset(dir)
		if err == nil && kept != "" {
			fmt.Fprintln(out, "the store is kept as", kept)
		}
		return err
	}
	return errors.New(usage)
}

// config returns the configuration with the key of a file.
func config(keyFile string) (store.Config, error) {
	if keyFile == "" {
		return store.Config{}, nil
	}
	b, err := os.ReadFile(keyFile)
	if err != nil {
		return store.Config{}, err
	}
	key, err := store.NewKey(b)
	if err != nil {
		return store.Config{}, fmt.Errorf("%s: %w", keyFile, err)
	}
	return store.Config{Key: key}, nil
}
