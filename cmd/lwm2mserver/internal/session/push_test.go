package session

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/advancedfirmware"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/objects/softwaremanagement"
)

// An image arrives with a line for each tenth, and is installed. Each part takes longer than the
// time-out of the session.
func TestPush(t *testing.T) {
	onBench(t, func(b *bench) {
		defer b.start()()
		b.flash.verifying = time.Minute
		b.runs("push dev "+b.image("2.0", 400*1024)+" -update", "",
			"10 %, 41.0 of 409.6 kB, 10.9 kB/s, 34s left",
			"20 %, 81.9 of 409.6 kB, 10.9 kB/s, 31s left",
			"30 %, 122.9 of 409.6 kB, 10.9 kB/s, 27s left",
			"40 %, 163.8 of 409.6 kB, 10.9 kB/s, 23s left",
			"50 %, 204.8 of 409.6 kB, 10.9 kB/s, 19s left",
			"60 %, 245.8 of 409.6 kB, 10.9 kB/s, 16s left",
			"70 %, 286.7 of 409.6 kB, 10.9 kB/s, 12s left",
			"80 %, 327.7 of 409.6 kB, 10.9 kB/s, 8s left",
			"90 %, 368.6 of 409.6 kB, 10.9 kB/s, 4s left",
			"100 %, 409.6 of 409.6 kB, 10.9 kB/s",
			"PUT /5/0/0: 2.04 Changed",
			"State 2: Downloaded",
			"POST /5/0/2: 2.04 Changed",
			"Update Result 1: the new firmware runs")
		if !b.flash.runs("2.0") {
			t.Error("the new firmware does not run")
		}
	})
}

// The device restarts for the installation: it loses its power, or de-registers before.
func TestPushRestart(t *testing.T) {
	for _, succeeds := range []bool{true, false} {
		onBench(t, func(b *bench) {
			installing := make(chan struct{})
			b.flash.installs = func() (firmwareupdate.Outcome, error) {
				close(installing)
				return firmwareupdate.Restarting, nil
			}
			halt := b.start()
			restarted := make(chan struct{})
			go func() {
				defer close(restarted)
				<-installing
				<-time.After(20 * time.Second)
				b.site.SetDown(succeeds)
				halt()
				<-time.After(3 * time.Minute)
				b.site.SetDown(false)
				if succeeds {
					b.flash.version = "2.0"
				}
				halt = b.start()
			}()
			wantErr, end := ErrRefused.Error(), []string{"State 2: Downloaded", "Update Result 8: the update has failed"}
			if succeeds {
				wantErr, end = "", []string{"Update Result 1: the new firmware runs"}
			}
			b.runs("push dev "+b.image("2.0", 500)+" -update", wantErr, append([]string{
				"100 %, 500 of 500 B",
				"PUT /5/0/0: 2.04 Changed",
				"State 2: Downloaded",
				"POST /5/0/2: 2.04 Changed",
				"State 3: Updating",
			}, end...)...)
			<-restarted
			halt()
		})
	}
}

// A push to a component of object 33629.
func TestPushComponent(t *testing.T) {
	onBench(t, func(b *bench) {
		version := func() string { return "1.0" }
		u, err := advancedfirmware.New(advancedfirmware.Config{
			Components: []advancedfirmware.Component{
				{Name: "application", Version: version, Storage: &flash{}}, {Name: "modem", Version: version, Storage: b.flash},
			},
			Installer: component{b.flash}, Store: b.records, Logger: b.update.Logger,
		})
		must(t, err)
		defer func() { must(t, u.Close()) }()
		b.client.Objects = []dm.Object{u}
		defer b.run()()
		image := b.image("2.0", 500)
		b.runs("push dev "+image, `"dev" has no object 5: name an instance of object 9 or 33629 as PATH`)
		b.runs("push dev "+image+" 33629/1", "",
			"100 %, 500 of 500 B",
			"PUT /33629/1/0: 2.04 Changed",
			"State 2: Downloaded")
		if n := b.flash.Content().Size(); n != 500 {
			t.Errorf("the modem has received %d bytes", n)
		}
		b.runs("push dev "+image+" Advanced Firmware Update/1", ErrRefused.Error(),
			"PUT /33629/1/0: 4.05 Method Not Allowed: /33629/1/0",
			`there is an image already: discard it with write dev /33629/1/1 ""`)
		b.runs(`write dev /33629/1/1 ""`, "", "2.04 Changed")
		b.flash.verifyErr = firmwareupdate.Fail(6, errors.New("it is for a fridge"))
		b.runs("push dev "+image+" 33629/1 -update", ErrRefused.Error(),
			"100 %, 500 of 500 B",
			"PUT /33629/1/0: 2.04 Changed",
			"Update Result 6: the device does not support this type of image")
	})
}

