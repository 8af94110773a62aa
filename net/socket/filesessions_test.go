package socket

import (
	"os"
	"path/filepath"
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
