package socket

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestFileSessions(t *testing.T) {
	dir := t.TempDir()
	var store SessionStore = &FileSessions{Dir: dir}
	for _, blob := range []string{"one", "another"} {
		if err := store.Put("a key/../with everything \x00", []byte(blob)); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Put("other", []byte("x")); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(files) != 2 {
		t.Errorf("files %q", files)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", f, info.Mode(), err)
		}
	}
	store = &FileSessions{Dir: dir} // after a restart
	for _, want := range []string{"another", ""} {
		got, err := store.Take("a key/../with everything \x00")
		if err != nil || string(got) != want {
			t.Errorf("Take: %q, %v; want %q", got, err, want)
		}
	}
	for _, bad := range []*FileSessions{{}, {Dir: filepath.Join(dir, "missing")}} {
		if err := bad.Put("k", nil); err == nil {
			t.Errorf("Put to %q succeeds", bad.Dir)
		}
	}
}

// TestFileSessionsAfterCrash: the next Put removes the file that a killed Put has left, which other
// users can never read.
func TestFileSessionsAfterCrash(t *testing.T) {
	store := &FileSessions{Dir: t.TempDir()}
	put := func() (files []os.DirEntry) {
		t.Helper()
		if err := store.Put("server", []byte("session")); err != nil {
			t.Fatal(err)
		}
		files, err := os.ReadDir(store.Dir)
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	name := put()[0].Name()
	half := filepath.Join(store.Dir, name+".new")
	if err := os.WriteFile(half, []byte("half a session, and a long one"), 0o666); err != nil {
		t.Fatal(err)
	}
	files := put()
	if len(files) != 1 || files[0].Name() != name {
		t.Errorf("the directory has %v, want %s alone", files, name)
	}
	if info, err := files[0].Info(); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if b, err := store.Take("server"); err != nil || string(b) != "session" {
		t.Errorf("%q, %v", b, err)
	}
}
