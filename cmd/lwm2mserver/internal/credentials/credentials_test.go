package credentials

import (
	"bytes"
	"crypto/x509"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, []string{"localhost", "127.0.0.1", "::1"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Credentials are made once, for the user alone, and stay.
func TestCredentialsStay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "by the server")
	first := open(t, dir)
	if !first.Made || first.PSK.Len() != 16 {
		t.Errorf("made is %v, the key has %d bytes", first.Made, first.PSK.Len())
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 5 {
		t.Fatalf("%v, %v", entries, err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has the mode %v, %v", e.Name(), info.Mode(), err)
		}
	}
	if info, err := os.Stat(dir); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has the mode %v, %v", info.Mode(), err)
	}
	again := open(t, dir)
	if again.Made || !bytes.Equal(first.PSK.Bytes(), again.PSK.Bytes()) || !first.Server.Leaf.Equal(again.Server.Leaf) {
		t.Error("the second start has other credentials")
	}
	for _, host := range []string{"localhost", "127.0.0.1", "::1"} {
		if err := again.Server.Leaf.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
	if _, err := again.Server.Leaf.Verify(x509.VerifyOptions{Roots: again.Devices}); err == nil {
		t.Error("the server's certificate is taken for a device's")
	}
}

func TestFlags(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "my keys"))
	if got := s.PSKFlags(); !regexp.MustCompile(`^-psk-identity device -psk-key [0-9a-f]{32}$`).MatchString(got) {
		t.Errorf("the flags are %s", got)
	}
	want := regexp.MustCompile(`^-cert '/.*/my keys/device.pem' -key '/.*/device-key.pem' -server-cert '/.*/server.pem'$`)
	if got := s.CertificateFlags(); runtime.GOOS != "windows" && !want.MatchString(got) {
		t.Errorf("the flags are %s", got)
	}
}

// An unusable file is an error that says what to do, and shows nothing of the file.
func TestUnusableFiles(t *testing.T) {
	for file, want := range map[string]string{
		pskFile:        "delete it, and the next start makes one",
		serverCertFile: "the next start makes new ones",
		deviceKeyFile:  "the next start makes new ones",
	} {
		dir := t.TempDir()
		open(t, dir)
		if err := os.WriteFile(filepath.Join(dir, file), []byte("0123 of no use"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(dir, nil)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "0123") {
			t.Errorf("%s: %v", file, err)
		}
	}
}
