package dm

import "context"

// Execute calls the function of an executable resource on the state of s. An Execute is not a
// transaction: the function changes values through Update. Execute fails with NotFound where there
// is no such resource, with MethodNotAllowed where the resource is not executable, and with the
// function's error, each as *Error. ErrSlow is returned unchanged under RefuseSlow. Execute is for
// runtimes.
func (s Snapshot) Execute(ctx context.Context, who Origin, p Path, args Args) error {
	if p.level != ResourceLevel {
		return fail(MethodNotAllowed, p, "only a resource can be executed")
	}
	v, ok := s.find(p.Object())
	if !ok || !v.has(p.Instance()) {
		return s.notFound(p)
	}
	def := v.definition().Resource(uint16(p.Resource()))
	if def == nil {
		return s.notFound(p)
	}
	if !def.Ops.Executable() {
		return fail(MethodNotAllowed, p, "%s is not executable", def.Name)
	}
	e, ok := v.cell(p.Instance(), p.Resource()).(*Exec)
	if !ok || *e == nil {
		return s.notFound(p)
	}
	args.Instance, args.Origin = p.Instance(), who
	ctx = WithOrigin(ctx, who)
	var err error
	if refusesSlow(ctx) {
		s.m.within(fromLoop, func() { err = (*e)(ctx, args) })
	} else {
		err = (*e)(ctx, args)
	}
	if err != nil {
		return withPath(p, err)
	}
	return nil
}
