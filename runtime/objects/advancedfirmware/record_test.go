package advancedfirmware_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/runtime/objects/advancedfirmware"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/objecttest"
)

// FuzzRecords starts a device with any records of two components, and lets a server and the user do
// what they can. The device may refuse the records, and must neither panic nor install an image
// that is not there.
func FuzzRecords(f *testing.F) {
	f.Add([]byte(`{"phase":4,"severity":1,"size":9,"version":"2.0","unit":[0,1],"batch":[1,0]}`), []byte(`{"phase":4,"unit":[0,1],"conflicting":[1,7]}`))
	f.Add([]byte(`{"phase":5,"until":1,"batch":[0,1]}`), []byte(`{"phase":6,"batch":[0,1],"maxDefer":0}`))
	f.Add([]byte(`{"phase":2,"uri":"coap://files/2.0"}`), []byte(`{"phase":3,"verified":1}`))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		synctest.Test(t, func(t *testing.T) {
			b := newBoard()
			b.records.Values["advancedfirmware/0"], b.records.Values["advancedfirmware/1"] = first, second
			u, err := advancedfirmware.New(b.config())
			if err != nil {
				return
			}
			defer func() { _ = u.Close() }()
			d := objecttest.New(t, u)
			for _, p := range []string{"/33629/0/2", "/33629/1/2", "/33629/0/10", "/33629/1/10"} {
				synctest.Wait()
				_ = d.Execute(p, "") // may be refused
				_ = u.Approve(context.Background(), 1)
			}
			synctest.Wait()
			if len(b.installs) > 0 {
				t.Errorf("installed %v", b.installs)
			}
			d.Read("/33629")
		})
	})
}
