package advancedfirmware_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/advancedfirmware"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/objecttest"
)

// components are those of the device. An image is a line such as "modem 2.0", a bundle several of
// them.
var components = []string{"application", "modem", "bootloader"}

// board is a device that forgets what is not durable when it loses its power. It is an Installer.
type board struct {
	objecttest.Power
	flash      [3]objecttest.Flash
	records    objecttest.Records
	running    map[string]string // versions of components
	next       map[string]string // that run after a restart; nil without an installation
	installs   []string
	restarts   bool
	installErr error
	needs      map[string]string // an image, and the one that must run or be installed with it
	verifying  chan struct{}     // Verify waits for it, if it is set
}

func newBoard() *board {
	b := &board{Power: objecttest.Power{Limit: -1}, needs: map[string]string{},
		running: map[string]string{"application": "1.0", "modem": "1.0", "bootloader": "1.0"}}
	for i := range b.flash {
		b.flash[i].Power = &b.Power
	}
	b.records = objecttest.Records{Power: &b.Power, Values: map[string][]byte{}}
	return b
}

// read returns the versions in an image by component.
func read(r io.Reader) (map[string]string, error) {
	content, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	versions := map[string]string{}
	for line := range strings.SplitSeq(string(content), "\n") {
		name, version, ok := strings.Cut(line, " ")
		if !ok || !slices.Contains(components, name) {
			return nil, errors.New("it is no firmware")
		}
		versions[name] = version
	}
	return versions, nil
}

func (b *board) Verify(ctx context.Context, image *advancedfirmware.Image) error {
	if b.verifying != nil {
		select {
		case <-b.verifying:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	versions, err := read(image)
	if err != nil {
		return err
	}
	for i, name := range components {
		switch id := dm.InstanceID(i); {
		case versions[name] == "":
		case id == image.Component:
			image.Name, image.Version = name, versions[name]
		default:
			image.Components = append(image.Components, id)
		}
	}
	if versions[components[image.Component]] == "" {
		return advancedfirmware.Fail(6, errors.New("it is for another component"))
	}
	return nil
}

// Install installs all images or none.
func (b *board) Install(_ context.Context, images []*advancedfirmware.Image) (advancedfirmware.Outcome, error) {
	next := map[string]string{}
	var names []string
	for _, i := range images {
		versions, err := read(i)
		if err != nil {
			return 0, err
		}
		name := components[i.Component]
		next[name] = versions[name]
		names = append(names, name+" "+versions[name])
	}
	b.Lock()
	defer b.Unlock()
	if !b.Use() {
		return 0, objecttest.ErrPower
	}
	b.installs = append(b.installs, strings.Join(names, "+"))
	if b.installErr != nil {
		return 0, b.installErr
	}
	if !b.Use() { // in the middle of an installation
		return 0, objecttest.ErrPower
	}
	b.next = next
	if b.restarts {
		return advancedfirmware.Restarting, nil
	}
	b.boot()
	return advancedfirmware.Done, nil
}

func (b *board) boot() {
	for name, version := range b.next {
		b.running[name] = version
	}
	b.next = nil
}

// version returns the version of a component that runs.
func (b *board) version(name string) string {
	b.Lock()
	defer b.Unlock()
	return b.running[name]
}

// holds reports whether a storage holds an image for a component durably.
func (b *board) holds(name string) bool {
	b.Lock()
	defer b.Unlock()
	return slices.ContainsFunc(b.flash[:], func(f objecttest.Flash) bool { return strings.Contains(string(f.Durable), name) })
}

func (b *board) installed(i *advancedfirmware.Image) bool {
	versions, err := read(i)
	return err == nil && b.version(components[i.Component]) == versions[components[i.Component]]
}

// dependencies says what an image needs, by the table of the board.
func (b *board) dependencies(i *advancedfirmware.Image, others []*advancedfirmware.Image) (d advancedfirmware.Dependencies) {
	need := b.needs[components[i.Component]+" "+i.Version]
	name, version, ok := strings.Cut(need, " ")
	if !ok || b.version(name) == version {
		return d
	}
	for _, o := range others {
		if components[o.Component] == name && o.Version == version {
			return advancedfirmware.Dependencies{Linked: []dm.InstanceID{o.Component}}
		}
	}
	d.Conflicting = []dm.InstanceID{dm.InstanceID(slices.Index(components, name))}
	return d
}

// restart starts the device again, after a loss of power if it was lost.
func (b *board) restart() {
	b.Lock()
	defer b.Unlock()
	for i := range b.flash {
		b.flash[i].Restart()
	}
	b.Limit = -1
	b.boot()
}

// downloader downloads the part of a URI behind the host.
type downloader struct{}

func (downloader) Schemes() []string { return []string{"coap", "coaps+tcp"} }

func (downloader) Download(_ context.Context, uri string, s advancedfirmware.Storage) error {
	content := strings.ReplaceAll(strings.TrimPrefix(uri, "coap://files/"), "/", "\n")
	return objecttest.Download(s, []byte(strings.ReplaceAll(content, "-", " ")))
}

func (b *board) config() advancedfirmware.Config {
	c := advancedfirmware.Config{Installer: b, Store: &b.records, Installed: b.installed, Dependencies: b.dependencies,
		Logger: slog.New(slog.DiscardHandler)}
	for i, name := range components {
		c.Components = append(c.Components, advancedfirmware.Component{Name: name, Storage: &b.flash[i], Downloader: downloader{},
			Version: func() string { return b.version(name) }})
	}
	return c
}

// rig is a device on which the methods act as a server.
type rig struct {
	*objecttest.Device
	t       *testing.T
	board   *board
	update  *advancedfirmware.Updater
	reports []advancedfirmware.Status
}

// boot starts the device. It returns nil if the power is lost on the way.
func boot(t *testing.T, b *board, c advancedfirmware.Config) *rig {
	t.Helper()
	r := &rig{t: t, board: b}
	c.Changed = func(s advancedfirmware.Status) { r.reports = append(r.reports, s) }
	u, err := advancedfirmware.New(c)
	if errors.Is(err, objecttest.ErrPower) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.Close() })
	r.update, r.Device = u, objecttest.New(t, u)
	return r
}

