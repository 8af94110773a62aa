package lwm2m_test

import (
	"context"
	"errors"
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
	"github.com/lwm2mgen/toolkit/runtime/objects/softwaremanagement"
)

// OMA publishes no cases for the object Software Management (9). These are the procedures of the
// cases 751 to 779, which are about Firmware Update, for object 9, and those of its own operations.

// apps installs software in the memory of a flash. The first line of a package is its version.
type apps struct {
	*flash
	running  bool
	startErr error
}

func (a *apps) Verify(ctx context.Context, p *softwaremanagement.Package) error {
	image := &firmwareupdate.Image{SectionReader: p.SectionReader}
	err := a.flash.Verify(ctx, image)
	p.Name, p.Version = "app", image.Version
	return err // with the causes of firmware
}

func (a *apps) Install(ctx context.Context, p *softwaremanagement.Package) (softwaremanagement.Outcome, error) {
	return a.flash.Install(ctx, &firmwareupdate.Image{SectionReader: p.SectionReader, Version: p.Version})
}

// Activate takes longer than a server waits for an acknowledgement.
func (a *apps) Activate(context.Context, softwaremanagement.Software) error {
	<-time.After(10 * time.Second)
	a.running = a.startErr == nil
	return a.startErr
}

func (a *apps) Deactivate(context.Context, softwaremanagement.Software) error {
	a.running = false
	return nil
}

func (a *apps) Uninstall(_ context.Context, _ softwaremanagement.Software, forUpdate bool) error {
	if !forUpdate {
		a.version = ""
	}
	return nil
}

// managing is a managed device with a Software Management object.
type managing struct {
	*managed
	apps     *apps
	software *softwaremanagement.Manager
}

// onSoftware runs a case with LwM2M 1.1 and 1.2.
func onSoftware(t *testing.T, fn func(m *managing)) {
	t.Helper()
	for _, v := range since11 {
		u := &managing{apps: &apps{flash: &flash{slow: true}}}
		prepare := func(m *managed) {
			u.managed = m
			client, err := download.New(download.Config{Dialers: []socket.Dialer{m.device.Dialer()}, Logger: quiet()})
			must(m.t, err)
			m.t.Cleanup(func() { _ = client.Close() })
			u.software, err = softwaremanagement.New(softwaremanagement.Config{
				Components: []softwaremanagement.Component{{Storage: u.apps.flash, Downloader: pull.New(client, download.Records{})}},
				Installer:  u.apps, Logger: quiet(),
			})
			must(m.t, err)
			m.t.Cleanup(func() { _ = u.software.Close() })
			m.cfg.Objects = append(m.cfg.Objects, u.software)
			m.cfg.Servers[0].MinPeriod, m.cfg.Servers[0].MaxPeriod = 0, 0 // see every state
		}
		onVersion(t, v, prepare, func(*managed) { fn(u) })
	}
}

// push writes Package block by block.
func (m *managing) push(want coap.Code, software []byte) {
	m.t.Helper()
	m.upload(want, "/9/0/2", software)
}

// is fails unless the server reads this state, result and activation 5 s later.
func (m *managing) is(state, result, active string) {
	m.t.Helper()
	<-time.After(5 * time.Second)
	m.reads("/9/0/7", content.Text, state)
	m.reads("/9/0/9", content.Text, result)
	m.reads("/9/0/12", content.Text, active)
}

// installs brings software to the device.
func (m *managing) installs(version string) {
	m.t.Helper()
	m.push(coap.Changed, firmwareImage(version, 3000))
	m.is("3", "3", "0")
	m.executesWith(coap.Changed, "/9/0/4", "")
	m.is("3", "3", "0")
	m.executesWith(coap.MethodNotAllowed, "/9/0/4", "")
	<-time.After(time.Minute)
	m.is("4", "2", "0")
	m.reads("/9/0/1", content.Text, version)
}

func TestSoftwareRead(t *testing.T) {
	onSoftware(t, func(m *managing) {
		m.is("0", "0", "0")
		m.same("instance", m.values(m.get("/9/0", content.SenMLJSON)), []string{"/9/0/0=", "/9/0/1=", "/9/0/7=0", "/9/0/9=0",
			"/9/0/12=false"})
		for _, path := range []string{"/9/0/2", "/9/0/3"} {
			m.answers(coap.MethodNotAllowed, lwm2mtest.Operation{Method: coap.GET, Path: path, Accept: content.None, Format: content.None})
		}
	})
}

