package main

import (
	"bytes"
	"debug/buildinfo"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"aead.dev/minisign"
)

// keygen makes a pair of keys: NAME.key, which signs, and NAME.pub, which devices get. minisign
// reads both.
func keygen(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: selfupdate keygen NAME")
	}
	public, private, err := minisign.GenerateKey(nil)
	if err != nil {
		return err
	}
	secret, err := private.MarshalText()
	if err != nil {
		return err
	}
	text, err := public.MarshalText()
	if err != nil {
		return err
	}
	if err := writeNew(args[0]+".key", append(secret, '\n'), 0o600); err != nil {
		return err
	}
	if err := writeNew(args[0]+".pub", append(text, '\n'), 0o644); err != nil {
		return err
	}
	fmt.Printf("%s.key signs images: keep it secret. %s.pub is for devices.\n", args[0], args[0])
	return nil
}

// writeNew writes a file that does not exist yet.
func writeNew(path string, content []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

// sign makes the image of a program.
func sign(args []string) error {
	f := flag.NewFlagSet("selfupdate sign", flag.ExitOnError)
	keyFile := f.String("key", "", "file with the secret key, of keygen or of minisign -G -W; required")
	out := f.String("out", "", "file for the image (default PROGRAM.image)")
	var h header
	f.StringVar(&h.version, "version", "", "version of the program, such as 1.2.3; required")
	f.StringVar(&h.os, "os", "", "operating system, as GOOS (default that of a Go program)")
	f.StringVar(&h.arch, "arch", "", "architecture, as GOARCH (default that of a Go program)")
	_ = f.Parse(args) // it ends the program at an error
	if f.NArg() != 1 {
		return errors.New("usage: selfupdate sign -key FILE -version 1.2.3 PROGRAM")
	}
	program, err := os.ReadFile(f.Arg(0))
	if err != nil {
		return err
	}
	if err := h.setPlatform(program); err != nil {
		return fmt.Errorf("%s: %w", f.Arg(0), err)
	}
	key, err := readKey(*keyFile)
	if err != nil {
		return fmt.Errorf("-key: %w", err)
	}
	image, err := makeImage(key, program, h)
	if err != nil {
		return err
	}
	if *out == "" {
		*out = f.Arg(0) + ".image"
	}
	if err := os.WriteFile(*out, image, 0o644); err != nil {
		return err
	}
	fmt.Printf("%s holds version %s for %s/%s, signed by the key %X\n", *out, h.version, h.os, h.arch, key.ID())
	return nil
}

// readKey reads a secret key that has no password.
func readKey(file string) (key minisign.PrivateKey, err error) {
	text, err := os.ReadFile(file)
	switch {
	case err != nil:
	case minisign.IsEncrypted(text):
		err = errors.New("the key has a password: sign with minisign, and put the signature before the program")
	default:
		err = key.UnmarshalText(text)
	}
	return key, err
}

// setPlatform sets the platform from the build information of a Go program, unless it is set.
func (h *header) setPlatform(program []byte) error {
	info, err := buildinfo.Read(bytes.NewReader(program))
	if err != nil && (h.os == "" || h.arch == "") {
		return fmt.Errorf("set -os and -arch: %w", err)
	}
	if err != nil {
		return nil
	}
	for _, s := range info.Settings {
		if s.Key == "GOOS" && h.os == "" {
			h.os = s.Value
		}
		if s.Key == "GOARCH" && h.arch == "" {
			h.arch = s.Value
		}
	}
	return nil
}

// makeImage returns the image of a program.
func makeImage(key minisign.PrivateKey, program []byte, h header) ([]byte, error) {
	h.size = int64(len(program))
	r := minisign.NewReader(bytes.NewReader(program))
	if _, err := io.Copy(io.Discard, r); err != nil {
		return nil, err
	}
	signature := r.SignWithComments(key, h.trustedComment(), "signature of a program")
	if _, err := parseHeader(signature); err != nil { // such as a version of another form
		return nil, err
	}
	return append(signature, program...), nil
}
