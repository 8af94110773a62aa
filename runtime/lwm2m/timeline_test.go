package lwm2m_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

var updatePictures = flag.Bool("update", false, "write the pictures of docs/reporting from simulated runs")

// A timeline is a run of two minutes in which a value changes and is observed. The picture of it is
// in docs/reporting.
type timeline struct {
	name, title string
	attributes  []string
	live        bool // a function gives the value; otherwise the application sets it
	steps       []moment
	lines       map[string]float64 // thresholds

	samples  []moment // calls of the function
	notified []moment
}

// A moment is a value at an instant.
type moment struct{ second, value float64 }

const timelineSeconds = 120

// wave is a value that rises and falls.
var wave = []moment{
	{0, 20}, {8, 21}, {15, 23}, {22, 26}, {30, 28}, {38, 27}, {45, 24}, {52, 21}, {60, 18}, {68, 16}, {75, 14},
	{83, 17}, {90, 21}, {98, 24}, {106, 27}, {113, 25},
}

var timelines = []*timeline{
	{name: "pmin-pmax", title: "pmin=15 and pmax=40: any change is a reason to notify", attributes: []string{"pmin=15", "pmax=40"},
		steps: []moment{{0, 20}, {5, 21}, {9, 23}, {25, 24}, {72, 26}, {75, 25}, {79, 22}}},
	{name: "gt-lt", title: "gt=25 and lt=16: crossings in both directions", attributes: []string{"gt=25", "lt=16"},
		steps: wave, lines: map[string]float64{"gt": 25, "lt": 16}},
	{name: "st", title: "st=4: a difference of 4 from the last notification", attributes: []string{"st=4"}, steps: wave},
	{name: "crossing", title: "gt=25 and pmin=35: a crossing is not forgotten", attributes: []string{"gt=25", "pmin=35"},
		steps: []moment{{0, 20}, {10, 28}, {20, 21}, {60, 27}, {90, 20}}, lines: map[string]float64{"gt": 25}},
	{name: "epmin", title: "A live value with gt=25 and epmin=10: sampled every 10 seconds", attributes: []string{"gt=25", "epmin=10"},
		live: true, steps: []moment{{0, 20}, {13, 28}, {18, 21}, {44, 27}, {86, 22}}, lines: map[string]float64{"gt": 25}},
	{name: "epmax", title: "A live value with gt=25, epmax=15 and pmax=60", attributes: []string{"gt=25", "epmax=15", "pmax=60"},
		live: true, steps: []moment{{0, 20}, {20, 27}, {95, 22}}, lines: map[string]float64{"gt": 25}},
}

// TestTimelines runs the timelines on a client and a server and compares what happens with the
// pictures in docs/reporting, which -update writes.
func TestTimelines(t *testing.T) {
	for _, l := range timelines {
		t.Run(l.name, func(t *testing.T) {
			onBench(t, l.run)
			if len(l.notified) == 0 {
				t.Fatal("no notification")
			}
			file := filepath.Join("..", "..", "docs", "reporting", l.name+".svg")
			picture := l.draw()
			if *updatePictures {
				must(t, os.WriteFile(file, picture, 0o644))
			}
			if have, err := os.ReadFile(file); err != nil || !bytes.Equal(have, picture) {
				t.Errorf("%s is not what happens (%v): run go test ./runtime/lwm2m -run TestTimelines -update", file, err)
			}
		})
	}
}

// run plays the timeline.
func (l *timeline) run(b *bench) {
	var mu sync.Mutex
	value, begun := l.steps[0].value, time.Time{}
	second := func() float64 { return math.Round(time.Since(begun).Seconds()*10) / 10 }
	temp, err := temperature.New(temperature.Config{})
	must(b.t, err)
	cell := dm.Float(value)
	if l.live {
		cell = dm.Func(func(context.Context) (float64, error) {
			mu.Lock()
			defer mu.Unlock()
			if !begun.IsZero() {
				l.samples = append(l.samples, moment{second(), value})
			}
			return value, nil
		})
	}
	must(b.t, temp.Add(0, temperature.Instance{SensorValue: cell}))
	b.cfg.Objects = append(b.cfg.Objects, temp)
	b.start()
	dev := b.server.WaitRegistered("dev")
	const path = "/3303/0/5700"
	a, err := dev.Do(context.Background(), lwm2mtest.Operation{Method: coap.PUT, Path: path, Query: l.attributes,
		Accept: content.None, Format: content.None})
	if err != nil || a.Code != coap.Changed {
		b.t.Fatalf("Write-Attributes: %v (%v)", a, err)
	}
	obs, a, err := dev.Observe(context.Background(), path, content.SenMLCBOR)
	if err != nil || a.Code != coap.Content {
		b.t.Fatalf("Observe: %v (%v)", a, err)
	}
	mu.Lock()
	begun, l.samples, l.notified = time.Now(), nil, nil
	mu.Unlock()
	ctx, stop := context.WithTimeout(context.Background(), timelineSeconds*time.Second+time.Millisecond)
	defer stop()
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		for a, err := range obs.All(ctx) {
			v, verr := a.Value(path)
			if err != nil || verr != nil {
				b.t.Errorf("notified %v (%v, %v)", a, err, verr)
				continue
			}
			l.notified = append(l.notified, moment{second(), v.Float()})
		}
	}()
	for _, s := range l.steps[1:] {
		<-time.After(time.Until(begun.Add(time.Duration(s.second * float64(time.Second)))))
		mu.Lock()
		value = s.value
		mu.Unlock()
		if !l.live {
			must(b.t, temp.Update(ctx, 0, func(i *temperature.Instance) error { i.SensorValue.Set(s.value); return nil }))
		}
		synctest.Wait()
	}
	<-heard
}

