package softwaremanagement_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Components receive packages independently, and one package at a time. A write that begins again
// replaces what had arrived.
func TestPushes(t *testing.T) {
	in(t, func(t *testing.T) {
		g := newGateway()
		r := boot(t, g, g.config())
		open := func(server dm.ShortServerID, id dm.InstanceID) (*dm.Upload, error) {
			up, _, err := r.Model.Snapshot().OpenUpload(context.Background(), dm.Server(server), dm.ResourcePath(9, id, 2))
			return up, err
		}
		write := func(up *dm.Upload, block string) {
			t.Helper()
			_, err := up.Write([]byte(block))
			r.ok(block, err)
		}
		first, err := open(1, 0)
		r.ok("first", err)
		write(first, "app ")
		_, err = open(2, 0)
		r.refused("another server", err, dm.ServiceUnavailable)
		other, err := open(2, 1)
		r.ok("another component", err)
		write(other, "other 7.0")
		first.Abort()
		r.shows("0/52")
		again, err := open(1, 0)
		r.ok("again", err)
		write(again, "app 1.0")
		for _, up := range []*dm.Upload{other, again} {
			r.ok("last block", r.Change(func(tx *dm.Transaction) error { return tx.Accept(up) }))
		}
		r.shows("3/3")
		r.names("app 1.0")
		if got := text(r.software.Status(1)); got != "3/3" {
			t.Errorf("component 1 is %s", got)
		}
	})
}

func TestPull(t *testing.T) {
	in(t, func(t *testing.T) {
		g := newGateway()
		g.download = func(_ context.Context, uri string) ([]byte, error) {
			return []byte("app " + strings.TrimPrefix(uri, "coap://files/")), nil
		}
		r := boot(t, g, g.config())
		r.ok("URI", r.uri("coap://files/2.0"))
		r.reported("1/1", "2/0", "3/3")
		r.ok("reset", r.uri(""))
		r.shows("0/0")
		r.ok("URI", r.uri("coap://files/3.0"))
		synctest.Wait()
		r.ok("Install", r.install())
		r.shows("4/2")
		r.names("app 3.0")
	})
}

// A Replace of the instance that names only Package brings a package. Only an empty string is a
// reset.
func TestReplace(t *testing.T) {
	in(t, func(t *testing.T) {
		g := newGateway()
		g.download = func(ctx context.Context, _ string) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }
		r := boot(t, g, g.config())
		replace := func(entries ...dm.Entry) error {
			return r.Change(func(tx *dm.Transaction) error { return tx.Write(dm.InstancePath(9, 0), dm.Replace, entries) })
		}
		r.ok("Replace with Package", replace(dm.Entry{Path: dm.ResourcePath(9, 0, 2), Value: dm.OpaqueValue([]byte("app 1.0"))}))
		r.shows("3/3")
		r.ok("Replace with nothing", replace())
		r.shows("3/3")
		r.ok("Replace with an empty URI", replace(dm.Entry{Path: dm.ResourcePath(9, 0, 3), Value: dm.StringValue("")}))
		r.shows("0/0")
		r.ok("Replace with a URI", replace(dm.Entry{Path: dm.ResourcePath(9, 0, 3), Value: dm.StringValue("coap://files/2")}))
		r.shows("1/1")
		r.ok("Replace with nothing", replace())
		r.shows("1/1")
	})
}

// One request can bring packages to several components, or to none.
func TestSeveralURIs(t *testing.T) {
	in(t, func(t *testing.T) {
		g := newGateway()
		g.download = func(context.Context, string) ([]byte, error) { return []byte("app 1.0"), nil }
		r := boot(t, g, g.config())
		longest := "coap://files/" + strings.Repeat("é", 255-len("coap://files/"))
		write := func(uris ...string) error {
			return r.Change(func(tx *dm.Transaction) error {
				for i, uri := range uris {
					p := dm.ResourcePath(9, dm.InstanceID(i), 3)
					if err := tx.Write(p, dm.Replace, []dm.Entry{{Path: p, Value: dm.StringValue(uri)}}); err != nil {
						return err
					}
				}
				return nil
			})
		}
		shows := func(want string) {
			t.Helper()
			synctest.Wait()
			if got := text(r.software.Status(0)) + " " + text(r.software.Status(1)); got != want {
				t.Errorf("state and result %s, want %s", got, want)
			}
		}
		r.refused("a URI that is too long", write("coap://files/0", longest+"x"), dm.BadRequest)
		shows("0/0 0/0")
		r.ok("URIs", write(longest, "coap://files/1"))
		shows("3/3 3/3")
		r = r.reboot(g.config())
		shows("3/3 3/3")
		r.ok("reset of 0", r.uri(""))
		r.refused("URIs, of which one is refused", write("coap://files/0", "coap://files/1"), dm.MethodNotAllowed)
		shows("0/0 3/3")
	})
}
