package session

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/corelink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

// completionTimeout is how long completion waits for the device's list of resources.
const completionTimeout = time.Second

// Complete returns the texts that the last word of a line may become. The device is asked for its
// resources when a path needs them.
func (s *Session) Complete(line string) []string {
	if i := strings.LastIndexByte(line, ';'); i >= 0 {
		line = line[i+1:]
	}
	before, last := strings.Fields(line), ""
	if n := len(before); n > 0 && !strings.HasSuffix(line, " ") {
		before, last = before[:n-1], before[n-1]
	}
	var all []string
	for _, text := range s.candidates(before, last) {
		if strings.HasPrefix(strings.ToLower(text), strings.ToLower(last)) {
			all = append(all, text)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// candidates returns what a word behind other words may be. The words need not match its beginning.
func (s *Session) candidates(before []string, last string) []string {
	if len(before) == 0 {
		var all []string
		for _, v := range verbs() {
			all = append(all, v.name+" ")
		}
		return all
	}
	v := findVerb(before[0])
	switch {
	case v == nil:
	case v.name == "help" && len(before) == 1:
		return s.candidates(nil, last)
	case v.name == "format" && len(before) == 1:
		return formatNames()
	case v.name == "restart" && len(before) == 1:
		return []string{"all", "registrations", "sessions"}
	case (v.device || v.name == "devices" || v.name == "held") && len(before) == 1:
		var all []string
		for _, name := range s.cfg.Server.Endpoints() {
			all = append(all, name+" ")
		}
		return all
	case v.completes == subcommand && len(before) == 2:
		return []string{"read ", "observe ", "write "}
	case v.completes == fileAndPath && strings.HasPrefix(last, "-"):
		return v.options()
	case v.completes == fileAndPath && len(before) == 2:
		return files(last)
	case v.completes == fileAndPath && len(before) == 3:
		if device, ok := s.cfg.Server.Client(before[1]); ok {
			return instances(device)
		}
	case v.completes == onePath && len(before) == 2, v.completes == subcommand && len(before) >= 3:
		if device, ok := s.cfg.Server.Client(before[1]); ok {
			return s.paths(device, before[1], last, v.ops)
		}
	}
	return nil
}

// options returns the options of a verb, which its usage lists.
func (v *verb) options() []string {
	var all []string
	for _, w := range strings.Fields(v.usage) {
		if name, ok := strings.CutPrefix(w, "[-"); ok {
			all = append(all, "-"+strings.TrimSuffix(name, "]")+" ")
		}
	}
	return all
}

// files returns the files and folders of the folder in a text. Those with blanks are left out: they
// need quotes.
func files(text string) []string {
	folder, begin := filepath.Split(text)
	entries, _ := os.ReadDir(cmp.Or(folder, ".")) // without them nothing is completed
	var all []string
	for _, e := range entries {
		hidden := strings.HasPrefix(e.Name(), ".") && begin == ""
		switch {
		case hidden || strings.ContainsAny(e.Name(), " ;\"'"):
		case e.IsDir():
			all = append(all, folder+e.Name()+string(filepath.Separator))
		default:
			all = append(all, folder+e.Name()+" ")
		}
	}
	return all
}

// instances returns the instances of a device that receive images.
func instances(device *lwm2mserver.Client) []string {
	var all []string
	for _, n := range device.Registration().Objects.Nodes {
		if updateObjects[n.Path.Object()] != nil && n.Path.Level() == dm.InstanceLevel {
			all = append(all, strings.TrimPrefix(n.Path.String(), "/")+" ")
		}
	}
	return all
}

// paths returns paths of a device, one level below the slash that text has last.
func (s *Session) paths(device *lwm2mserver.Client, endpoint, text string, ops registry.Operations) []string {
	nodes := device.Registration().Objects.Nodes
	has := func(id dm.ObjectID) bool {
		return slices.ContainsFunc(nodes, func(n corelink.RegisteredNode) bool { return n.Path.Object() == id })
	}
	slash := strings.LastIndexByte(text, '/')
	if slash <= 0 {
		return s.objectPaths(nodes, text)
	}
	head := text[:slash]
	p, err := s.cfg.Book.Path(head, has)
	if err != nil {
		return nil
	}
	var all []string
	switch p.Level() {
	case dm.ObjectLevel:
		for _, n := range nodes {
			if n.Path.Level() == dm.InstanceLevel && p.Contains(n.Path) {
				all = append(all, fmt.Sprintf("%s/%d", head, n.Path.Instance()))
			}
		}
	case dm.InstanceLevel:
		numbers := strings.Trim(head, "/0123456789") == ""
		for _, r := range s.resourcesOf(device, endpoint, p) {
			def := s.cfg.Book.Resource(r)
			if def != nil && ops != 0 && def.Ops&ops == 0 {
				continue
			}
			word := s.cfg.Book.ResourceWord(r.Object(), r.Resource())
			if numbers {
				word = fmt.Sprint(r.Resource())
			}
			all = append(all, head+"/"+word)
		}
	}
	return all
}

// objectPaths returns the objects of a registration: as numbers if text begins with one, otherwise
// by name.
func (s *Session) objectPaths(nodes []corelink.RegisteredNode, text string) []string {
	var all []string
	slash := strings.HasPrefix(text, "/")
	digits := strings.TrimPrefix(text, "/")
	for _, n := range nodes {
		word := s.cfg.Book.ObjectWord(n.Path.Object())
		if digits != "" && digits[0] >= '0' && digits[0] <= '9' || slash && digits == "" {
			word = fmt.Sprint(n.Path.Object())
		}
		if slash {
			word = "/" + word
		}
		all = append(all, word)
	}
	return all
}

// resourcesOf returns the resources of an instance: those that the device lists in the response to
// a Discover, or else those of the definition.
func (s *Session) resourcesOf(device *lwm2mserver.Client, endpoint string, instance dm.Path) []dm.Path {
	key := endpoint + " " + instance.String()
	s.mu.Lock()
	known, ok := s.resources[key]
	s.mu.Unlock()
	if ok {
		return known
	}
	ctx, cancel := context.WithTimeout(context.Background(), completionTimeout)
	defer cancel()
	a, err := device.Do(ctx, lwm2mserver.Operation{
		Method: coap.GET, Path: instance.String(), Accept: content.Link, Format: content.None, NoWait: true,
	})
	if err == nil && !a.Code.IsError() {
		root := device.Registration().Objects.Root
		err = corelink.Parse(a.Payload, func(l corelink.Link) error {
			if p, ok := l.Path(root); ok && p.Level() == dm.ResourceLevel {
				known = append(known, p)
			}
			return nil
		})
		if err == nil {
			s.mu.Lock()
			s.resources[key] = known
			s.mu.Unlock()
			return known
		}
	}
	if o := s.cfg.Book.Object(instance.Object()); o != nil {
		for _, r := range o.Resources {
			p, _ := instance.Child(r.ID)
			known = append(known, p)
		}
	}
	return known
}

// forgetResources makes completion ask a device for its resources again.
func (s *Session) forgetResources(endpoint string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.resources {
		if strings.HasPrefix(key, endpoint+" ") {
			delete(s.resources, key)
		}
	}
}
