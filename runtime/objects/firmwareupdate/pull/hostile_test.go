package pull_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate/pull"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/objecttest"
	"github.com/lwm2mgen/toolkit/runtime/objects/softwaremanagement"
)

// answer is what a server of HTTP does with every request.
type answer func(*http.Response)

func (a answer) RoundTrip(q *http.Request) (*http.Response, error) {
	r := &http.Response{StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: q,
		Header: http.Header{}, ContentLength: -1, Body: io.NopCloser(strings.NewReader("genuine"))}
	a(r)
	return r, nil
}

func redirect(to string) answer {
	return func(r *http.Response) {
		if r.Request.URL.Path == "/2.bin" {
			r.StatusCode = http.StatusFound
			r.Header.Set("Location", to)
		}
	}
}

func body(b io.Reader, length int64) answer {
	return func(r *http.Response) { r.Body, r.ContentLength = io.NopCloser(b), length }
}

// endless never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// cut returns a reader of content that ends too early.
func cut(s string) io.Reader {
	return io.MultiReader(strings.NewReader(s), iotest.ErrReader(io.ErrUnexpectedEOF))
}

// cheap accepts genuine content only.
type cheap struct{ installer }

func (cheap) Verify(_ context.Context, image *firmwareupdate.Image) error { return genuine(image) }

func genuine(r io.Reader) error {
	if b, err := io.ReadAll(r); err != nil || string(b) != "genuine" {
		return errors.New("it is not genuine")
	}
	return nil
}

// cheapSoftware is cheap for software. Its other methods are not called.
type cheapSoftware struct{ softwaremanagement.Installer }

func (cheapSoftware) Verify(_ context.Context, p *softwaremanagement.Package) error {
	return genuine(p)
}

// Whatever a server names or sends, the device reports the result of the definition of its object,
// keeps nothing of it, and installs nothing.
func TestHostile(t *testing.T) {
	const uri = "http://files.example/2.bin"
	for name, c := range map[string]struct {
		uri                string
		answer             answer
		firmware, software string // state and result of objects 5 and 9
	}{
		"what it should":              {uri, func(*http.Response) {}, "2/0", "3/3"},
		"an IPv6 literal":             {"http://[2001:db8::1]:8080/2.bin", func(*http.Response) {}, "2/0", "3/3"},
		"half an IPv6 literal":        {"http://[2001:db8::1/2.bin", nil, "0/7", "0/56"},
		"a zone":                      {"http://[fe80::1%25eth0]/2.bin", func(*http.Response) {}, "2/0", "3/3"},
		"credentials":                 {"http://me:secret@files.example/2.bin", nil, "0/7", "0/56"},
		"a file":                      {"file:///etc/passwd", nil, "0/7", "0/56"},
		"a file with a host":          {"file://localhost/etc/passwd", nil, "0/9", "0/56"},
		"another scheme":              {"gopher://files.example/2.bin", nil, "0/9", "0/56"},
		"a fragment of a URI":         {"//files.example/2.bin", nil, "0/7", "0/56"},
		"no host":                     {"http:///2.bin", nil, "0/7", "0/56"},
		"a redirect to a file":        {uri, redirect("file:///etc/passwd"), "0/7", "0/56"},
		"a redirect to ftp":           {uri, redirect("ftp://files.example/2.bin"), "0/7", "0/56"},
		"a redirect with credentials": {uri, redirect("http://me:secret@files.example/3.bin"), "0/7", "0/56"},
		"a redirect to itself":        {uri, redirect(uri), "0/7", "0/56"},
		"a redirect":                  {uri, redirect("http://mirror.example/3.bin"), "2/0", "3/3"},
		"content that never ends":     {uri, body(endless{}, -1), "0/2", "0/50"},
		"a size beyond the bound":     {uri, body(strings.NewReader("genuine"), 1<<40), "0/2", "0/50"},
		"less than it says":           {uri, body(cut("genu"), 7), "0/4", "0/52"},
		"more than it says":           {uri, body(strings.NewReader("genuine and more"), 7), "0/5", "0/53"},
		"something else":              {uri, body(strings.NewReader("a trojan horse"), -1), "0/5", "0/53"},
		"nothing":                     {uri, body(strings.NewReader(""), 0), "0/5", "0/53"},
		"compressed content":          {uri, func(r *http.Response) { r.Header.Set("Content-Encoding", "gzip") }, "0/6", "0/54"},
		"an error for ever":           {uri, func(r *http.Response) { r.StatusCode = 503 }, "0/4", "0/52"},
		"no such file":                {uri, func(r *http.Response) { r.StatusCode = 404 }, "0/7", "0/56"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if c.answer == nil {
					c.answer = func(r *http.Response) { t.Errorf("%v is asked for", r.Request.URL) }
				}
				power := &objecttest.Power{Limit: -1}
				for object, want := range map[dm.ObjectID]string{5: c.firmware, 9: c.software} {
					flash := &objecttest.Flash{Power: power}
					d, status := device(t, object, flash, c.answer)
					path := dm.ResourcePath(object, 0, map[dm.ObjectID]dm.ResourceID{5: 1, 9: 3}[object])
					must(t, d.Write(path.String(), dm.StringValue(c.uri)))
					<-time.After(24 * time.Hour)
					if got := status(); got != want {
						t.Errorf("object %d shows %s, want %s", object, got, want)
					}
					synctest.Wait()
					power.Lock()
					got := string(flash.Bytes)
					power.Unlock()
					if strings.HasPrefix(want, "0/") == (got == "genuine") || len(got) > 0 && got != "genuine" {
						t.Errorf("the storage for object %d holds %.20q", object, got)
					}
				}
			})
		})
	}
}

// device returns a device with object 5 or 9 that downloads to the flash.
func device(t *testing.T, object dm.ObjectID, flash *objecttest.Flash, a answer) (*objecttest.Device, func() string) {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	client, err := download.New(download.Config{
		Dialers: []socket.Dialer{simnet.New(1).NewHost("device").Dialer()}, HTTP: &http.Client{Transport: a},
		MaxSize: 1 << 20, Logger: quiet,
	})
	must(t, err)
	t.Cleanup(func() { must(t, client.Close()) })
	downloader := pull.New(client, download.Records{})
	if object == 5 {
		u, err := firmwareupdate.New(firmwareupdate.Config{Installer: cheap{}, Storage: flash, Downloader: downloader, Logger: quiet})
		must(t, err)
		t.Cleanup(func() { must(t, u.Close()) })
		return objecttest.New(t, u), func() string { return fmt.Sprintf("%d/%d", u.Status().State, u.Status().Result) }
	}
	m, err := softwaremanagement.New(softwaremanagement.Config{Installer: cheapSoftware{}, Logger: quiet,
		Components: []softwaremanagement.Component{{Storage: flash, Downloader: downloader}}})
	must(t, err)
	t.Cleanup(func() { must(t, m.Close()) })
	return objecttest.New(t, m), func() string { return fmt.Sprintf("%d/%d", m.Status(0).State, m.Status(0).Result) }
}