func TestSoftwareWritePackage(t *testing.T) {
	onSoftware(t, func(m *managing) {
		m.push(coap.Changed, []byte{0})
		m.is("0", "0", "0")
		for _, n := range []int{10, 1024, 4096, 5000} { // also exact multiples of the block size
			m.push(coap.Changed, firmwareImage("2.0", n))
			m.is("3", "3", "0")
			m.push(coap.MethodNotAllowed, firmwareImage("3.0", n))
			m.is("3", "3", "0")
			if got := m.apps.Content().Size(); got != int64(n) {
				m.t.Errorf("the package has %d bytes, want %d", got, n)
			}
			m.push(coap.Changed, []byte{0})
			m.is("0", "0", "0")
		}
		m.push(coap.Changed, nil)
		m.is("0", "0", "0")
	})
}

func TestSoftwareWriteURI(t *testing.T) {
	onSoftware(t, func(m *managing) {
		m.put("/9/0/3", content.Text, "")
		m.is("0", "0", "0")
		uri := m.serve(firmwareImage("2.0", 5000))
		m.put("/9/0/3", content.Text, uri)
		<-time.After(time.Minute)
		m.is("3", "3", "0")
		m.write(coap.MethodNotAllowed, coap.PUT, "/9/0/3", content.Text, uri)
		m.put("/9/0/3", content.Text, "")
		m.is("0", "0", "0")
	})
}

func TestSoftwareObserveState(t *testing.T) {
	onSoftware(t, func(m *managing) {
		must(m.t, m.net.SetLink(m.place, m.device, simnet.Link{Delay: 100 * time.Millisecond}))
		notified := m.notified("/9/0/7")
		m.push(coap.Changed, firmwareImage("2.0", 3000))
		notified("1", "2", "3")
	})
}

func TestSoftwarePush(t *testing.T) {
	onSoftware(t, func(m *managing) {
		must(m.t, m.net.SetLink(m.place, m.device, simnet.Link{Delay: 100 * time.Millisecond}))
		notified := m.notified("/9/0/7")
		m.installs("2.0")
		notified("1", "2", "3", "4")
		if m.apps.version != "2.0" {
			m.t.Errorf("the software is %s", m.apps.version)
		}
	})
}

func TestSoftwarePull(t *testing.T) {
	onSoftware(t, func(m *managing) {
		notified := m.notified("/9/0/9")
		m.put("/9/0/3", content.Text, m.serve(firmwareImage("2.0", 30_000)))
		<-time.After(time.Minute)
		m.executesWith(coap.Changed, "/9/0/4", "")
		notified("1", "0", "3", "2")
		m.is("4", "2", "0")
		if m.apps.version != "2.0" {
			m.t.Errorf("the software is %s", m.apps.version)
		}
	})
}

// The operations of software that is installed are answered when they are done.
func TestSoftwareActivate(t *testing.T) {
	onSoftware(t, func(m *managing) {
		m.executesWith(coap.MethodNotAllowed, "/9/0/10", "")
		m.executesWith(coap.MethodNotAllowed, "/9/0/11", "")
		m.installs("2.0")
		notified := m.notified("/9/0/12")
		m.executesWith(coap.Changed, "/9/0/10", "")
		if !m.apps.running {
			m.t.Error("Activate is answered, and the software does not run")
		}
		m.is("4", "2", "1")
		m.executesWith(coap.Changed, "/9/0/11", "")
		m.is("4", "2", "0")
		if m.apps.running {
			m.t.Error("Deactivate is answered, and the software runs")
		}
		notified("1", "0")
		m.apps.startErr = errors.New("the port is in use")
		m.executesWith(coap.InternalServerError, "/9/0/10", "")
		m.is("4", "2", "0")
	})
}