// Devices of every version of LwM2M show their status in a format of their own, and some have an
// alternate path.
func TestPushVersions(t *testing.T) {
	for _, v := range []registry.Version{{Major: 1, Minor: 0}, {Major: 1, Minor: 1}, {Major: 1, Minor: 2}} {
		onBench(t, func(b *bench) {
			b.client.MinVersion, b.client.MaxVersion, b.client.AlternatePath = v, v, "/lwm2m"
			defer b.start()()
			b.runs("push dev "+b.image("2.0", 500)+" -update", "",
				"100 %, 500 of 500 B", "PUT /5/0/0: 2.04 Changed", "State 2: Downloaded", "POST /5/0/2: 2.04 Changed",
				"Update Result 1: the new firmware runs")
		})
	}
}

// Software is pushed and pulled to object 9.
func TestPushSoftware(t *testing.T) {
	onBench(t, func(b *bench) {
		b.pulls()
		manager, err := softwaremanagement.New(softwaremanagement.Config{
			Components: []softwaremanagement.Component{{Storage: &flash{}}, {Storage: b.flash, Downloader: b.update.Downloader}},
			Installer:  software{b.flash}, Store: b.records, Logger: b.update.Logger,
		})
		must(t, err)
		defer func() { must(t, manager.Close()) }()
		b.client.Objects = []dm.Object{manager}
		defer b.run()()
		image := b.image("2.0", 500)
		b.runs("pull dev "+image+" 9/1", "",
			"PUT /9/1/3: 2.04 Changed", "100 %, 500 of 500 B", "State 3: Delivered")
		b.runs("push dev "+image+" 9/1", ErrRefused.Error(), "PUT /9/1/2: 4.05 Method Not Allowed: /9/1/2",
			"there is an image already: discard it with execute dev /9/1/6 1")
		b.runs("execute dev /9/1/6 1", "", "2.04 Changed")
		b.flash.installs = func() (softwaremanagement.Outcome, error) { return 0, errors.New("it does not fit") }
		b.runs("push dev "+image+" 9/1 -update", ErrRefused.Error(),
			"100 %, 500 of 500 B", "PUT /9/1/2: 2.04 Changed", "State 3: Delivered", "POST /9/1/4: 2.04 Changed",
			"Update Result 58: the installation has failed")
		b.runs("execute dev /9/1/6 1", "", "2.04 Changed")
		b.flash.installs = func() (softwaremanagement.Outcome, error) {
			<-time.After(2 * time.Minute)
			return softwaremanagement.Done, nil
		}
		b.runs("push dev "+image+" 9/1 -update", "",
			"100 %, 500 of 500 B", "PUT /9/1/2: 2.04 Changed", "State 3: Delivered", "POST /9/1/4: 2.04 Changed",
			"State 4: Installed", "Update Result 2: the software is installed")
		b.runs("pull dev "+image+" 9/1", ErrRefused.Error(), "PUT /9/1/3: 4.05 Method Not Allowed: /9/1/3",
			"software is installed already: prepare its update with execute dev /9/1/6 1")
		b.runs("execute dev /9/1/6 1", "", "2.04 Changed")
		b.flash.verifying = time.Minute
		for _, c := range []struct{ verb, resource, path, reset string }{
			{"push", "2", "/9/1/2", `write dev /9/1/2 0x00`}, {"pull", "3", "/9/1/3", `write dev /9/1/3 ""`},
		} {
			b.runs("push dev "+image+" 9/1 -wait 5s", "the device has not verified the image within 5s",
				"100 %, 500 of 500 B", "PUT /9/1/2: 2.04 Changed")
			b.runs(c.verb+" dev "+image+" 9/1", ErrRefused.Error(),
				"PUT /9/1/"+c.resource+": 4.05 Method Not Allowed: "+c.path,
				"the device receives or verifies another image: wait for its end, or discard it with "+c.reset)
			b.runs(c.reset, "", "2.04 Changed")
			b.runs("read dev 9/1/7", "", "2.05 Content", "  /9/1/7  Update State  0")
		}
		b.flash.verifying = 0
		b.flash.verifyErr = errors.New("the signature is wrong")
		b.runs("pull dev "+image+" 9/1 -update", ErrRefused.Error(), "PUT /9/1/3: 2.04 Changed", "100 %, 500 of 500 B",
			"Update Result 53: the integrity check of the package has failed")
	})
}

