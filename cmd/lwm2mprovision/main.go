// Lwm2mprovision makes factory files: the accounts, keys and rights that a device is made with.
//
//	lwm2mprovision [-format cbor|json] [-objects XML]... [-set NAME=VALUE]... [-csv FILE]
//	        -o FILE YAML
//	        make a factory file, or one for each row of a CSV file
//	lwm2mprovision check [-objects XML]... FILE
//	        report what is wrong with a factory file
//	lwm2mprovision show [-objects XML]... FILE
//	        print a factory file without its secrets
//
// A factory file is what lwm2m.Config.Factory reads. The exit status is 1 if an input has a
// mistake, and 2 if the command line has one.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/lwm2mgen/toolkit/internal/factoryfile"
	"github.com/lwm2mgen/toolkit/internal/names"
	"github.com/lwm2mgen/toolkit/runtime/content"
)

// Exit codes.
const (
	exitFailed = 1
	exitUsage  = 2
)

const usage = `lwm2mprovision: makes factory files for lwm2m.Config.Factory

Usage:

   lwm2mprovision [-format cbor|json] [-objects XML]... [-set NAME=VALUE]... [-csv FILE] -o FILE YAML
   lwm2mprovision check [-objects XML]... FILE
   lwm2mprovision show [-objects XML]... FILE

The first form makes a factory file, which only its owner can read, because it holds keys. With -csv it
makes one for each row; -o then contains a variable, such as out/${endpoint}.cbor. check reports what is
wrong with a factory file. show prints one without its secrets.

Flags:

`

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// options are the flags.
type options struct {
	objects, set list
	format       content.Format
	csv, out     string
	file         string
}

// list is a flag that may be given several times.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }

// run runs one command line and returns its exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	command := "make"
	if len(args) > 0 && (args[0] == "check" || args[0] == "show") {
		command, args = args[0], args[1:]
	}
	o, err := parse(command, args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "lwm2mprovision: %v; see lwm2mprovision -help\n", err)
		return exitUsage
	}
	book, err := names.NewBook()
	for _, file := range o.objects {
		if err == nil {
			err = book.Load(file)
		}
	}
	if err == nil {
		switch command {
		case "make":
			err = provision(o, book, stdin, stdout)
		default:
			err = inspect(o, book, command == "show", stdout)
		}
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return exitFailed
	}
	return 0
}

func parse(command string, args []string, stderr io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("lwm2mprovision", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Var(&o.objects, "objects", "know the object definitions in `XML`, a file or a folder; may be given several times;\n"+
		"the objects that the toolkit ships are known without it")
	format := "cbor"
	if command == "make" {
		f.StringVar(&format, "format", format, "write SenML in `cbor|json`")
		f.Var(&o.set, "set", "set a variable: `NAME=VALUE`; may be given several times")
		f.StringVar(&o.csv, "csv", "", "make a file for each row of `FILE`; its first row names the variables")
		f.StringVar(&o.out, "o", "", "write to `FILE`; - is the standard output")
	}
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(stderr, usage)
			f.SetOutput(stderr)
			f.PrintDefaults()
		}
		return o, err
	}
	switch {
	case f.NArg() != 1:
		return o, errors.New("name one file, behind the flags")
	case command == "make" && o.out == "":
		return o, errors.New("name the factory file with -o, or write -o - for the standard output")
	case format != "cbor" && format != "json":
		return o, fmt.Errorf("-format is %q, write cbor or json", format)
	}
	o.format = map[string]content.Format{"cbor": content.SenMLCBOR, "json": content.SenMLJSON}[format]
	o.file = f.Arg(0)
	return o, nil
}

// inspect checks or shows a factory file.
func inspect(o options, book *names.Book, show bool, stdout io.Writer) error {
	data, err := os.ReadFile(o.file)
	if err != nil {
		return err
	}
	entries, format, err := factoryfile.Decode(data, book)
	if err != nil {
		return fmt.Errorf("%s: %w", o.file, err)
	}
	if show {
		return factoryfile.Show(stdout, entries, book)
	}
	var errs []error
	for _, f := range factoryfile.Check(entries, book) {
		errs = append(errs, fmt.Errorf("%s: %s: %s", o.file, f.Path, f.Text))
	}
	if len(errs) == 0 {
		fmt.Fprintf(stdout, "%s: %s, %d values, no mistakes\n", o.file, format, len(entries))
	}
	return errors.Join(errs...)
}
