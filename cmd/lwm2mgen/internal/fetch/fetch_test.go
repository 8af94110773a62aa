package fetch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/registry/omaxml"
)

func TestRef(t *testing.T) {
	for _, tt := range []struct {
		text string
		ref  Ref
		file string
	}{
		{"3303", Ref{ID: 3303}, "3303.xml"},
		{"0", Ref{}, "0.xml"},
		{"3303@1.0", Ref{3303, registry.V(1, 0)}, "3303-1_0.xml"},
		{"65534@2.10", Ref{65534, registry.V(2, 10)}, "65534-2_10.xml"},
	} {
		ref, err := ParseRef(tt.text)
		if err != nil || ref != tt.ref {
			t.Errorf("ParseRef(%q) = %v, %v, want %v", tt.text, ref, err, tt.ref)
		}
		if ref.String() != tt.text {
			t.Errorf("%q prints as %q", tt.text, ref)
		}
		if got := ref.File(); got != tt.file {
			t.Errorf("the file of %q is %q, want %q", tt.text, got, tt.file)
		}
		if back, ok := refOfFile(tt.file); !ok || back != tt.ref {
			t.Errorf("refOfFile(%q) = %v, %t", tt.file, back, ok)
		}
	}
	for _, bad := range []string{"", "x", "-1", "65535", "70000", "3303@", "3303@1", "3303@1.0.0", "3303@a.b", "3303 ", "3303/1", "../3303"} {
		if ref, err := ParseRef(bad); err == nil {
			t.Errorf("ParseRef(%q) = %v", bad, ref)
		}
	}
	for _, bad := range []string{"", "3303", "x.xml", "03303.xml", "3303-1.0.xml", "3303-1_0_2.xml", "../3303.xml", "3303@1.0.xml"} {
		if ref, ok := refOfFile(bad); ok {
			t.Errorf("refOfFile(%q) = %v", bad, ref)
		}
	}
}

const lamp = `<LWM2M><Object ObjectType="MODefinition"><Name>Lamp</Name><ObjectID>33100</ObjectID>
<ObjectURN>urn:oma:lwm2m:x:33100</ObjectURN><LWM2MVersion>1.0</LWM2MVersion><ObjectVersion>1.0</ObjectVersion>
<MultipleInstances>Multiple</MultipleInstances><Mandatory>Optional</Mandatory><Resources><Item ID="1"><Name>On</Name>
<Operations>RW</Operations><MultipleInstances>Single</MultipleInstances><Mandatory>Mandatory</Mandatory><Type>Boolean</Type>
<RangeEnumeration></RangeEnumeration><Units></Units><Description></Description></Item></Resources></Object></LWM2M>`

// fetcher returns a fetcher with a folder of its own. handler serves its downloads, and it records
// its pauses.
func fetcher(t *testing.T, handler http.HandlerFunc) (*Fetcher, *[]time.Duration) {
	t.Helper()
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	var pauses []time.Duration
	return &Fetcher{Dir: t.TempDir(), Mirror: srv.URL, Pause: func(_ context.Context, d time.Duration) error {
		pauses = append(pauses, d)
		return nil
	}}, &pauses
}

var lampRef = []Ref{{ID: 33100}}

func TestRetries(t *testing.T) {
	for _, tt := range []struct {
		name     string
		failures int32 // the number of requests that fail before one succeeds
		fail     func(w http.ResponseWriter)
		requests int32
		err      string // "" for success
	}{
		{"at once", 0, nil, 1, ""},
		{"server error", 2, status(503), 3, ""},
		{"too many requests", 1, status(429), 2, ""},
		{"time-out of the server", 3, status(408), 4, ""},
		{"given up", 9, status(500), 4, "500 Internal Server Error"},
		{"refused", 9, status(403), 1, "403 Forbidden"},
		{"missing", 9, status(404), 1, "object 33100 is not in"},
		{"broken off", 1, func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "<LWM2M>")
		}, 2, ""},
		{"error page", 9, func(w http.ResponseWriter) { fmt.Fprint(w, "<html>log in</html>") }, 1, "this is not a definition of the object"},
		{"another object", 9, func(w http.ResponseWriter) { fmt.Fprint(w, strings.ReplaceAll(lamp, "33100", "33101")) }, 1, "this is not a definition of the object"},
		{"too large", 9, func(w http.ResponseWriter) { _, _ = w.Write(make([]byte, omaxml.MaxSize+1)) }, 1, "larger than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var requests atomic.Int32
			f, pauses := fetcher(t, func(w http.ResponseWriter, _ *http.Request) {
				if requests.Add(1) <= tt.failures {
					tt.fail(w)
					return
				}
				fmt.Fprint(w, lamp)
			})
			err := f.Fetch(t.Context(), lampRef)
			if n := requests.Load(); n != tt.requests {
				t.Errorf("%d requests, want %d", n, tt.requests)
			}
			want := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}[:tt.requests-1]
			if !slices.Equal(*pauses, want) {
				t.Errorf("pauses %v, want %v", *pauses, want)
			}
			_, stat := os.Stat(filepath.Join(f.Dir, "33100.xml"))
			switch {
			case tt.err == "" && (err != nil || stat != nil):
				t.Errorf("error %v, file %v", err, stat)
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("error %v, want one with %q", err, tt.err)
			case tt.err != "" && !errors.Is(stat, os.ErrNotExist):
				t.Errorf("the file is there: %v", stat)
			}
		})
	}
}