// What a device refuses is explained, and what to do.
func TestPushRefused(t *testing.T) {
	onBench(t, func(b *bench) {
		b.update.MaxSize = 1000
		image, install := b.image("2.0", 500), make(chan struct{})
		b.flash.installs = func() (firmwareupdate.Outcome, error) {
			<-install
			return firmwareupdate.Done, nil
		}
		halt := b.start()
		defer halt()
		b.runs("push dev "+b.image("3.0", 2000), ErrRefused.Error(),
			"PUT /5/0/0: 4.13 Request Entity Too Large",
			"the image is larger than the device allows")
		b.flash.verifying = 10 * time.Second
		b.runs("push dev "+image+" -wait 5s", "the device has not verified the image within 5s",
			"100 %, 500 of 500 B", "PUT /5/0/0: 2.04 Changed")
		b.runs("push dev "+image, ErrRefused.Error(), "PUT /5/0/0: 4.05 Method Not Allowed: /5/0/0",
			`the device receives or verifies another image: wait for its end, or discard it with write dev /5/0/1 ""`)
		<-time.After(10 * time.Second)
		b.runs("push dev "+image, ErrRefused.Error(), "PUT /5/0/0: 4.05 Method Not Allowed: /5/0/0",
			`there is an image already: discard it with write dev /5/0/1 ""`)
		b.runs(`write dev /5/0/1 ""`, "", "2.04 Changed")
		b.runs("push dev "+image+" -update -wait 20s", "the device has not installed the image within 20s",
			"100 %, 500 of 500 B", "PUT /5/0/0: 2.04 Changed", "State 2: Downloaded", "POST /5/0/2: 2.04 Changed", "State 3: Updating")
		b.runs("push dev "+image, ErrRefused.Error(), "PUT /5/0/0: 4.05 Method Not Allowed: /5/0/0",
			"the device installs an image: wait for the end of the installation")
		close(install)
	})
}

// The user postpones the installation, which is no failure.
func TestPushDeferred(t *testing.T) {
	onBench(t, func(b *bench) {
		b.update.Ask = func(*firmwareupdate.Image, time.Time) bool { return true }
		defer b.start()()
		b.runs("push dev "+b.image("2.0", 500)+" -update", "",
			"100 %, 500 of 500 B",
			"PUT /5/0/0: 2.04 Changed",
			"State 2: Downloaded",
			"POST /5/0/2: 2.04 Changed",
			"Update Result 11: the user has postponed the installation")
	})
}

// A device that stores no more ends the push, which the time-out alone does not.
func TestPushStalls(t *testing.T) {
	onBench(t, func(b *bench) {
		defer b.start()()
		b.flash.writing = make(chan struct{})
		begin := time.Now()
		b.runs("push dev "+b.image("2.0", 4096), "no progress for 30s", "25 %, 1.0 of 4.1 kB")
		if took := time.Since(begin); took < 30*time.Second || took > 31*time.Second {
			t.Errorf("the push has ended after %v", took)
		}
		close(b.flash.writing)
	})
}

