package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"aead.dev/minisign"

	values "github.com/lwm2mgen/toolkit/generated/firmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
)

// maxHeader bounds the signature file at the beginning of an image, in bytes. minisign bounds a
// trusted comment to 8192.
const maxHeader = 16 << 10

// header is what the signature file at the beginning of an image says about the program.
type header struct {
	signature []byte // as in the .minisig file
	version   string
	os, arch  string
	size      int64 // of the program in bytes, 0 if the header does not say
}

// headerLength returns the length of the signature file at the beginning of an image: four lines.
// It is 0 if start does not hold four lines yet.
func headerLength(start []byte) int {
	end := 0
	for range 4 {
		i := bytes.IndexByte(start[end:], '\n')
		if i < 0 {
			return 0
		}
		end += i + 1
	}
	return end
}

// parseHeader parses a signature file. The result is worth nothing until the signature is verified.
func parseHeader(signature []byte) (header, error) {
	var s minisign.Signature
	if err := s.UnmarshalText(signature); err != nil {
		return header{}, fmt.Errorf("it does not begin with a signature: %w", err)
	}
	if s.Algorithm != minisign.HashEdDSA {
		return header{}, errors.New("the signature is of the legacy form: sign with minisign 0.10 or newer, or with -H")
	}
	h := header{signature: signature}
	for _, word := range strings.Fields(s.TrustedComment) {
		switch key, value, _ := strings.Cut(word, ":"); key {
		case "version":
			h.version = value
		case "os":
			h.os = value
		case "arch":
			h.arch = value
		case "size":
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil || n < 0 {
				return header{}, fmt.Errorf("the trusted comment has the size %q", value)
			}
			h.size = n
		}
	}
	if _, err := parseVersion(h.version); err != nil {
		return header{}, fmt.Errorf("the trusted comment %q: %w", s.TrustedComment, err)
	}
	return h, nil
}

// trustedComment returns the trusted comment from which parseHeader reads the same.
func (h header) trustedComment() string {
	return fmt.Sprintf("version:%s os:%s arch:%s size:%d", h.version, h.os, h.arch, h.size)
}

// openImage returns the header of an image, and a reader of the program in it. It does not verify
// the signature.
func openImage(image *io.SectionReader) (header, *io.SectionReader, error) {
	start := make([]byte, min(maxHeader, image.Size()))
	if _, err := image.ReadAt(start, 0); err != nil && !errors.Is(err, io.EOF) {
		return header{}, nil, err
	}
	n := headerLength(start)
	if n == 0 {
		return header{}, nil, unsupported(errors.New("the image does not begin with the four lines of a signature"))
	}
	h, err := parseHeader(start[:n])
	if err != nil {
		return header{}, nil, unsupported(fmt.Errorf("the image: %w", err))
	}
	return h, io.NewSectionReader(image, int64(n), image.Size()-int64(n)), nil
}

// copyVerified copies a program, and returns an error unless the signature of the header is that of
// the whole program by the key. What was copied before an error is worth nothing.
func copyVerified(to io.Writer, program io.Reader, h header, key minisign.PublicKey) error {
	r := minisign.NewReader(program)
	if _, err := io.Copy(to, r); err != nil {
		return err
	}
	if !r.Verify(key, h.signature) {
		return firmwareupdate.Fail(values.UpdateResultIntegrityCheckFailed,
			fmt.Errorf("the image is not signed by the key %X, or damaged", key.ID()))
	}
	return nil
}

// unsupported returns an error with the Update Result 6.
func unsupported(err error) error {
	return firmwareupdate.Fail(values.UpdateResultUnsupportedPackageType, err)
}

// parseVersion parses a version: numbers with points between them, the most significant first.
func parseVersion(version string) ([]uint64, error) {
	var numbers []uint64
	for _, part := range strings.Split(version, ".") {
		n, err := strconv.ParseUint(part, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("the version %q is not of the form 1.2.3", version)
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

// isOlder reports whether a version is older than another one.
func isOlder(version, than string) (bool, error) {
	a, err := parseVersion(version)
	if err != nil {
		return false, err
	}
	b, err := parseVersion(than)
	return slices.Compare(a, b) < 0, err
}
