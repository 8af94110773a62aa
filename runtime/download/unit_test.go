package download

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

func TestParseURI(t *testing.T) {
	const valid = Kind(100)
	for uri, want := range map[string]Kind{
		"coap://files.example/a":                            valid,
		"coaps+tcp://[2001:db8::1]:9000/a":                  valid,
		"coap://[fe80::1%25eth0]/a":                         valid,
		"https://files.example/a?sig=x#part":                valid,
		"HTTP://files.example":                              valid,
		"":                                                  InvalidURI,
		"files.example":                                     InvalidURI,
		"coap:///a":                                         InvalidURI,
		"coap://files.example/a#part":                       InvalidURI,
		"coap://files.example:0/a":                          InvalidURI,
		"coap://files.example:65536/a":                      InvalidURI,
		"coap://2001:db8::1/a":                              InvalidURI,
		"coap://files.example/%zz":                          InvalidURI,
		"coap://files.example/?%zz":                         InvalidURI,
		"http://me@files.example/a":                         InvalidURI,
		"http://me:secret@files.example/a":                  InvalidURI,
		"http://files.example/a b\n":                        InvalidURI,
		"coap://files.example/" + strings.Repeat("a", 256):  InvalidURI,
		"http://files.example/" + strings.Repeat("a", 2048): InvalidURI,
		"file:///etc/passwd":                                InvalidURI,
		"file://host/etc/passwd":                            UnsupportedProtocol,
		"ftp://files.example/a":                             UnsupportedProtocol,
		"coap+sms://files.example/a":                        UnsupportedProtocol,
	} {
		got, err := parseURI(uri)
		if want == valid {
			if err != nil || got.text != uri {
				t.Errorf("%q: %v", uri, err)
			}
			continue
		}
		var e *Error
		if !errors.As(err, &e) || e.Kind != want || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, want %v", uri, err, want)
		}
	}
	u, err := parseURI("coap://Files.Example/a%2Fb//c/?x=%26&y")
	if err != nil {
		t.Fatal(err)
	}
	var o coap.Options
	u.addOptions(&o)
	var got []string
	for id, v := range o.All() {
		got = append(got, string(rune('0'+id%10))+string(v))
	}
	if want := []string{"3files.example", "1a/b", "1", "1c", "1", "5x=&", "5y"}; !slices.Equal(got, want) {
		t.Errorf("options %q, want %q", got, want)
	}
}

// TestZone shows that a server does not get to know the zone of its address, which is the device's.
func TestZone(t *testing.T) {
	u, err := parseURI("coap://[fe80::1%25eth0]:9000/a")
	if err != nil {
		t.Fatal(err)
	}
	var o coap.Options
	u.addOptions(&o)
	if o.Has(coap.OptionURIHost) || u.url.Host != "[fe80::1%eth0]:9000" {
		t.Errorf("%v, Uri-Host: %v", u.url.Host, o.Has(coap.OptionURIHost))
	}
}

func TestRecord(t *testing.T) {
	r := Record{URI: "coap://files.example/a", ETag: "\x01\x02", Offset: 1000, Total: 2000}
	b, err := r.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var got Record
	if err := got.UnmarshalBinary(b); err != nil || got != r {
		t.Errorf("%+v, %v", got, err)
	}
	for i := range b {
		for bit := range 8 {
			damaged := slices.Clone(b)
			damaged[i] ^= 1 << bit
			if got.UnmarshalBinary(damaged) == nil {
				t.Errorf("bit %d of byte %d is not noticed", bit, i)
			}
		}
		if i > 0 && got.UnmarshalBinary(b[:i]) == nil {
			t.Errorf("the first %d bytes are a record", i)
		}
	}
	if err := got.UnmarshalBinary(nil); err != nil || got != (Record{}) {
		t.Errorf("no bytes: %+v, %v", got, err)
	}
}

func TestRecords(t *testing.T) {
	s, err := store.OpenDir(t.TempDir(), store.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	records := Records{Store: s, Name: "download/a"}
	r := Record{URI: "coap://files.example/a", ETag: "x", Offset: 5, Total: -1}
	if got, err := records.Load(); err != nil || got != (Record{}) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := errors.Join(records.Save(r), Records{s, "download/ab"}.Save(Record{URI: "other"})); err != nil {
		t.Fatal(err)
	}
	if got, err := records.Load(); err != nil || got != r {
		t.Errorf("%+v, %v", got, err)
	}
	if err := records.Delete(); err != nil {
		t.Fatal(err)
	}
	if got, err := records.Load(); err != nil || got != (Record{}) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "image")
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(1); !errors.Is(err, ErrShort) {
		t.Errorf("an empty file: %v", err)
	}
	for _, s := range []string{"firm", "ware"} {
		if _, err := f.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
	if f, err = OpenFile(path); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := f.Truncate(5); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("!")); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); string(b) != "firmw!" || f.Content().Size() != 6 {
		t.Errorf("%q, %v", b, err)
	}
}