// Commands that cannot be performed.
func TestPushUsage(t *testing.T) {
	onBench(t, func(b *bench) {
		defer b.start()()
		image := b.image("2.0", 500)
		empty := filepath.Join(b.dir, "empty")
		must(t, os.WriteFile(empty, nil, 0o600))
		const push = "usage: push DEVICE FILE [PATH] [-update] [-wait TIME]"
		for command, want := range map[string]string{
			"push dev":                               push,
			"push dev " + image + " -uri coap://a":   push,
			"push dev " + image + " -wait":           push,
			"push dev " + image + " -wait soon":      "-wait soon: write a time such as 90s or 10m",
			"push dev " + image + " -wait -1s":       "-wait -1s: write a time such as 90s or 10m",
			"push dev " + image + " 5/0/0":           "/5/0/0 is no instance of the objects 5, 9 and 33629, which receive images",
			"push dev " + image + " 3/0":             "/3/0 is no instance of the objects 5, 9 and 33629, which receive images",
			"push dev " + image + " Nonsense":        `no object is named "Nonsense"`,
			"push dev " + image + ` "5/0" now`:       `"now" after the path /5/0; ` + push,
			"push dev " + empty:                      empty + " is empty",
			"push dev " + b.dir:                      b.dir + " is no file",
			"push dev none.bin":                      "none.bin",
			"pull dev " + image + " -uri cloud":      "-uri cloud: write SCHEME://ADDRESS or SCHEME://ADDRESS:PORT",
			"pull dev " + image + " -uri coap://":    "-uri coap://: write SCHEME",
			"pull dev " + image + " -uri coap://a/b": "-uri coap://a/b: write SCHEME",
			"pull dev " + image + " -uri ftp://a":    "-uri ftp://a: the schemes of this server are coap, coaps, coap+tcp and coaps+tcp",
			"pull dev " + image + " -uri coap://[::]:1": "no device can connect to coap://[::]:1: " +
				"add -uri coap://ADDRESS:1 with an address of this machine",
		} {
			if err := b.session.Run(b.t.Context(), command); !IsUsage(err) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", command, err, want)
			}
		}
	})
}

// A device that receives images in one way names the other one.
func TestDeliveryMethods(t *testing.T) {
	onBench(t, func(b *bench) {
		halt := b.start()
		image := b.image("2.0", 500)
		b.runs("pull dev "+image, ErrRefused.Error(), "PUT /5/0/1: 4.05 Method Not Allowed: /5/0/1",
			"the device does not receive images by pull: try push")
		halt()
		b.pulls()
		b.update.NoPush = true
		halt = b.start()
		b.runs("push dev "+image, ErrRefused.Error(), "PUT /5/0/0: 4.05 Method Not Allowed: /5/0/0",
			"the device does not receive images by push: try pull")
		halt()
	})
}

// A device that installs by itself is followed to the end.
func TestAutomaticUpgrade(t *testing.T) {
	onBench(t, func(b *bench) {
		defer b.start()()
		b.runs("write dev 5/0/14 true", "", "2.04 Changed")
		b.flash.installs = func() (firmwareupdate.Outcome, error) {
			<-time.After(time.Minute)
			return firmwareupdate.Done, nil
		}
		b.runs("push dev "+b.image("2.0", 500)+" -update", "",
			"100 %, 500 of 500 B", "PUT /5/0/0: 2.04 Changed", "State 3: Updating", "Update Result 1: the new firmware runs")
		b.flash.installs = nil
		b.runs("push dev "+b.image("3.0", 500), "",
			"100 %, 500 of 500 B", "PUT /5/0/0: 2.04 Changed", "Update Result 1: the new firmware runs")
	})
}