func status(code int) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { w.WriteHeader(code) }
}

// TestTimeout checks that a request ends if the server never responds.
func TestTimeout(t *testing.T) {
	done := make(chan struct{})
	f, _ := fetcher(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-done:
		}
	})
	t.Cleanup(func() { close(done) })
	f.Client = &http.Client{Timeout: 20 * time.Millisecond}
	err := f.Fetch(t.Context(), lampRef)
	if err == nil || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want a time-out", err)
	}
	if got := (&Fetcher{}).client().Timeout; got != timeout {
		t.Errorf("the time-out is %v when no client is given, want %v", got, timeout)
	}
}

// TestCancel checks that a cancelled context ends the retries and skips the remaining definitions.
func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var requests atomic.Int32
	f, _ := fetcher(t, func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.WriteHeader(500)
	})
	f.Pause = func(ctx context.Context, _ time.Duration) error {
		cancel()
		return ctx.Err()
	}
	if err := f.Fetch(ctx, []Ref{{ID: 1}, {ID: 2}}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
	if n := requests.Load(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		if err := (&Fetcher{}).pause(t.Context(), 3*time.Second); err != nil || time.Since(start) != 3*time.Second {
			t.Errorf("the pause took %v (%v), want 3s", time.Since(start), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		if err := (&Fetcher{}).pause(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("the pause took %v (%v), want 1s and the context's error", time.Since(start), err)
		}
	})
}

func TestProgress(t *testing.T) {
	var failed atomic.Bool
	f, _ := fetcher(t, func(w http.ResponseWriter, _ *http.Request) {
		if !failed.Swap(true) {
			w.WriteHeader(502)
			return
		}
		fmt.Fprint(w, lamp)
	})
	var lines []string
	f.Progress = func(line string) { lines = append(lines, line) }
	for range 2 {
		if err := f.Fetch(t.Context(), lampRef); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"[1/1] 33100.xml: attempt 1 of 4 failed: 502 Bad Gateway",
		fmt.Sprintf("[1/1] 33100.xml: %d bytes", len(lamp)),
		"[1/1] 33100.xml: up to date",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("progress %q, want %q", lines, want)
	}
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	l := lock{}
	for _, name := range []string{"10.xml", "9.xml", "3303-1_10.xml", "3303-1_2.xml", "3303.xml"} {
		l[name] = sumOf([]byte(name))
	}
	if err := l.write(dir); err != nil {
		t.Fatal(err)
	}
	back, err := readLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"9.xml", "10.xml", "3303.xml", "3303-1_2.xml", "3303-1_10.xml"}
	if got := back.files(); !slices.Equal(got, want) {
		t.Errorf("the lock file lists %v, want %v", got, want)
	}
	sum := sumOf(nil)
	for _, tt := range []struct{ text, want string }{
		{"x", ":1: write a SHA-256 sum"},
		{"\n" + sum + " 3303.xml", ":2: write a SHA-256 sum"},
		{sum + "  ../3303.xml", ":1: write a SHA-256 sum"},
		{strings.ToUpper(sum) + "  3303.xml", ":1: write a SHA-256 sum"},
		{sum[1:] + "  3303.xml", ":1: write a SHA-256 sum"},
		{sum + "  3303.xml\n" + sum + "  3303.xml\n", ":2: 3303.xml has a sum already"},
	} {
		if err := os.WriteFile(filepath.Join(dir, LockName), []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readLock(dir); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("lock file %q: error %v, want one with %q", tt.text, err, tt.want)
		}
	}
}

func TestMirror(t *testing.T) {
	for _, bad := range []string{"ftp://x/y", "x", "https://", "file:///etc", "http://%zz"} {
		if err := (&Fetcher{Dir: t.TempDir(), Mirror: bad}).Fetch(t.Context(), lampRef); err == nil {
			t.Errorf("the mirror %q is accepted", bad)
		}
	}
	if got := (&Fetcher{}).mirror(); got != Registry {
		t.Errorf("without a mirror, definitions come from %s", got)
	}
}
