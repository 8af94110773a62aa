package update

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"syscall"
	"unicode/utf8"
)

// Cause is why an update has failed. The values are those of Update Result of Firmware Update
// (/5/0/5).
type Cause uint8

// The causes.
const (
	NotEnoughStorage       Cause = 2
	OutOfRAM               Cause = 3
	ConnectionLost         Cause = 4
	IntegrityCheckFailed   Cause = 5
	UnsupportedPackageType Cause = 6
	InvalidURI             Cause = 7
	Failed                 Cause = 8
	UnsupportedProtocol    Cause = 9
)

// Failure is an error with a cause. Fail makes one.
type Failure struct {
	Cause Cause
	Err   error
}

// Fail returns an error with a cause. Failed, and a cause that is none of the constants, give way
// to a more specific one in err.
func Fail(c Cause, err error) error { return &Failure{c, err} }

func (f *Failure) Error() string { return fmt.Sprintf("%v (update result %d)", f.Err, f.Cause) }

func (f *Failure) Unwrap() error { return f.Err }

// CauseOf returns the cause of an error.
func CauseOf(err error, otherwise Cause) Cause {
	var f *Failure
	switch {
	case errors.As(err, &f) && f.Cause >= NotEnoughStorage && f.Cause <= UnsupportedProtocol && f.Cause != Failed:
		return f.Cause
	case errors.As(err, &f): // its cause may say more
		return CauseOf(f.Err, Failed)
	case errors.Is(err, syscall.ENOSPC):
		return NotEnoughStorage
	case errors.Is(err, syscall.ENOMEM):
		return OutOfRAM
	}
	return otherwise
}

// CheckURI returns why a URI cannot be downloaded. The text does not contain the URI, which may
// hold a token.
func CheckURI(uri string, schemes []string) error {
	parsed, err := url.Parse(uri)
	switch {
	case err != nil || parsed.Scheme == "" || parsed.Host == "":
		return Fail(InvalidURI, errors.New("the resource Package URI is no absolute URI"))
	case parsed.User != nil:
		return Fail(InvalidURI, errors.New("the resource Package URI contains a user name"))
	case !slices.Contains(schemes, parsed.Scheme):
		return Fail(UnsupportedProtocol, fmt.Errorf("the scheme %q is not supported", parsed.Scheme))
	}
	return nil
}

// maxText is how many characters of a name, a version and a Package URI servers can read.
const maxText = 255

// CheckText returns why servers cannot read a text, such as a version that the program has read
// from an image. An object with it could neither be shown nor be made.
func CheckText(what, s string) error {
	switch n := utf8.RuneCountInString(s); {
	case !utf8.ValidString(s):
		return fmt.Errorf("the %s is no UTF-8", what)
	case n > maxText:
		return fmt.Errorf("the %s has %d characters, servers can read %d", what, n, maxText)
	}
	return nil
}