func TestContentRange(t *testing.T) {
	for s, want := range map[string][2]int64{
		"bytes 100-199/200": {100, 200}, "bytes 0-0/*": {0, -1}, "BYTES 5-9/10": {5, 10},
		"bytes 100-199/199": {-1}, "bytes 5-4/10": {-1}, "bytes -5/10": {-1}, "bytes */10": {-1}, "items 0-1/2": {-1},
		"bytes +1-2/3": {-1}, "bytes 1-2": {-1}, "": {-1}, "bytes 0-99999999999999999999/*": {-1},
	} {
		at, total, err := parseContentRange(s)
		if (err != nil) != (want[0] < 0) || err == nil && (at != want[0] || total != want[1]) {
			t.Errorf("%q: %d of %d, %v", s, at, total, err)
		}
	}
}

func TestStrongETag(t *testing.T) {
	for tag, want := range map[string]bool{
		`"a"`: true, `""`: true, `W/"a"`: false, `a`: false, `"`: false, "": false, `"a"b"`: false, "\"a b\"": false,
		`"` + strings.Repeat("a", maxTag) + `"`: false,
	} {
		if isStrong(tag) != want {
			t.Errorf("%q is strong: %v", tag, !want)
		}
	}
}

func TestRedirects(t *testing.T) {
	request := func(uri string) *http.Request {
		r, err := http.NewRequest(http.MethodGet, uri, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, c := range []struct {
		from, to string
		via      int
		refused  bool
	}{
		{"http://a/", "https://b/", 1, false},
		{"https://a/", "https://b/", 5, false},
		{"https://a/", "https://b/", 6, true},
		{"https://a/", "http://b/", 1, true},
		{"http://a/", "ftp://b/", 1, true},
		{"http://a/", "file:///etc/passwd", 1, true},
		{"http://a/", "http://me@b/", 1, true},
	} {
		err := checkRedirect(request(c.to), slices.Repeat([]*http.Request{request(c.from)}, c.via))
		if (err != nil) != c.refused {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestRetryPause(t *testing.T) {
	r := Retry{First: 2 * time.Second, Max: time.Minute}
	for attempts, want := range map[int]time.Duration{1: 2 * time.Second, 2: 4 * time.Second, 5: 32 * time.Second, 6: time.Minute, 1000: time.Minute} {
		if got := r.pause(attempts); got < want || got > want*3/2 {
			t.Errorf("after %d attempts %v", attempts, got)
		}
	}
}

func TestConfig(t *testing.T) {
	if _, err := New(Config{MaxSize: -1, BlockSize: 100, Params: coap.Params{NStart: -1}}); err == nil {
		t.Error("the configuration is valid")
	} else {
		for _, part := range []string{"MaxSize", "BlockSize", "Dialers", "NStart"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("the error %q does not name %s", err, part)
			}
		}
	}
}

// FuzzDownload checks that what a server or a storage gives is refused or understood.
func FuzzDownload(f *testing.F) {
	rec, _ := Record{URI: "coap://a/b", ETag: "x", Offset: 1, Total: 2}.MarshalBinary()
	f.Add("coap://[::1]:5683/a?b", `"tag"`, "bytes 1-2/3", rec)
	f.Add("https://host/%41", `W/"tag"`, "bytes */3", []byte{1})
	f.Fuzz(func(t *testing.T, uri, tag, contentRange string, record []byte) {
		if u, err := parseURI(uri); err == nil {
			var o coap.Options
			u.addOptions(&o)
			if u.url.User != nil || u.url.Host == "" || strings.Contains(u.String(), "?") {
				t.Errorf("%q is accepted", uri)
			}
		} else if e := (*Error)(nil); !errors.As(err, &e) {
			t.Errorf("%q: the error %v has no kind", uri, err)
		}
		if isStrong(tag) && strings.ContainsAny(tag, "\r\n") {
			t.Errorf("the ETag %q would break a header", tag)
		}
		if at, total, err := parseContentRange(contentRange); err == nil && (at < 0 || total >= 0 && at >= total) {
			t.Errorf("%q is %d of %d", contentRange, at, total)
		}
		var r Record
		if r.UnmarshalBinary(record) == nil && len(record) > 0 {
			b, _ := r.MarshalBinary()
			var again Record
			if err := again.UnmarshalBinary(b); err != nil || again != r || !r.valid() {
				t.Errorf("%+v becomes %+v, %v", r, again, err)
			}
		}
	})
}