// While software is activated, the device serves everything but other requests for the software.
func TestSoftwareWhileActivating(t *testing.T) {
	onSoftware(t, func(m *managing) {
		m.installs("2.0")
		done := make(chan struct{})
		go func() {
			defer close(done)
			m.executesWith(coap.Changed, "/9/0/10", "")
		}()
		<-time.After(3 * time.Second)
		m.executesWith(coap.MethodNotAllowed, "/9/0/10", "")
		m.executesWith(coap.MethodNotAllowed, "/9/0/11", "")
		m.executesWith(coap.MethodNotAllowed, "/9/0/6", "")
		m.push(coap.MethodNotAllowed, firmwareImage("3.0", 3000))
		m.reads("/9/0/12", content.Text, "0")
		select {
		case <-done:
			m.t.Error("Activate is answered before the software runs")
		default:
		}
		<-done
		m.reads("/9/0/12", content.Text, "1")
	})
}

func TestSoftwareUninstall(t *testing.T) {
	onSoftware(t, func(m *managing) {
		m.executesWith(coap.MethodNotAllowed, "/9/0/6", "")
		m.installs("2.0")
		m.executesWith(coap.Changed, "/9/0/10", "")
		m.executesWith(coap.BadRequest, "/9/0/6", "2")
		m.executesWith(coap.Changed, "/9/0/6", "1")
		m.is("0", "0", "0")
		if m.apps.version != "2.0" || m.apps.running {
			m.t.Errorf("the software for the update is %q, running: %v", m.apps.version, m.apps.running)
		}
		m.installs("3.0")
		m.executesWith(coap.Changed, "/9/0/6", "0")
		m.is("0", "0", "0")
		if m.apps.version != "" {
			m.t.Errorf("the software is %q", m.apps.version)
		}
	})
}

func TestSoftwareWithoutPackage(t *testing.T) {
	onSoftware(t, func(m *managing) {
		m.executesWith(coap.MethodNotAllowed, "/9/0/4", "")
		m.is("0", "0", "0")
	})
}

func TestSoftwareWithoutStorage(t *testing.T) {
	onSoftware(t, func(m *managing) {
		m.apps.write = softwaremanagement.Fail(50, errors.New("the flash is full"))
		m.push(coap.RequestEntityTooLarge, firmwareImage("2.0", 3000))
		m.is("0", "50", "0")
	})
}

func TestSoftwareWithoutMemory(t *testing.T) {
	onSoftware(t, func(m *managing) {
		m.apps.write = softwaremanagement.Fail(51, errors.New("there is no memory"))
		m.put("/9/0/3", content.Text, m.serve(firmwareImage("2.0", 3000)))
		<-time.After(time.Minute)
		m.is("0", "51", "0")
	})
}

func TestSoftwareConnectionLost(t *testing.T) {
	onSoftware(t, func(m *managing) {
		uri := m.serve(firmwareImage("2.0", 30_000))
		must(m.t, m.net.SetLink(m.place, m.device, simnet.Link{Delay: time.Second}))
		m.put("/9/0/3", content.Text, uri)
		<-time.After(10 * time.Second)
		m.net.Cut(m.place, m.device)
		<-time.After(3 * time.Hour)
		m.net.Heal(m.place, m.device)
		<-time.After(time.Minute)
		m.dev = m.server.WaitRegistered("dev")
		m.is("0", "52", "0")
	})
}

func TestSoftwareIntegrity(t *testing.T) {
	onSoftware(t, func(m *managing) {
		m.push(coap.Changed, append(firmwareImage("2.0", 3000), "broken"...))
		m.is("0", "53", "0")
	})
}

func TestSoftwareType(t *testing.T) {
	onSoftware(t, func(m *managing) {
		m.push(coap.Changed, firmwareImage("ELF", 3000))
		m.is("0", "54", "0")
	})
}

func TestSoftwareURI(t *testing.T) {
	onSoftware(t, func(m *managing) {
		for _, uri := range []string{"coap://server/nothing", "software", "ftp://server/fw.bin"} {
			m.put("/9/0/3", content.Text, uri)
			<-time.After(time.Minute)
			m.is("0", "56", "0")
		}
	})
}

func TestSoftwareInstallation(t *testing.T) {
	onSoftware(t, func(m *managing) {
		m.apps.installErr = errors.New("the disk is broken")
		m.push(coap.Changed, firmwareImage("2.0", 3000))
		<-time.After(5 * time.Second)
		m.executesWith(coap.Changed, "/9/0/4", "")
		<-time.After(2 * time.Minute)
		m.is("3", "58", "0")
		m.apps.installErr = nil
		m.executesWith(coap.Changed, "/9/0/4", "")
		<-time.After(2 * time.Minute)
		m.is("4", "2", "0")
	})
}