// upload writes Package of a component block by block.
func (r *rig) upload(id dm.InstanceID, blocks ...string) error {
	r.t.Helper()
	return r.Upload(path(id, 0), blocks...)
}

// pushes writes images to the components that they begin with, and waits until they are there.
func (r *rig) pushes(images ...string) {
	r.t.Helper()
	for _, image := range images {
		name, _, _ := strings.Cut(image, " ")
		r.ok("push of "+image, r.upload(dm.InstanceID(slices.Index(components, name)), image))
		synctest.Wait()
	}
}

func path(id dm.InstanceID, resource int) string { return fmt.Sprintf("/33629/%d/%d", id, resource) }

func (r *rig) execute(id dm.InstanceID, args string) error { return r.Execute(path(id, 2), args) }

// shows fails unless servers read these states and results of the components once nothing happens
// any more, such as "2/0 2/0 0/1".
func (r *rig) shows(want string) {
	r.t.Helper()
	synctest.Wait()
	var got []string
	for i := range components {
		s := r.update.Status(dm.InstanceID(i))
		got = append(got, fmt.Sprintf("%d/%d", s.State, s.Result))
	}
	if strings.Join(got, " ") != want {
		r.t.Errorf("states and results %v, want %v", got, want)
	}
}

// links fails unless a component shows these linked and conflicting instances.
func (r *rig) links(id dm.InstanceID, linked, conflicting string) {
	r.t.Helper()
	synctest.Wait()
	for resource, want := range map[int]string{16: linked, 17: conflicting} {
		var got []string
		for _, v := range r.Read(path(id, resource)) {
			_, v, _ = strings.Cut(v, "=")
			got = append(got, "/"+strings.Replace(v, ":", "/", 1))
		}
		if strings.Join(got, " ") != want {
			r.t.Errorf("%s is %v, want %v", path(id, resource), got, want)
		}
	}
}

// runs fails unless these versions of the components run.
func (r *rig) runs(want ...string) {
	r.t.Helper()
	for i, name := range components {
		if got := r.board.version(name); got != want[i] {
			r.t.Errorf("%s %s runs, want %s", name, got, want[i])
		}
		if got := r.Value(path(dm.InstanceID(i), 15)).Text(); got != want[i] {
			r.t.Errorf("Current Version of %s is %s, want %s", name, got, want[i])
		}
	}
}

func (r *rig) refused(what string, err error, code dm.Code) {
	r.t.Helper()
	objecttest.Refused(r.t, what, err, code)
}

func (r *rig) ok(what string, err error) {
	r.t.Helper()
	if err != nil {
		r.t.Errorf("%s: %v", what, err)
	}
}

// in runs a test in a bubble.
func in(t *testing.T, fn func(t *testing.T)) { t.Helper(); synctest.Test(t, fn) }

func instance(i int) dm.InstanceID { return dm.InstanceID(i) }
