package lwm2m_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate/pull"
)

// errType is why an image is refused that is for something else.
var errType = firmwareupdate.Fail(6, errors.New("it is a program"))

// flash holds an image in memory and installs it. The first line of an image is its version.
type flash struct {
	mu         sync.Mutex
	image      []byte
	version    string
	write      error // of the Write that follows
	installErr error
	slow       bool // whether an installation takes a minute
}

func (f *flash) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.write != nil {
		return 0, f.write
	}
	f.image = append(f.image, p...)
	return len(p), nil
}

func (f *flash) Sync() error { return nil }

func (f *flash) Truncate(n int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n > int64(len(f.image)) {
		return download.ErrShort
	}
	f.image = f.image[:n]
	return nil
}

func (f *flash) Content() *io.SectionReader {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := bytes.Clone(f.image)
	return io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b)))
}

func (f *flash) Verify(_ context.Context, image *firmwareupdate.Image) error {
	<-time.After(2 * time.Second)
	b, err := io.ReadAll(image)
	if err != nil {
		return err
	}
	switch line, rest, _ := strings.Cut(string(b), "\n"); {
	case strings.HasPrefix(line, "ELF"):
		return errType
	case strings.Trim(rest, "x") != "":
		return errors.New("the checksum is wrong")
	default:
		image.Version = line
	}
	return nil
}