// The shell goes on while an image waits for a device that sleeps. The time-out counts when the
// device has woken up.
func TestPushToSleepingDevice(t *testing.T) {
	onBench(t, func(b *bench) {
		b.session.following.Store(true)
		b.client.QueueMode = &lwm2m.QueueMode{}
		defer b.start()()
		<-time.After(10 * time.Minute)
		push := "push dev " + b.image("2.0", 2048)
		at := func(text string) string { return time.Now().Format("15:04:05.000 dev ") + text }
		b.runs(push, "", at("asleep: push waits until the device wakes up"))
		<-time.After(10 * time.Minute)
		must(t, b.device.Update(1))
		<-time.After(235 * time.Millisecond) // the Update, a read, the first block, with responses
		half := at("push: 50 %, 1.0 of 2.0 kB")
		<-time.After(94 * time.Millisecond)
		whole, changed := at("push: 100 %, 2.0 of 2.0 kB"), at("push: PUT /5/0/0: 2.04 Changed")
		<-time.After(94 * time.Millisecond)
		synctest.Wait()
		b.printed(push, half, whole, changed, at("push: State 2: Downloaded"))

		<-time.After(10 * time.Minute)
		push += " 5/0 -update"
		b.runs(push, "", at("asleep: push waits until the device wakes up"))
		<-time.After(10 * time.Minute)
		must(t, b.device.Update(1))
		<-time.After(235 * time.Millisecond)
		refused := at("push: PUT /5/0/0: 4.05 Method Not Allowed")
		<-time.After(94 * time.Millisecond)
		synctest.Wait()
		b.printed(push, refused, at(`push: there is an image already: discard it with write dev /5/0/1 ""`))
		b.runs(`write dev 5/0/1 ""`, "", "2.04 Changed")

		b.flash.writing = make(chan struct{})
		defer close(b.flash.writing)
		<-time.After(10 * time.Minute)
		b.runs(push, "", at("asleep: push waits until the device wakes up"))
		must(t, b.device.Update(1))
		<-time.After(235 * time.Millisecond)
		half = at("push: 50 %, 1.0 of 2.0 kB")
		<-time.After(30 * time.Second)
		synctest.Wait()
		b.printed(push, half, at("push: no progress for 30s"))
	})
}

// A device may show the outcome of its last update for a moment, which does not end the next one.
// One that fails twice in the same way does.
func TestStaleResult(t *testing.T) {
	d := &delivery{object: firmwareObject, before: status{0, 5}, accepted: time.Now()}
	if d.received(status{0, 5}, true) || !d.received(status{0, 4}, true) || !d.received(status{2, 0}, true) {
		t.Error("a result that the device had before ends the update, or a new one does not")
	}
	d.before = status{2, 8} // of a device that does not reset the result
	if d.installed(status{2, 8}) || !d.installed(status{0, 8}) || !d.installed(status{0, 1}) {
		t.Error("a result that the device had before ends the installation, or a new one does not")
	}
	d.accepted, d.before = time.Now().Add(-staleTime), status{0, 5}
	if !d.received(status{0, 5}, true) || !d.installed(status{0, 5}) {
		t.Error("a result that stays does not end the update")
	}
	onBench(t, func(b *bench) {
		defer b.start()()
		image := b.image("2.0", 500)
		b.flash.verifyErr = errors.New("the signature is wrong")
		for range 2 {
			begin := time.Now()
			b.runs("push dev "+image, ErrRefused.Error(), "100 %, 500 of 500 B", "PUT /5/0/0: 2.04 Changed",
				"Update Result 5: the integrity check of the image has failed")
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("the push has taken %v", took)
			}
		}
		b.flash.verifyErr = nil
		b.runs("push dev "+image, "", "100 %, 500 of 500 B", "PUT /5/0/0: 2.04 Changed", "State 2: Downloaded")
	})
}

// An interrupt ends a command, and the file is not offered any more.
func TestInterrupt(t *testing.T) {
	onBench(t, func(b *bench) {
		b.pulls()
		defer b.start()()
		image := b.image("2.0", 10_240)
		for _, c := range []struct{ command, path, result string }{
			{"push dev ", "", "4"},                   // the connection is lost
			{"pull dev ", "/pull/1/fw-2.0.bin", "7"}, // the URI leads to nothing
		} {
			ctx, interrupt := context.WithCancel(b.t.Context())
			time.AfterFunc(500*time.Millisecond, func() {
				if c.path != "" && !b.offers(c.path) {
					t.Error("the file is not offered")
				}
				interrupt()
			})
			if err := b.session.Run(ctx, c.command+image); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v, want %v", c.command, err, context.Canceled)
			}
			if c.path != "" && b.offers(c.path) {
				t.Error("the file is still offered")
			}
			<-time.After(10 * time.Minute)
			b.out.Reset()
			b.runs("read dev 5/0/5", "", "2.05 Content", "  /5/0/5  Update Result  "+c.result)
		}
	})
}
