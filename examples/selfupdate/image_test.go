package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"testing"

	"aead.dev/minisign"
)

// otherKey returns a key that no device knows.
func otherKey(t *testing.T) minisign.PrivateKey {
	t.Helper()
	_, key, err := minisign.GenerateKey(nil)
	must(t, err)
	return key
}

// signed signs a program as version 1.5.0 for this platform, unless change says otherwise.
func signed(t *testing.T, key minisign.PrivateKey, program []byte, change func(*header)) []byte {
	t.Helper()
	h := header{version: "1.5.0", os: runtime.GOOS, arch: runtime.GOARCH}
	if change != nil {
		change(&h)
	}
	image, err := makeImage(key, program, h)
	must(t, err)
	return image
}

// TestMinisign: minisign verifies what sign has signed with a key of keygen, and signs with that
// key; an image is what minisign has signed, also with a key of its own, followed by the program.
func TestMinisign(t *testing.T) {
	tool, err := exec.LookPath("minisign")
	if err != nil {
		t.Skip("it needs minisign, which is not installed")
	}
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	minisignTool := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
			t.Fatalf("minisign %v: %v\n%s", args, err, out)
		}
	}
	program := []byte("a program\n")
	must(t, os.WriteFile(file("program"), program, 0o600))

	must(t, keygen([]string{file("ours")}))
	must(t, sign([]string{"-key", file("ours.key"), "-version", "1.2.3", "-os", "linux", "-arch", "mips", file("program")}))
	image, err := os.ReadFile(file("program.image"))
	must(t, err)
	must(t, os.WriteFile(file("program.minisig"), bytes.TrimSuffix(image, program), 0o600))
	minisignTool("-V", "-p", file("ours.pub"), "-m", file("program"))
	verifyImage(t, image, file("ours.pub"), program, header{version: "1.2.3", os: "linux", arch: "mips", size: int64(len(program))})

	minisignTool("-S", "-s", file("ours.key"), "-m", file("program"), "-t", "version:1.2.4 os:linux arch:mips")
	signature, err := os.ReadFile(file("program.minisig"))
	must(t, err)
	verifyImage(t, append(signature, program...), file("ours.pub"), program, header{version: "1.2.4", os: "linux", arch: "mips"})

	minisignTool("-G", "-W", "-p", file("theirs.pub"), "-s", file("theirs.key"))
	minisignTool("-S", "-s", file("theirs.key"), "-m", file("program"), "-t", "version:4.5 os:plan9 arch:arm")
	signature, err = os.ReadFile(file("program.minisig"))
	must(t, err)
	verifyImage(t, append(signature, program...), file("theirs.pub"), program, header{version: "4.5", os: "plan9", arch: "arm"})
}

// verifyImage fails unless an image holds a program with a header, signed by the key in a file.
func verifyImage(t *testing.T, image []byte, keyFile string, program []byte, want header) {
	t.Helper()
	key, err := minisign.PublicKeyFromFile(keyFile)
	must(t, err)
	h, content, err := openImage(io.NewSectionReader(bytes.NewReader(image), 0, int64(len(image))))
	must(t, err)
	var got bytes.Buffer
	must(t, copyVerified(&got, content, h, key))
	if h.signature = nil; !reflect.DeepEqual(h, want) || !bytes.Equal(got.Bytes(), program) {
		t.Errorf("the image holds %q with %+v, want %+v", got.Bytes(), h, want)
	}
}

// Each byte of an image is protected, except for the untrusted comment and for bits that base64
// leaves unused.
func TestEveryFlippedByteIsFound(t *testing.T) {
	public, key, err := minisign.GenerateKey(nil)
	must(t, err)
	image := signed(t, key, []byte("a program"), nil)
	var was minisign.Signature
	must(t, was.UnmarshalText(image[:headerLength(image)]))
	for i := range image {
		damaged := bytes.Clone(image)
		damaged[i] ^= 1
		h, content, err := openImage(io.NewSectionReader(bytes.NewReader(damaged), 0, int64(len(damaged))))
		if err == nil {
			err = copyVerified(io.Discard, content, h, public)
		}
		var is minisign.Signature // without the untrusted comment
		same := i < headerLength(image) && is.UnmarshalText(h.signature) == nil && was.Equal(is)
		if err == nil && !same {
			t.Errorf("byte %d, %q, can be changed", i, image[i])
		}
	}
	for n := range image {
		h, content, err := openImage(io.NewSectionReader(bytes.NewReader(image), 0, int64(n)))
		if err == nil && copyVerified(io.Discard, content, h, public) == nil {
			t.Errorf("%d of %d bytes are an image", n, len(image))
		}
	}
}

func TestVersions(t *testing.T) {
	for _, c := range []struct {
		version, than string
		older         bool
	}{
		{"1.9", "1.10", true}, {"1.10", "1.9", false}, {"1.2.3", "1.2.3", false}, {"1.2", "1.2.0", true}, {"2", "1.9.9", false},
	} {
		if older, err := isOlder(c.version, c.than); older != c.older || err != nil {
			t.Errorf("%s is older than %s: %v (%v)", c.version, c.than, older, err)
		}
	}
	for _, bad := range []string{"", "v1.2", "1..2", "1.2-rc1", "-1"} {
		if _, err := parseVersion(bad); err == nil {
			t.Errorf("%q is taken for a version", bad)
		}
	}
}