// The measures of a picture.
const (
	pictureWidth, pictureHeight = 760, 250
	plotLeft, plotRight         = 56, 740
	plotTop, plotBottom         = 44, 170
	rowSampled, rowNotified     = 192, 214
	leastValue, mostValue       = 12.0, 30.0
)

func xOf(second float64) float64 {
	return plotLeft + second/timelineSeconds*(plotRight-plotLeft)
}

func yOf(value float64) float64 {
	return plotBottom - (value-leastValue)/(mostValue-leastValue)*(plotBottom-plotTop)
}

// draw returns the picture of a run.
func (l *timeline) draw() []byte {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="12">`,
		pictureWidth, pictureHeight, pictureWidth, pictureHeight)
	line(`<!-- Drawn by TestTimelines of runtime/lwm2m from a simulated run. -->`)
	line(`<title>%s</title>`, l.title)
	line(`<rect width="100%%" height="100%%" fill="#ffffff"/>`)
	line(`<text x="%d" y="24" font-size="14" font-weight="bold" fill="#222222">%s</text>`, plotLeft, l.title)
	for second := 0; second <= timelineSeconds; second += 10 {
		x := xOf(float64(second))
		line(`<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#eeeeee"/>`, x, plotTop, x, rowNotified+6)
		line(`<text x="%.1f" y="%d" text-anchor="middle" fill="#555555">%d</text>`, x, pictureHeight-14, second)
	}
	line(`<text x="%d" y="%d" text-anchor="end" fill="#555555">s</text>`, pictureWidth-2, pictureHeight-14)
	for v := 15.0; v <= 25; v += 5 {
		line(`<text x="%d" y="%.1f" text-anchor="end" fill="#555555">%v</text>`, plotLeft-8, yOf(v)+4, v)
	}
	for _, name := range []string{"gt", "lt"} {
		if v, ok := l.lines[name]; ok {
			line(`<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#b58900" stroke-dasharray="6 4"/>`, plotLeft, yOf(v), plotRight, yOf(v))
			line(`<text x="%d" y="%.1f" text-anchor="end" fill="#b58900">%s=%v</text>`, plotRight, yOf(v)-4, name, v)
		}
	}
	line(`<polyline fill="none" stroke="#268bd2" stroke-width="2" points="%s"/>`, l.course())
	if l.live {
		line(`<text x="%d" y="%d" text-anchor="end" fill="#555555">sample</text>`, plotLeft-8, rowSampled+4)
	}
	for _, m := range l.samples {
		line(`<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#268bd2" stroke-width="2"/>`, xOf(m.second), rowSampled-5, xOf(m.second), rowSampled+5)
	}
	line(`<text x="%d" y="%d" text-anchor="end" fill="#555555">notify</text>`, plotLeft-8, rowNotified+4)
	for _, m := range l.notified {
		x, y := xOf(m.second), yOf(m.value)
		line(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%d" stroke="#cb4b16" stroke-dasharray="2 3"/>`, x, y, x, rowNotified)
		line(`<circle cx="%.1f" cy="%.1f" r="4" fill="#cb4b16"/>`, x, y)
		line(`<text x="%.1f" y="%d" text-anchor="middle" fill="#cb4b16">%v</text>`, x, rowNotified+14, m.value)
	}
	line(`</svg>`)
	return b.Bytes()
}

// course returns the points of the value over time.
func (l *timeline) course() string {
	var points []string
	for i, m := range l.steps {
		if i > 0 {
			points = append(points, fmt.Sprintf("%.1f,%.1f", xOf(m.second), yOf(l.steps[i-1].value)))
		}
		points = append(points, fmt.Sprintf("%.1f,%.1f", xOf(m.second), yOf(m.value)))
	}
	last := l.steps[len(l.steps)-1]
	return strings.Join(append(points, fmt.Sprintf("%d,%.1f", plotRight, yOf(last.value))), " ")
}
