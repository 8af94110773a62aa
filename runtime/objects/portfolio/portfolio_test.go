package portfolio_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/dm/dmtest"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/objecttest"
	"github.com/lwm2mgen/toolkit/runtime/objects/portfolio"
)

var must, same = objecttest.Must, objecttest.Same

func TestGetAuthData(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fail error
		var running chan struct{}
		p, err := portfolio.New(portfolio.Config{
			GetAuthData: func(_ context.Context, identity []string, args dm.Args) ([][]byte, error) {
				if running != nil {
					running <- struct{}{}
					<-running
				}
				mode, _ := args.Get(0)
				return [][]byte{[]byte(mode), []byte(strings.Join(identity, "+"))}, fail
			},
			MaxInstances: 2,
		})
		must(t, err)
		must(t, p.Add(0, portfolio.Instance{Identity: dm.Strs("a", "b")}))
		d := objecttest.New(t, p)
		data := func(n, want string) {
			t.Helper()
			if got := string(d.Value("/16/0/2/" + n).Opaque()); got != want {
				t.Errorf("AuthData %s is %q, want %q", n, got, want)
			}
		}
		status := func(path string, want int64) {
			t.Helper()
			synctest.Wait()
			if got := d.Value(path).Integer(); got != want {
				t.Errorf("AuthStatus is %d, want %d", got, want)
			}
		}
		status("/16/0/3", 0)
		must(t, d.Execute("/16/0/1", "0='sign'"))
		status("/16/0/3", 1)
		inst, _ := p.Get(0)
		if _, err := inst.AuthData.Read(context.Background(), 0); err != nil {
			t.Error(err)
		}
		status("/16/0/3", 1) // the program's own read is none of a server
		data("0", "sign")
		status("/16/0/3", 0)
		data("1", "a+b") // the response to the first read may be lost
		fail = dm.Errorf(dm.Forbidden, "no such key")
		if err := d.Execute("/16/0/1", ""); !errors.Is(err, dm.Forbidden) {
			t.Errorf("error %v", err)
		}
		status("/16/0/3", 2)
		if n := len(d.Read("/16/0/2")); n != 0 {
			t.Errorf("%d items of data after an error", n)
		}
		fail = nil

		// A portfolio that a server creates has the same behaviour.
		must(t, d.Create(16, 1, dm.Entry{Path: dm.ResourceInstancePath(16, 1, 0, 3), Value: dm.StringValue("c")}))
		must(t, d.Execute("/16/1/1", ""))
		status("/16/1/3", 1)
		same(t, d.Read("/16/1/0"), "/16/1/0/3=c")

		// One process runs at a time for each portfolio.
		running = make(chan struct{})
		done := make(chan error, 1)
		go func() { done <- d.Execute("/16/0/1", "") }()
		<-running
		if err := d.Execute("/16/0/1", ""); !errors.Is(err, dm.ServiceUnavailable) {
			t.Errorf("a second GetAuthData: %v", err)
		}
		status("/16/0/3", 0)
		running <- struct{}{}
		must(t, <-done)
		status("/16/0/3", 1)
		must(t, p.Remove(context.Background(), 0))
		must(t, p.Add(0, portfolio.Instance{Identity: dm.Strs()}))
		if n := len(d.Read("/16/0/2")); n != 0 {
			t.Errorf("another portfolio has %d items of data of the one before", n)
		}
	})
}

// What is restored from a store has the texts, and no status without its data.
func TestRestore(t *testing.T) {
	p, err := portfolio.New(portfolio.Config{GetAuthData: func(context.Context, []string, dm.Args) ([][]byte, error) {
		return nil, nil
	}})
	must(t, err)
	must(t, p.Add(0, portfolio.Instance{Identity: dm.Strs("a")}))
	d := objecttest.New(t, p)
	tx, err := d.Model.Begin(context.Background(), dm.Bootstrap)
	must(t, err)
	defer tx.Rollback()
	must(t, tx.Write(dm.ObjectPath(16), dm.Replace, []dm.Entry{
		{Path: dm.ResourceInstancePath(16, 0, 0, 0), Value: dm.StringValue("b")},
		{Path: dm.ResourcePath(16, 0, 3), Value: dm.IntegerValue(1)},
	}))
	must(t, tx.Commit())
	same(t, d.Read("/16/0"), "/16/0/0/0=b", "/16/0/3=0")
	must(t, d.Execute("/16/0/1", "")) // without data
	same(t, d.Read("/16/0/3"), "/16/0/3=1")
}

func TestTexts(t *testing.T) {
	p, err := portfolio.New(portfolio.Config{})
	must(t, err)
	must(t, p.Add(0, portfolio.Instance{Identity: dm.Strs("a")}))
	d := objecttest.New(t, p)
	for _, path := range []string{"/16/0/1", "/16/0/2", "/16/0/3"} {
		if err := d.Err(path); !errors.Is(err, dm.NotFound) && !errors.Is(err, dm.MethodNotAllowed) {
			t.Errorf("%s without GetAuthData: %v", path, err)
		}
	}
	write := func(texts ...string) error {
		return d.Change(func(tx *dm.Transaction) error {
			var entries []dm.Entry
			for n, text := range texts {
				entries = append(entries, dm.Entry{Value: dm.StringValue(text),
					Path: dm.ResourceInstancePath(16, 0, 0, dm.ResourceInstanceID(n))})
			}
			return tx.Write(dm.ResourcePath(16, 0, 0), dm.Replace, entries)
		})
	}
	must(t, write(strings.Split(strings.Repeat("x", 64), "")...))
	if err := write(strings.Split(strings.Repeat("x", 65), "")...); !errors.Is(err, dm.RequestEntityTooLarge) {
		t.Errorf("65 texts: %v", err)
	}
	if err := write(strings.Repeat("x", 16<<10+1)); !errors.Is(err, dm.RequestEntityTooLarge) {
		t.Errorf("a long text: %v", err)
	}
	if err := d.Create(16, 1); !errors.Is(err, dm.MethodNotAllowed) {
		t.Errorf("Create without MaxInstances: %v", err)
	}
	other, err := portfolio.New(portfolio.Config{MaxInstances: 4})
	must(t, err)
	must(t, other.Add(0, portfolio.Instance{Identity: dm.Strs("a")}))
	dmtest.Object(t, other.Object)
}

// A portfolio whose texts the program signs.
func Example() {
	bag, err := portfolio.New(portfolio.Config{
		GetAuthData: func(_ context.Context, identity []string, _ dm.Args) ([][]byte, error) {
			return [][]byte{[]byte("signed " + strings.Join(identity, " "))}, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := bag.Add(0, portfolio.Instance{Identity: dm.Strs("4711", "Example")}); err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	inst, _ := bag.Get(0)
	fmt.Println(inst.Identity, inst.AuthStatus)
	if err := inst.GetAuthData(ctx, dm.Args{}); err != nil { // a server executes it
		fmt.Println(err)
	}
	inst, _ = bag.Get(0)
	data, err := inst.AuthData.Read(ctx, 0)
	fmt.Println(string(data), err, inst.AuthStatus)
	// Output:
	// [0:4711 1:Example] 0
	// signed 4711 Example <nil> 1
}
