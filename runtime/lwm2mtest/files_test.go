package lwm2mtest_test

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// TestStartHTTP serves a file over HTTP, and breaks the first response.
func TestStartHTTP(t *testing.T) {
	srv := lwm2mtest.NewServer(t)
	image := bytes.Repeat([]byte("firmware"), 5000)
	if err := srv.ServeFile("/fw.bin", lwm2mtest.File{Content: bytes.NewReader(image), Size: int64(len(image))}); err != nil {
		t.Fatal(err)
	}
	url := srv.StartHTTP() + "/fw.bin"
	srv.DisturbFiles(1, lwm2mtest.FileFault{Break: true}, nil)
	for attempt, want := range []int{len(image) / 2, len(image)} {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if len(got) != want || (err != nil) != (attempt == 0) || resp.Header.Get("ETag") == "" {
			t.Errorf("attempt %d: %d bytes, %v", attempt, len(got), err)
		}
	}
	if n := len(srv.FileRequests()); n != 2 {
		t.Errorf("%d requests", n)
	}
}