func (f *flash) Install(_ context.Context, image *firmwareupdate.Image) (firmwareupdate.Outcome, error) {
	if f.slow {
		<-time.After(time.Minute)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.installErr != nil {
		return 0, f.installErr
	}
	f.version = image.Version
	return firmwareupdate.Done, nil
}

// firmwareImage returns an image of n bytes.
func firmwareImage(version string, n int) []byte {
	return append([]byte(version+"\n"), bytes.Repeat([]byte{'x'}, n-len(version)-1)...)
}

// updating is a managed device with a Firmware Update object.
type updating struct {
	*managed
	flash  *flash
	update *firmwareupdate.Updater
}

// onFirmware runs a case with LwM2M 1.1 and 1.2.
func onFirmware(t *testing.T, fn func(m *updating)) {
	t.Helper()
	for _, v := range since11 {
		u := &updating{flash: &flash{version: "1.0", slow: true}}
		prepare := func(m *managed) {
			u.managed = m
			client, err := download.New(download.Config{Dialers: []socket.Dialer{m.device.Dialer()}, Logger: quiet()})
			must(m.t, err)
			m.t.Cleanup(func() { _ = client.Close() })
			u.update, err = firmwareupdate.New(firmwareupdate.Config{
				Installer: u.flash, Storage: u.flash, Downloader: pull.New(client, download.Records{}), Logger: quiet(),
			})
			must(m.t, err)
			m.t.Cleanup(func() { _ = u.update.Close() })
			m.cfg.Objects = append(m.cfg.Objects, u.update)
			m.cfg.Servers[0].MinPeriod, m.cfg.Servers[0].MaxPeriod = 0, 0 // see every state
		}
		onVersion(t, v, prepare, func(*managed) { fn(u) })
	}
}

// push writes Package block by block.
func (m *updating) push(want coap.Code, image []byte) { m.t.Helper(); m.upload(want, "/5/0/0", image) }

// upload writes an image to a resource block by block.
func (m *managed) upload(want coap.Code, path string, image []byte) {
	m.t.Helper()
	m.answers(want, lwm2mtest.Operation{Method: coap.PUT, Path: path, Accept: content.None, Format: content.Opaque,
		Payload: image})
}

// serve offers an image for download, and returns its URI.
func (m *managed) serve(image []byte) string {
	m.t.Helper()
	must(m.t, m.server.ServeFile("/fw.bin", lwm2mtest.File{Content: bytes.NewReader(image), Size: int64(len(image))}))
	return "coap://server/fw.bin"
}

// is fails unless the server reads this state and result 5 s later.
func (m *updating) is(state, result string) {
	m.t.Helper()
	<-time.After(5 * time.Second)
	m.reads("/5/0/3", content.Text, state)
	m.reads("/5/0/5", content.Text, result)
}

// execute executes Update.
func (m *updating) execute(want coap.Code) { m.t.Helper(); m.executesWith(want, "/5/0/2", "") }

// executesWith executes a resource with arguments, and fails unless the response has the code.
func (m *managed) executesWith(want coap.Code, path, args string) {
	m.t.Helper()
	op := lwm2mtest.Operation{Method: coap.POST, Path: path, Accept: content.None, Format: content.None}
	if args != "" {
		op.Format, op.Payload = content.Text, []byte(args)
	}
	m.answers(want, op)
}

// states observes State. The returned function fails unless the notifications so far are these.
func (m *updating) states() func(want ...string) {
	m.t.Helper()
	return m.notified("/5/0/3")
}

// notified observes a resource which is 0. The returned function fails unless the notifications so
// far are these.
func (m *managed) notified(path string) func(want ...string) {
	m.t.Helper()
	obs, a, err := m.dev.Observe(context.Background(), path, content.Text)
	if err != nil || a.Text() != "0" {
		m.t.Fatalf("Observe %s: %v (%v)", path, a, err)
	}
	return func(want ...string) {
		m.t.Helper()
		var got []string
		for {
			ctx, stop := context.WithTimeout(context.Background(), 5*time.Minute)
			a, err := obs.Next(ctx)
			stop()
			if err != nil {
				break
			}
			if n := len(got); n == 0 || got[n-1] != a.Text() {
				got = append(got, a.Text())
			}
		}
		if !slices.Equal(got, want) {
			m.t.Errorf("%s was notified as %v, want %v", path, got, want)
		}
	}
}

func TestETS_1_1_int_751_FirmwareRead(t *testing.T) {
	onFirmware(t, func(m *updating) {
		m.is("0", "0")
		m.same("protocols", m.values(m.get("/5/0/8", content.SenMLJSON)), []string{"/5/0/8/0=0"})
		m.reads("/5/0/9", content.Text, "2")
		m.reads("/5/0/1", content.Text, "")
		m.answers(coap.MethodNotAllowed, lwm2mtest.Operation{Method: coap.GET, Path: "/5/0/0", Accept: content.None,
			Format: content.None})
	})
}

func TestETS_1_1_int_755_FirmwareWritePackage(t *testing.T) {
	onFirmware(t, func(m *updating) {
		m.push(coap.Changed, []byte{0})
		m.is("0", "0")
		for _, n := range []int{10, 1024, 4096, 5000} { // also exact multiples of the block size
			m.push(coap.Changed, firmwareImage("2.0", n))
			m.is("2", "0")
			m.push(coap.MethodNotAllowed, firmwareImage("3.0", n))
			m.is("2", "0")
			if got := m.flash.Content().Size(); got != int64(n) {
				m.t.Errorf("the image has %d bytes, want %d", got, n)
			}
			m.push(coap.Changed, []byte{0})
			m.is("0", "0")
		}
		m.push(coap.Changed, nil)
		m.is("0", "0")
	})
}

func TestETS_1_1_int_756_FirmwareWriteURI(t *testing.T) {
	onFirmware(t, func(m *updating) {
		m.put("/5/0/1", content.Text, "")
		m.is("0", "0")
		uri := m.serve(firmwareImage("2.0", 5000))
		m.put("/5/0/1", content.Text, uri)
		<-time.After(time.Minute)
		m.is("2", "0")
		m.reads("/5/0/1", content.Text, uri)
		m.write(coap.MethodNotAllowed, coap.PUT, "/5/0/1", content.Text, uri)
		m.put("/5/0/1", content.Text, "")
		m.is("0", "0")
		m.reads("/5/0/1", content.Text, "")
	})
}

func TestETS_1_1_int_760_FirmwareObserveState(t *testing.T) {
	onFirmware(t, func(m *updating) {
		notified := m.states()
		m.push(coap.Changed, firmwareImage("2.0", 3000))
		notified("1", "2")
	})
}

func TestETS_1_1_int_770_FirmwarePush(t *testing.T) {
	onFirmware(t, func(m *updating) {
		notified := m.states()
		m.push(coap.Changed, firmwareImage("2.0", 3000))
		<-time.After(5 * time.Second)
		m.execute(coap.Changed)
		m.is("3", "0")
		m.execute(coap.MethodNotAllowed)
		notified("1", "2", "3", "0")
		m.is("0", "1")
		m.reads("/5/0/7", content.Text, "2.0")
		if m.flash.version != "2.0" {
			m.t.Errorf("the device runs %s", m.flash.version)
		}
	})
}

func TestETS_1_1_int_771_FirmwarePull(t *testing.T) {
	onFirmware(t, func(m *updating) {
		notified := m.states()
		m.put("/5/0/1", content.Text, m.serve(firmwareImage("2.0", 30_000)))
		<-time.After(time.Minute)
		m.execute(coap.Changed)
		notified("1", "2", "3", "0")
		m.is("0", "1")
		if m.flash.version != "2.0" {
			m.t.Errorf("the device runs %s", m.flash.version)
		}
	})
}

func TestETS_1_1_int_772_FirmwareWithoutPackage(t *testing.T) {
	onFirmware(t, func(m *updating) {
		m.execute(coap.MethodNotAllowed)
		m.is("0", "0")
	})
}

func TestETS_1_1_int_773_FirmwareWithoutStorage(t *testing.T) {
	onFirmware(t, func(m *updating) {
		m.flash.write = firmwareupdate.Fail(2, errors.New("the flash is full"))
		m.push(coap.RequestEntityTooLarge, firmwareImage("2.0", 3000))
		m.is("0", "2")
	})
}

func TestETS_1_1_int_774_FirmwareWithoutMemory(t *testing.T) {
	onFirmware(t, func(m *updating) {
		m.flash.write = firmwareupdate.Fail(3, errors.New("there is no memory"))
		m.put("/5/0/1", content.Text, m.serve(firmwareImage("2.0", 3000)))
		<-time.After(time.Minute)
		m.is("0", "3") // the case prints 2, and its description is that of 3
	})
}

func TestETS_1_1_int_775_FirmwareConnectionLost(t *testing.T) {
	onFirmware(t, func(m *updating) {
		uri := m.serve(firmwareImage("2.0", 30_000))
		must(m.t, m.net.SetLink(m.place, m.device, simnet.Link{Delay: time.Second}))
		m.put("/5/0/1", content.Text, uri)
		<-time.After(10 * time.Second)
		m.net.Cut(m.place, m.device)
		<-time.After(3 * time.Hour)
		m.net.Heal(m.place, m.device)
		<-time.After(time.Minute)
		m.dev = m.server.WaitRegistered("dev")
		m.is("0", "4")
	})
}

func TestETS_1_1_int_776_FirmwareIntegrity(t *testing.T) {
	onFirmware(t, func(m *updating) {
		m.push(coap.Changed, append(firmwareImage("2.0", 3000), "broken"...))
		m.is("0", "5")
	})
}

func TestETS_1_1_int_777_FirmwareType(t *testing.T) {
	onFirmware(t, func(m *updating) {
		m.push(coap.Changed, firmwareImage("ELF", 3000))
		m.is("0", "6")
	})
}

func TestETS_1_1_int_778_FirmwareURI(t *testing.T) {
	onFirmware(t, func(m *updating) {
		for uri, result := range map[string]string{"coap://server/nothing": "7", "firmware": "7", "ftp://server/fw.bin": "9"} {
			m.put("/5/0/1", content.Text, uri)
			<-time.After(time.Minute)
			m.is("0", result)
		}
	})
}

func TestETS_1_1_int_779_FirmwareInstallation(t *testing.T) {
	onFirmware(t, func(m *updating) {
		m.flash.installErr = errors.New("the partition is broken")
		m.push(coap.Changed, firmwareImage("2.0", 3000))
		<-time.After(5 * time.Second)
		m.execute(coap.Changed)
		<-time.After(2 * time.Minute)
		m.is("2", "8")
		if m.flash.version != "1.0" {
			m.t.Errorf("the device runs %s", m.flash.version)
		}
	})
}
