package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/lwm2mgen/toolkit/internal/factoryfile"
	"github.com/lwm2mgen/toolkit/internal/names"
)

// product is one factory file that is to be written.
type product struct {
	file string
	data []byte
}

// provision makes factory files. It writes none if one of them has a mistake.
func provision(o options, book *names.Book, stdin io.Reader, stdout io.Writer) error {
	text, err := os.ReadFile(o.file)
	if err != nil {
		return err
	}
	devices, err := readDevices(o)
	if err != nil {
		return err
	}
	in := factoryfile.Inputs{
		ReadFile: func(name string) ([]byte, error) {
			if !filepath.IsAbs(name) {
				name = filepath.Join(filepath.Dir(o.file), name)
			}
			return os.ReadFile(name)
		},
		Getenv: os.LookupEnv,
		Stdin:  readOnce(stdin),
	}
	var products []product
	var errs []error
	seen := map[string]bool{}
	for i, vars := range devices {
		in.Vars = vars
		p, err := makeProduct(o, book, text, in)
		switch {
		case err != nil && o.csv != "":
			errs = append(errs, fmt.Errorf("%s: the device in row %d:\n%w", o.csv, i+2, err))
		case err != nil:
			errs = append(errs, err)
		case seen[p.file]:
			return fmt.Errorf("lwm2mprovision: two rows of %s give the file %s: let -o contain a variable that differs, such as ${endpoint}", o.csv, p.file)
		}
		seen[p.file] = true
		products = append(products, p)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, p := range products {
		if p.file == "-" {
			_, err = stdout.Write(p.data)
		} else {
			err = replaceFile(p.file, p.data)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func makeProduct(o options, book *names.Book, text []byte, in factoryfile.Inputs) (product, error) {
	file, unknown := factoryfile.Expand(o.out, in.Vars)
	if len(unknown) > 0 {
		return product{}, fmt.Errorf("lwm2mprovision: -o contains the variable ${%s}, which is not set", unknown[0])
	}
	entries, err := factoryfile.Build(o.file, text, book, in)
	if err != nil {
		return product{}, err
	}
	data, err := factoryfile.Encode(o.format, entries)
	return product{file, data}, err
}

// readDevices returns the variables of each device.
func readDevices(o options) ([]map[string]string, error) {
	common := map[string]string{}
	for _, s := range o.set {
		name, value, ok := strings.Cut(s, "=")
		if !ok || name == "" {
			return nil, errors.New("lwm2mprovision: -set has no =, write NAME=VALUE")
		}
		common[name] = value
	}
	if o.csv == "" {
		return []map[string]string{common}, nil
	}
	f, err := os.Open(o.csv)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.csv, err)
	}
	if len(rows) < 2 {
		return nil, fmt.Errorf("%s:1: the file has no devices, write the names of variables in the first row and a device in each other", o.csv)
	}
	var devices []map[string]string
	for _, row := range rows[1:] {
		vars := maps.Clone(common)
		for i, name := range rows[0] {
			vars[strings.TrimSpace(name)] = row[i]
		}
		devices = append(devices, vars)
	}
	return devices, nil
}

// readOnce returns a function that reads the standard input at its first call.
func readOnce(stdin io.Reader) func() ([]byte, error) {
	var data []byte
	read := false
	return func() (_ []byte, err error) {
		if !read {
			read = true
			data, err = io.ReadAll(io.LimitReader(stdin, 1<<20))
		}
		return data, err
	}
}

// replaceFile replaces a file atomically by one that only its owner can read.
func replaceFile(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails after a successful rename
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
