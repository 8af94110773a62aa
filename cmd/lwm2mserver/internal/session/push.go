package session

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

// defaultInstallTime is how long a device has to verify and to install an image, without -wait.
const defaultInstallTime = 10 * time.Minute

// delivery is a push or a pull of an image.
type delivery struct {
	*command
	object   *updateObject
	instance dm.Path
	file     *os.File
	size     int64
	install  bool          // -update
	wait     time.Duration // -wait
	server   string        // -uri, "" without

	before   status    // before the last request that changes it
	accepted time.Time // when the device has answered that request
	known    status    // that was read last
	events   int       // position behind the events before the last read
}

// newDelivery parses the arguments of push and pull and opens the file.
func (c *command) newDelivery() (*delivery, error) {
	d := &delivery{command: c, wait: defaultInstallTime}
	file, args := c.args[0].text, c.args[1:]
	var path []word
	for len(args) > 0 {
		w := args[0]
		args = args[1:]
		switch {
		case w.quoted || !strings.HasPrefix(w.text, "-"):
			path = append(path, w)
		case w.text == "-update":
			d.install = true
		case (w.text == "-wait" || w.text == "-uri" && c.verb.name == "pull") && len(args) > 0:
			if err := d.setOption(w.text, args[0].text); err != nil {
				return nil, err
			}
			args = args[1:]
		default:
			return nil, c.usage()
		}
	}
	if err := d.setInstance(path); err != nil {
		return nil, err
	}
	return d, d.open(file)
}

func (d *delivery) setOption(name, value string) (err error) {
	if name == "-uri" {
		d.server = value
		return nil
	}
	if d.wait, err = time.ParseDuration(value); err != nil || d.wait <= 0 {
		return usageError(fmt.Sprintf("-wait %s: write a time such as 90s or 10m", value))
	}
	return nil
}

// setInstance sets the instance that receives the image.
func (d *delivery) setInstance(words []word) error {
	d.instance = dm.InstancePath(5, 0)
	if len(words) == 0 && !d.has(5) {
		return usageError(fmt.Sprintf("%q has no object 5: name an instance of object 9 or 33629 as PATH", d.endpoint))
	}
	if len(words) > 0 {
		p, rest, err := d.path(words)
		if err != nil {
			return err
		}
		if len(rest) > 0 {
			return usageError(fmt.Sprintf("%q after the path %v; usage: %s", join(rest), p, d.verb.usage))
		}
		d.instance = p
	}
	d.object = updateObjects[d.instance.Object()]
	if d.object == nil || d.instance.Level() != dm.InstanceLevel {
		return usageError(fmt.Sprintf("%v is no instance of the objects 5, 9 and 33629, which receive images", d.instance))
	}
	return nil
}

// open opens the file of the image.
func (d *delivery) open(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return usageError(err.Error())
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		err = usageError(err.Error())
	case !info.Mode().IsRegular():
		err = usageError(name + " is no file")
	case info.Size() == 0:
		err = usageError(name + " is empty")
	}
	if err != nil {
		_ = f.Close()
		return err
	}
	d.file, d.size = f, info.Size()
	return nil
}

// resource returns the path of a resource of the instance.
func (d *delivery) resource(id dm.ResourceID) string {
	return dm.ResourcePath(d.instance.Object(), d.instance.Instance(), id).String()
}

// push writes an image to a device.
func (c *command) push(ctx context.Context) error {
	d, err := c.newDelivery()
	if err != nil {
		return err
	}
	defer d.file.Close()
	if d.before, err = d.read(ctx); err != nil {
		return err
	}
	t := c.newTransfer(d.size)
	t.start()
	defer t.end(false)
	path := d.resource(d.object.image)
	a, err := c.device.Push(ctx, path, d.file, d.size, t.advance)
	if err != nil {
		return err
	}
	t.end(!a.Code.IsError())
	if err := d.answer(coap.PUT, path, a); err != nil {
		d.advise(ctx, a)
		return err
	}
	d.extendUntil("verified")
	s, err := d.follow(ctx, nil, func(s status) bool { return d.received(s, true) })
	if err != nil {
		return err
	}
	return d.finish(ctx, s)
}

