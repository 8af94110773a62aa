package manage

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/setpoint"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// withSetPoints adds a Set Point object, whose instance 1 has a live value.
func withSetPoints(t *testing.T, live *float64) setup {
	o := device12
	o.world = func(w *world) {
		points, err := setpoint.New(setpoint.Config{
			Template: setpoint.Instance{SetPointValue: dm.Float(0)},
			Hooks:    setpoint.Hooks{Commit: func(context.Context, *setpoint.Tx) error { return nil }},
		})
		if err == nil {
			err = points.Add(0, setpoint.Instance{SetPointValue: dm.Float(20), ApplicationType: dm.Str("a")})
		}
		if err == nil {
			err = points.Add(1, setpoint.Instance{
				SetPointValue:   dm.Func(func(context.Context) (float64, error) { return *live, nil }),
				ApplicationType: dm.Str("b"),
			})
		}
		if err != nil {
			t.Fatal(err)
		}
		w.more = []dm.Object{points}
	}
	return o
}

// A Float that is no number is 4.00 in every format that has one, in every operation that writes.
func TestWriteOfNoNumber(t *testing.T) {
	const (
		nan16 = "\xf9\x7e\x00"
		inf32 = "\xfa\x7f\x80\x00\x00"
		inf64 = "\xfb\xff\xf0\x00\x00\x00\x00\x00\x00"
		tlv   = "\xe8\x17\x0c\x08\x7f\xf8\x00\x00\x00\x00\x00\x00"
		tlv32 = "\xe4\x17\x0c\xff\x80\x00\x00"
	)
	senmlCBOR := func(v string) string { return "\x81\xa2\x00\x6c/3308/0/5900\x02" + v }
	lwm2mCBOR := func(v string) string { return "\xa1\x83\x19\x0c\xec\x00\x19\x17\x0c" + v }
	bodies := []struct {
		f    content.Format
		body []string
	}{
		{content.Text, []string{"NaN", "nan", "Inf", "-Infinity", "1e999"}},
		{content.CBOR, []string{nan16, inf32, inf64}},
		{content.TLV, []string{tlv, tlv32}},
		{content.SenMLCBOR, []string{senmlCBOR(nan16), senmlCBOR(inf32), senmlCBOR(inf64)}},
		{content.LwM2MCBOR, []string{lwm2mCBOR(nan16), lwm2mCBOR(inf32), lwm2mCBOR(inf64)}},
		{content.SenMLJSON, []string{`[{"n":"/3308/0/5900","v":NaN}]`, `[{"n":"/3308/0/5900","v":1e999}]`}},
		{content.LwM2MJSON, []string{`{"bn":"/3308/0/5900","e":[{"v":1e999}]}`, `{"bn":"/3308/0/5900","e":[{"sv":"NaN"}]}`}},
	}
	var rows []row
	for _, b := range bodies {
		for i, body := range b.body {
			name := fmt.Sprint(b.f, " ", i)
			rows = append(rows, row{name, to("PUT /3308/0/5900").as(b.f, body), coap.BadRequest, "", 0})
			if b.f.Carries(content.Write, dm.InstanceLevel) {
				rows = append(rows,
					row{name + " update", to("POST /3308/0").as(b.f, body), coap.BadRequest, "", 0},
					row{name + " replace", to("PUT /3308/0").as(b.f, body), coap.BadRequest, "", 0})
			}
			if b.f == content.SenMLCBOR || b.f == content.LwM2MCBOR {
				rows = append(rows, row{name + " composite", to("IPATCH /").as(b.f, body), coap.BadRequest, "", 0})
			}
		}
	}
	live := 1.0
	runRows(t, withSetPoints(t, &live), rows)
}

// A live value that is no number is none at the moment: it makes nothing else unreadable, does not
// notify, and is logged once.
func TestLiveValueThatIsNoNumber(t *testing.T) {
	for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		synctest.Test(t, func(t *testing.T) {
			live := 1.5
			r := newRig(t, withSetPoints(t, &live))
			p := r.peers[0]
			_, notes, _ := p.watch(to("GET /3308/1/5900").accepting(content.Text))
			live = v
			r.pass(10 * time.Second)
			for _, f := range []content.Format{content.TLV, content.SenMLJSON, content.SenMLCBOR, content.LwM2MCBOR, content.LwM2MJSON} {
				for _, path := range []string{"/3308", "/3308/1"} {
					if got := p.do(to("GET " + path).accepting(f)); got.code != coap.Content || !strings.Contains(got.body, "b") {
						t.Errorf("%s in %v: %v", path, f, got.code)
					}
				}
			}
			if got := p.do(to("GET /3308/1/5900")); got.code != coap.NotFound {
				t.Errorf("the value itself is %v", got.code)
			}
			if len(*notes) != 0 {
				t.Errorf("notified %v", *notes)
			}
			if n := strings.Count(r.log.String(), "no number"); n != 1 {
				t.Errorf("logged %d times:\n%s", n, r.log.String())
			}
			live = 2.5
			r.pass(10 * time.Second)
			if len(*notes) != 1 || (*notes)[0].body != "2.5" {
				t.Errorf("notified %v, want 2.5", *notes)
			}
		})
	}
}
