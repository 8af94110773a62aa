package gen

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/dave/jennifer/jen"

	"github.com/lwm2mgen/toolkit/registry"
)

const modulePath = "github.com/lwm2mgen/toolkit"

// render returns the formatted source of the package's one file.
func (p *pkg) render() ([]byte, error) {
	f := jen.NewFile(p.name)
	f.HeaderComment(marker(p.file))
	f.PackageComment(comment(0, p.packageDoc()))
	p.imports(f)
	p.constants(f)
	p.instance(f)
	p.aliases(f)
	p.constructor(f)
	p.switchToCell(f)
	p.table(f)
	var b bytes.Buffer
	if err := f.Render(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func (p *pkg) title() string { return oneLine(p.object.Name) }

func (p *pkg) packageDoc() string {
	o := &p.object
	urn := oneLine(o.URN)
	if urn == "" {
		urn = fmt.Sprintf("object %d, version %s", o.ID, o.Version)
	}
	return fmt.Sprintf("Package %s implements the LwM2M object %s (%s)%s",
		p.name, p.title(), urn, orFullStop(": ", p.docs.describe(o.Description)))
}

// imports writes the import block without jennifer, whose block has one group. Go programs have one
// group for the standard library and one for other packages.
func (p *pkg) imports(f *jen.File) {
	var std []jen.Code
	if p.usesInfinity() {
		std = append(std, jen.Lit("math"))
	}
	if p.uses(registry.Time) {
		std = append(std, jen.Lit("time"))
	}
	if len(std) > 0 {
		std = append(std, jen.Empty())
	}
	own := []jen.Code{jen.Lit(modulePath + "/registry"), jen.Lit(modulePath + "/runtime/dm")}
	f.Id("import").Custom(jen.Options{Open: "(", Close: ")", Multi: true}, append(std, own...)...)
	f.Line()
}

func (p *pkg) uses(t registry.Type) bool {
	for i := range p.resources {
		if p.resources[i].Type == t {
			return true
		}
	}
	return false
}

// constants writes the handshake with the runtime, the IDs, and the values of enumerations.
func (p *pkg) constants(f *jen.File) {
	f.Comment("// This line does not compile if the runtime is older than the generator of this file. To fix it:")
	f.Comment("// go get " + modulePath + "@latest, or regenerate with the version in go.mod.")
	f.Const().Id("_").Op("=").Id("dm").Dot("ToolkitSupportsGeneratedV1")
	f.Line()
	f.Comment("// ObjectID is the ID of the object.")
	f.Const().Id("ObjectID").Id("dm").Dot("ObjectID").Op("=").Lit(int(p.object.ID))
	f.Line()
	if len(p.resources) == 0 {
		return
	}
	f.Comment("// The IDs of the resources.")
	f.Const().DefsFunc(func(g *jen.Group) {
		for i := range p.resources {
			r := &p.resources[i]
			g.Id(r.name + "ID").Id("dm").Dot("ResourceID").Op("=").Lit(int(r.ID))
		}
	})
	f.Line()
	for i := range p.resources {
		p.resources[i].enumConstants(f, p.docs)
	}
}

func (r *resource) enumConstants(f *jen.File, d Docs) {
	if len(r.values) == 0 {
		return
	}
	f.Comment(comment(0, fmt.Sprintf("The values of %s.", r.name)))
	trailing := r.commentsFit(d)
	f.Const().DefsFunc(func(g *jen.Group) {
		for _, v := range r.values {
			doc := d.explain(v.Doc)
			if doc != "" && !trailing {
				g.Comment(comment(1, doc))
			}
			s := g.Id(v.name).Add(r.goType()).Op("=").Add(v.literal(r.Type))
			if doc != "" && trailing {
				s.Comment("// " + defuse(doc))
			}
		}
	})
	f.Line()
}

// literal returns the value as it stands in source.
func (v *value) literal(t registry.Type) *jen.Statement {
	if t == registry.String {
		return jen.Lit(v.Text)
	}
	return jen.Id(strconv.FormatInt(v.Value, 10))
}

// commentsFit reports whether the comments of an enumeration fit behind its constants, which gofmt
// aligns. Otherwise all of them precede their constants.
func (r *resource) commentsFit(d Docs) bool {
	names, literals, comments := 0, 0, 0
	for _, v := range r.values {
		names = max(names, len(v.name))
		literals = max(literals, utf8.RuneCountInString(fmt.Sprintf("%#v", v.literal(r.Type))))
		comments = max(comments, utf8.RuneCountInString(d.explain(v.Doc)))
	}
	return tab+names+len(" uint64 = ")+literals+len(" // ")+comments <= width
}

// instance writes the struct of cells.
func (p *pkg) instance(f *jen.File) {
	which := "an instance"
	if !p.object.Multiple {
		which = "the only instance"
	}
	f.Comment(comment(0, fmt.Sprintf("Instance is %s of %s. The zero value of a field means an unsupported resource.",
		which, p.title())))
	f.Type().Id("Instance").StructFunc(func(g *jen.Group) {
		for i := range p.resources {
			r := &p.resources[i]
			g.Comment(comment(1, r.doc(p.docs)))
			g.Id(r.name).Add(r.cell())
		}
	})
	f.Line()
}

// cell returns the type of a resource's field.
func (r *resource) cell() jen.Code {
	switch {
	case r.Ops.Executable():
		return jen.Id("dm").Dot("Exec")
	case r.Multiple:
		return jen.Id("dm").Dot("Multi").Types(r.goType())
	}
	return jen.Id("dm").Dot("Res").Types(r.goType())
}

// goType returns the type of a resource's value.
func (r *resource) goType() jen.Code {
	switch r.Type {
	case registry.Integer:
		return jen.Int64()
	case registry.UnsignedInteger:
		return jen.Uint64()
	case registry.Float:
		return jen.Float64()
	case registry.Boolean:
		return jen.Bool()
	case registry.Time:
		return jen.Id("time").Dot("Time")
	case registry.Objlnk:
		return jen.Id("dm").Dot("ObjectLink")
	case registry.Corelnk:
		return jen.Id("dm").Dot("CoreLink")
	case registry.Opaque:
		if r.Secret {
			return jen.Id("dm").Dot("Secret")
		}
		return jen.Index().Byte()
	}
	if r.Secret {
		return jen.Id("dm").Dot("SecretString")
	}
	return jen.String()
}

// aliases writes the names by which a program uses the generic types of the runtime.
func (p *pkg) aliases(f *jen.File) {
	instances := p.title() + " instances"
	if !p.object.Multiple {
		instances = "the " + p.title() + " instance"
	}
	alias := func(g *jen.Group, name, of, doc string) {
		g.Comment(comment(1, name+" "+doc))
		g.Id(name).Op("=").Id("dm").Dot(of).Types(jen.Id("Instance"))
	}
	f.Type().DefsFunc(func(g *jen.Group) {
		alias(g, "Hooks", "Hooks", "are the functions that transactions on "+instances+" call. Each may be nil.")
		alias(g, "Tx", "Tx", "is a transaction as its hooks see it.")
		alias(g, "Object", "TypedObject", "holds the "+strings.TrimPrefix(instances, "the ")+" of a device.")
		alias(g, "Config", "ObjectConfig", "configures New. The zero value means that servers cannot create instances.")
	})
	f.Line()
}

func (p *pkg) constructor(f *jen.File) {
	f.Comment("// New returns an object without instances.")
	f.Func().Id("New").Params(jen.Id("c").Id("Config")).Params(jen.Op("*").Id("Object"), jen.Error()).
		Custom(jen.Options{Open: "{", Close: "}"}, jen.Return(jen.Id("dm").Dot("NewObject").Call(
			jen.Op("&").Id("definition"), jen.Parens(jen.Op("*").Id("Instance")).Dot("cell"), jen.Id("c"))))
	f.Line()
}

// switchToCell writes the method that returns the cell of a resource ID.
func (p *pkg) switchToCell(f *jen.File) {
	body := []jen.Code{jen.Return(jen.Nil())}
	if len(p.resources) > 0 {
		choose := jen.Switch(jen.Id("id")).BlockFunc(func(g *jen.Group) {
			for i := range p.resources {
				name := p.resources[i].name
				g.Case(jen.Id(name + "ID")).Block(jen.Return(jen.Op("&").Id("i").Dot(name)))
			}
		})
		body = []jen.Code{choose, body[0]}
	}
	f.Func().Params(jen.Id("i").Op("*").Id("Instance")).Id("cell").
		Params(jen.Id("id").Id("dm").Dot("ResourceID")).Id("dm").Dot("Cell").Block(body...)
	f.Line()
}