// pull has a device download an image.
func (c *command) pull(ctx context.Context) error {
	d, err := c.newDelivery()
	if err != nil {
		return err
	}
	defer d.file.Close()
	uri, path, err := d.uri()
	if err != nil {
		return err
	}
	f := &watchedFile{ReaderAt: d.file}
	if d.before, err = d.read(ctx); err != nil {
		return err
	}
	if err := c.cfg.Server.ServeFile(path, lwm2mserver.File{Content: f, Size: d.size}); err != nil {
		return err
	}
	defer func() { _ = c.cfg.Server.ServeFile(path, lwm2mserver.File{}) }()
	t := c.newTransfer(d.size)
	t.uri = uri
	f.transfer.Store(t)
	defer f.transfer.Store(nil)
	resource := d.resource(d.object.uri)
	a, err := c.device.Write(ctx, resource, content.Text, []byte(uri))
	if err != nil {
		return err
	}
	if err := d.answer(coap.PUT, resource, a); err != nil {
		d.advise(ctx, a)
		return err
	}
	t.start()
	defer t.end(false)
	c.extend(c.cfg.Timeout, t.silence)
	s, err := d.follow(ctx, t, func(s status) bool { return d.received(s, t.complete()) })
	if err != nil {
		return err
	}
	t.end(d.object.phase(s) != phaseIdle)
	return d.finish(ctx, s)
}

// uri returns the URI at which the device finds the file, and the path of the file at the server.
func (d *delivery) uri() (uri, path string, err error) {
	base, option := cmp.Or(d.server, d.device.ServerURI()), d.server != ""
	u, err := url.Parse(base)
	switch {
	case err != nil:
		return "", "", usageError(err.Error())
	case option && (u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil):
		return "", "", usageError(fmt.Sprintf("-uri %s: write SCHEME://ADDRESS or SCHEME://ADDRESS:PORT", base))
	case u.Scheme != "coap" && u.Scheme != "coaps" && u.Scheme != "coap+tcp" && u.Scheme != "coaps+tcp":
		return "", "", usageError(fmt.Sprintf("-uri %s: the schemes of this server are coap, coaps, coap+tcp and coaps+tcp", base))
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && ip.IsUnspecified() {
		return "", "", usageError(fmt.Sprintf("no device can connect to %s: add -uri %s://ADDRESS:%s with an address of this machine",
			base, u.Scheme, cmp.Or(u.Port(), "PORT")))
	}
	d.mu.Lock()
	d.pulls++
	path = fmt.Sprintf("/pull/%d/%s", d.pulls, plainName(d.file.Name()))
	d.mu.Unlock()
	return u.Scheme + "://" + u.Host + path, path, nil
}

// plainName returns the name of a file with characters that need no escape in a URI, and not longer
// than an option of CoAP can be for every device.
func plainName(file string) string {
	name := []rune(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-' {
			return r
		}
		return '-'
	}, filepath.Base(file)))
	return string(name[max(len(name)-64, 0):]) // the end holds the extension
}

// answer prints the response to a request of the delivery.
func (d *delivery) answer(method coap.Code, path string, a lwm2mserver.Answer) error {
	r := d.command.answer(a, d.device.Registration().Objects.Root)
	r.Device, r.Command, r.Late, r.Step = d.endpoint, d.verb.name, d.late.Load(), method.String()+" "+path
	d.print(r)
	d.accepted = time.Now()
	return refused(a.Code)
}

// advise prints why the device may have refused the image.
func (d *delivery) advise(ctx context.Context, a lwm2mserver.Answer) {
	s, err := d.read(ctx)
	if err != nil {
		return // the refusal itself has been printed
	}
	if text := d.object.advice(a.Code, s, d.verb.name, d.endpoint, d.instance); text != "" {
		d.print(d.text(s, text))
	}
}

// text returns a report about the update.
func (d *delivery) text(s status, text string) Report {
	return Report{
		Kind: "update", Device: d.endpoint, Command: d.verb.name, Late: d.late.Load(),
		State: &s.state, Result: &s.result, Text: text,
	}
}

// finish prints how the transfer has ended, and executes Update.
func (d *delivery) finish(ctx context.Context, s status) error {
	switch phase := d.object.phase(s); {
	case phase == phaseIdle || phase == phaseInstalled:
		return d.printResult(s)
	case !d.install:
		return nil
	case phase == phaseReady:
		d.before = s
		path := d.resource(d.object.install)
		a, err := d.device.Execute(ctx, path, "")
		if err != nil {
			return err
		}
		if err := d.answer(coap.POST, path, a); err != nil {
			return err
		}
	}
	d.extendUntil("installed")
	s, err := d.follow(ctx, nil, d.installed)
	if err != nil {
		return err
	}
	return d.printResult(s)
}

func (d *delivery) printResult(s status) error {
	d.print(d.text(s, d.object.resultText(s)))
	if s.result != d.object.success && s.result != d.object.deferred {
		return ErrRefused
	}
	return nil
}
