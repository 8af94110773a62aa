package provision

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/corelink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// discover answers a Bootstrap-Discover (Core 1.2.2 §6.1.7.3).
func (s *Sequence) discover(k *task) {
	var body []byte
	s.perform(func() (err error) {
		body, err = s.links(s.snapshot(), k.path)
		return err
	}, func(err error) {
		if err != nil {
			s.refuse(k.r, err)
		} else {
			respond(k.r, content.Link, body)
		}
		s.leave()
	})
}

func respond(r *coap.Request, f content.Format, body []byte) {
	resp := r.Response()
	resp.Code, resp.Body = coap.Content, append(resp.Body, body...)
	resp.Options.SetContentFormat(uint16(f))
	_ = r.Respond(resp)
}

// links returns the links of an object, or of all: that of an object where it has no instances or a
// version that must be shown, and those of its instances. The versions of the Security and OSCORE
// objects, which no registration shows, follow from that of LwM2M.
func (s *Sequence) links(snap dm.Snapshot, p dm.Path) ([]byte, error) {
	if p.Level() == dm.ObjectLevel && snap.Definition(p.Object()) == nil {
		return nil, &dm.Error{Code: dm.NotFound, Path: p}
	}
	var e corelink.Encoder
	e.Begin(nil, "")
	e.Enabler(s.cfg.Version)
	a := readAccounts(snap)
	for id := range snap.Objects() {
		if !p.Contains(dm.ObjectPath(id)) || slices.Contains(s.cfg.Hidden, id) {
			continue
		}
		s.objectLinks(&e, snap, id, a)
	}
	return e.Finish()
}

func (s *Sequence) objectLinks(e *corelink.Encoder, snap dm.Snapshot, id dm.ObjectID, a accounts) {
	version := snap.Definition(id).Version.OrDefault()
	shown := id != securityObject && id != oscoreObject && version != s.cfg.ImpliedVersion(id, s.cfg.Version)
	empty := true
	for range snap.Instances(id) {
		empty = false
		break
	}
	if empty || shown {
		e.Link(dm.ObjectPath(id))
		if shown {
			e.Version("ver", version)
		}
	}
	for i := range snap.Instances(id) {
		e.Link(dm.InstancePath(id, i))
		ssid, uri := a.attributes(id, i)
		if ssid != 0 {
			e.Int("ssid", ssid)
		}
		if isLinkText(uri) {
			e.Text("uri", uri)
		}
	}
}

// attributes returns the Short Server ID and the URI that a link shows, where there are any: none
// of the bootstrap server's account.
func (a *accounts) attributes(object dm.ObjectID, id dm.InstanceID) (ssid int64, uri string) {
	switch object {
	case securityObject:
		for _, x := range a.security {
			if x.id == id && !x.bootstrap {
				return x.short, x.uri
			}
		}
	case serverObject:
		for _, x := range a.server {
			if x.id == id {
				return x.short, ""
			}
		}
	case oscoreObject:
		for _, x := range a.security {
			if x.hasOSCORE && x.oscore == id && !x.bootstrap {
				return x.short, ""
			}
		}
	}
	return 0, ""
}

// isLinkText reports whether a link can show a text as an attribute.
func isLinkText(text string) bool {
	isControl := func(r rune) bool { return r < ' ' || r == 0x7f }
	return text != "" && utf8.ValidString(text) && !strings.ContainsFunc(text, isControl)
}
