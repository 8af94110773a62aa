package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"aead.dev/minisign"

	values "github.com/lwm2mgen/toolkit/generated/firmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
)

// installer is the firmwareupdate.Installer of a program that replaces itself.
type installer struct {
	program        program
	key            minisign.PublicKey
	allowDowngrade bool
	running        []byte        // the digest of the program that runs
	staged         chan struct{} // receives when a candidate is staged
}

// newInstaller returns the installer of the program that runs.
func newInstaller(p program, c *config) (*installer, error) {
	content, err := os.Open(p.path)
	if err != nil {
		return nil, err
	}
	defer content.Close()
	running, err := digest(content)
	return &installer{p, c.publicKey, c.allowDowngrade, running, make(chan struct{}, 1)}, err
}

func digest(content io.Reader) ([]byte, error) {
	h := sha256.New()
	_, err := io.Copy(h, content)
	return h.Sum(nil), err
}

// Verify refuses an image that is not signed, is for another platform, is older, or is the program
// that runs already.
func (i *installer) Verify(_ context.Context, image *firmwareupdate.Image) error {
	h, content, err := openImage(image.SectionReader)
	if err != nil {
		return err
	}
	sum := sha256.New()
	if err := copyVerified(sum, content, h, i.key); err != nil {
		return err
	}
	image.Name, image.Version = "selfupdate", h.version // signed, so worth showing
	if h.os != runtime.GOOS || h.arch != runtime.GOARCH {
		return unsupported(fmt.Errorf("the image is for %s/%s, not for %s/%s", h.os, h.arch, runtime.GOOS, runtime.GOARCH))
	}
	older, err := isOlder(h.version, version)
	switch {
	case err != nil:
		return unsupported(err)
	case older && !i.allowDowngrade:
		return firmwareupdate.Fail(values.UpdateResultUpdateFailed,
			fmt.Errorf("the image has version %s, which is older than %s", h.version, version))
	case bytes.Equal(sum.Sum(nil), i.running):
		return firmwareupdate.Fail(values.UpdateResultUpdateFailed, errors.New("the image holds the program that runs already"))
	}
	fmt.Printf("device: the image holds version %s, and its signature is good\n", h.version)
	return nil
}

// Install stages the program of the image. The signature is verified once more while it is written,
// because the image may have been stored for a long time.
func (i *installer) Install(_ context.Context, image *firmwareupdate.Image) (firmwareupdate.Outcome, error) {
	h, content, err := openImage(image.SectionReader)
	if err != nil {
		return 0, err
	}
	err = i.program.stage(func(to io.Writer) error { return copyVerified(to, content, h, i.key) })
	if err != nil {
		return 0, err
	}
	i.staged <- struct{}{}
	return firmwareupdate.Restarting, nil
}

// runs reports whether the program of an image is the one that runs. A program runs as the device
// only after it was promoted.
func (i *installer) runs(image *firmwareupdate.Image) bool {
	_, content, err := openImage(image.SectionReader)
	if err != nil {
		return false
	}
	sum, err := digest(content)
	return err == nil && bytes.Equal(sum, i.running)
}
