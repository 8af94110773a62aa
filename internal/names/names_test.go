package names_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/internal/names"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func newBook(t *testing.T) *names.Book {
	t.Helper()
	b, err := names.NewBook()
	if err == nil {
		err = b.Load("testdata/heater.xml")
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPath(t *testing.T) {
	b := newBook(t)
	has := func(id dm.ObjectID) bool { return id == 42769 }
	for text, want := range map[string]string{
		"/":                          "/",
		"/3303/0/5700":               "/3303/0/5700",
		"3303/0/5700":                "/3303/0/5700",
		"3303":                       "/3303",
		"Temperature":                "/3303",
		"Temperature/0":              "/3303/0",
		"Temperature/0/Sensor Value": "/3303/0/5700",
		"/temperature/0/sensorvalue": "/3303/0/5700",
		"Temperature/0/5700":         "/3303/0/5700",
		"3303/0/Sensor Value":        "/3303/0/5700",
		"Device/0/Error Code/1":      "/3/0/11/1",
		"On/Off Switch/2":            "/3342/2",
		"LightControl/0/On/Off":      "/3311/0/5850",
		"Heater/0/SetPoint":          "/42769/0/1",
		"99/1/2/3":                   "/99/1/2/3",
	} {
		if got, err := b.Path(text, has); err != nil || got.String() != want {
			t.Errorf("%s is %v, %v, want %s", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                    "is no path",
		"Fridge/0":            `no object is named "Fridge"; load definitions of your own with -objects`,
		"Temperature/0/Color": `Temperature (3303) has no resource named "Color"`,
		"99/0/Color":          `no definition of object 99 is known`,
		"3303/0/70000":        "ID must be a decimal number",
	} {
		if got, err := b.Path(text, has); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is %v, %v, want %q", text, got, err, want)
		}
	}
}

// An object of the device's own may have the name of a shipped one: the device's is meant.
func TestPathOfADoubleName(t *testing.T) {
	b := newBook(t)
	xml, err := os.ReadFile("testdata/heater.xml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "temperature.xml")
	text := strings.Replace(string(xml), "<Name>Heater</Name>", "<Name>Temperature</Name>", 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.Load(filepath.Dir(file)); err != nil {
		t.Fatal(err)
	}
	p, err := b.Path("Temperature/0", func(id dm.ObjectID) bool { return id == 42769 })
	if err != nil || p.Object() != 42769 {
		t.Errorf("the path is %v, %v", p, err)
	}
	if p, err := b.Path("Temperature/0", nil); err == nil || !strings.Contains(err.Error(), "use the number") {
		t.Errorf("without a device the path is %v, %v", p, err)
	}
	if w := b.ObjectWord(3303); w != "3303" {
		t.Errorf("object 3303 is completed as %s", w)
	}
}

// Path understands the words that completion offers.
func TestWords(t *testing.T) {
	b := newBook(t)
	for _, o := range b.Definitions() {
		word := b.ObjectWord(dm.ObjectID(o.ID))
		if p, err := b.Path(word, nil); err != nil || p != dm.ObjectPath(dm.ObjectID(o.ID)) {
			t.Errorf("%s is %v, %v, want %d", word, p, err, o.ID)
		}
		for _, r := range o.Resources {
			want := dm.ResourcePath(dm.ObjectID(o.ID), 0, dm.ResourceID(r.ID))
			full := word + "/0/" + b.ResourceWord(want.Object(), want.Resource())
			if p, err := b.Path(full, nil); err != nil || p != want {
				t.Errorf("%s is %v, %v, want %v", full, p, err, want)
			}
		}
	}
	if got := b.ObjectWord(3342) + "/" + b.ResourceWord(42769, 1) + "/" + b.ObjectWord(99); got != "OnOffSwitch/SetPoint/99" {
		t.Errorf("the words are %s", got)
	}
}

func TestValue(t *testing.T) {
	b := newBook(t)
	for _, c := range []struct{ path, text, want, typ string }{
		{"/42769/0/1", "60", "60", "Float"},
		{"/3/0/9", "80", "80", "Integer"},
		{"/3/0/14", "+01:00", "+01:00", "String"},
		{"/3/0/13", "1700000000", "2023-11-14T22:13:20Z", "Time"},
		{"/3/0/13", "2023-11-14T23:13:20+01:00", "2023-11-14T22:13:20Z", "Time"},
		{"/3342/0/5500", "TRUE", "true", "Boolean"},
		{"/3342/0/5500", "0", "false", "Boolean"},
		{"/5/0/0", "0x010203", "AQID", "Opaque"},
		{"/5/0/0", "AQID", "AQID", "Opaque"},
		{"/3/0/11", "5", "5", "Integer"},
		{"/3/0/11/2", "5", "5", "Integer"},
		{"/99/0/0", "5", "5", "Integer"},
		{"/99/0/0", "5.5", "5.5", "Float"},
		{"/99/0/0", "true", "true", "Boolean"},
		{"/99/0/0", "five", "five", "String"},
	} {
		p, err := b.Path(c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		v, err := b.Value(p, c.text)
		if err != nil || v.String() != c.want || v.Type().String() != c.typ {
			t.Errorf("%s = %s is %v %v, %v, want %s %s", c.path, c.text, v.Type(), v, err, c.typ, c.want)
		}
	}
	for path, want := range map[string]string{
		"/42769/0/1":   "decimal number",
		"/3/0/13":      "whole number",
		"/3342/0/5500": "0 or 1",
		"/3/0/4":       "use execute",
	} {
		p, _ := b.Path(path, nil)
		if v, err := b.Value(p, "warm"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s = warm is %v, %v, want %q", path, v, err, want)
		}
	}
}

func TestLoadFaults(t *testing.T) {
	b := newBook(t)
	empty := t.TempDir()
	broken := filepath.Join(t.TempDir(), "broken.xml")
	if err := os.WriteFile(broken, []byte("<LWM2M><Object>"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{empty, broken, filepath.Join(empty, "none.xml")} {
		if err := b.Load(path); err == nil {
			t.Errorf("%s loads", path)
		}
	}
}
