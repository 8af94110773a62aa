package mistakes

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/lightcontrol"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

const heaterXML = `<?xml version="1.0" encoding="utf-8"?>
<LWM2M>
  <Object ObjectType="MODefinition">
    <Name>Heater</Name>
    <ObjectID>42769</ObjectID>
    <ObjectURN>urn:oma:lwm2m:x:42769</ObjectURN>
    <MultipleInstances>Multiple</MultipleInstances>
    <Mandatory>Optional</Mandatory>
    <Resources>
      <Item ID="1">
        <Name>Set Point</Name>
        <Operations>RW</Operations>
        <MultipleInstances>Single</MultipleInstances>
        <Mandatory>Mandatory</Mandatory>
        <Type>Float</Type>
        <RangeEnumeration>5..90</RangeEnumeration>
        <Units>Cel</Units>
        <Description>The temperature to hold.</Description>
      </Item>
    </Resources>
  </Object>
</LWM2M>
`

func mistypedXML(t *testing.T) string {
	dir := module(t, nil)
	misspelt := strings.Replace(heaterXML, "<Mandatory>Mandatory</Mandatory>", "<Mandetory>Mandatory</Mandetory>", 1)
	write(t, dir, "heater.xml", misspelt)
	return command(t, dir, "go", "run", "github.com/lwm2mgen/toolkit/cmd/lwm2mgen", "lint", "heater.xml")
}

func wrongType(t *testing.T) string {
	dir := module(t, map[string]string{"main.go": `package main

import (
	"github.com/lwm2mgen/toolkit/generated/lightcontrol"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func main() {
	light, _ := lightcontrol.New(lightcontrol.Config{})
	_ = light.Add(0, lightcontrol.Instance{OnOff: dm.Str("on")})
}
`})
	// Versions of Go differ in what they call the type.
	return strings.ReplaceAll(command(t, dir, "go", "build", "."), "of struct type", "of type")
}

// oldRuntime compiles code of a generator whose next version of generated code this runtime does
// not support. The text is that of the compiler, with the lines of the file that it names.
func oldRuntime(t *testing.T) string {
	dir := module(t, nil)
	write(t, dir, "heater.xml", heaterXML)
	command(t, dir, "go", "run", "github.com/lwm2mgen/toolkit/cmd/lwm2mgen", "-out", ".", "heater.xml")
	file := filepath.Join(dir, "heater", "heater.go")
	code, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	newer := strings.Replace(string(code), "ToolkitSupportsGeneratedV1", "ToolkitSupportsGeneratedV2", 1)
	write(t, dir, "heater/heater.go", newer)
	out := command(t, dir, "go", "build", "./heater")
	lines := strings.Split(newer, "\n")
	for i, line := range lines {
		if strings.Contains(line, "ToolkitSupportsGeneratedV2") {
			out += "\n\n" + strings.Join(lines[i-2:i+1], "\n")
		}
	}
	return out
}

func missingMandatory(t *testing.T) string {
	light, err := lightcontrol.New(lightcontrol.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return text(t, light.Add(0, lightcontrol.Instance{Dimmer: dm.Int(50)}))
}

func duplicateInstance(t *testing.T) string {
	light, err := lightcontrol.New(lightcontrol.Config{})
	if err == nil {
		err = light.Add(0, lightcontrol.Instance{OnOff: dm.Bool(true)})
	}
	if err != nil {
		t.Fatal(err)
	}
	return text(t, light.Add(0, lightcontrol.Instance{OnOff: dm.Bool(true)}))
}

func outOfRange(t *testing.T) string {
	light, err := lightcontrol.New(lightcontrol.Config{})
	if err != nil {
		t.Fatal(err)
	}
	added := text(t, light.Add(0, lightcontrol.Instance{OnOff: dm.Bool(true), Dimmer: dm.Int(300)}))
	if err := light.Add(0, lightcontrol.Instance{OnOff: dm.Bool(true), Dimmer: dm.Int(30)}); err != nil {
		t.Fatal(err)
	}
	return added + "\n" + text(t, light.Update(context.Background(), 0, func(i *lightcontrol.Instance) error {
		i.Dimmer.Set(300)
		return nil
	}))
}

// text returns what an error says.
func text(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		t.Fatal("the mistake is not noticed")
	}
	return err.Error()
}

// module makes a module that uses the toolkit of this repository.
func module(t *testing.T, files map[string]string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a module")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, dir, "go.sum", string(sums))
	write(t, dir, "go.mod", "module example.com/device\n\ngo 1.25\n\nrequire github.com/lwm2mgen/toolkit v0.0.0\n\n"+
		"replace github.com/lwm2mgen/toolkit => "+root+"\n")
	for name, content := range files {
		write(t, dir, name, content)
	}
	return dir
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// command runs a command and returns what it prints.
func command(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOSUMDB=off", "GOTOOLCHAIN=local", "GOFLAGS=-mod=mod", "GOWORK=off")
	start := time.Now()
	out, _ := cmd.CombinedOutput() // most commands fail, as they should
	t.Logf("%s %s took %v", name, strings.Join(args, " "), time.Since(start))
	return strings.TrimSuffix(string(out), "exit status 1\n")
}
