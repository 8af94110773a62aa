package lwm2m_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	aclobject "github.com/lwm2mgen/toolkit/runtime/objects/accesscontrol"
)

// ruleBook is access control as a person would keep it on paper (Core 1.2.2 §8, Core 1.1 §E.1.3):
// maps and letters, without the code and types of the client.
type ruleBook struct {
	accounts map[int]bool
	gadgets  map[int]bool
	pages    map[int]*page // by gadget; -1 is the object as a whole
}

// page is the entry of one gadget.
type page struct {
	owner   int
	letters map[int]string // rights by server; 0 is the default
}

const bootstrapOwner = 65535

// mayAll reports whether nobody looks at the pages.
func (b *ruleBook) mayAll() bool { return len(b.accounts) == 1 || len(b.pages) == 0 }

// may reports whether a server has a right, one of the letters, for a gadget.
func (b *ruleBook) may(server int, letter string, gadget int) bool {
	if b.mayAll() || letter == "" {
		return true
	}
	p := b.pages[gadget]
	if p == nil {
		return false
	}
	return strings.Contains(b.lettersOf(server, p, letter == "C"), letter)
}

func (b *ruleBook) lettersOf(server int, p *page, create bool) string {
	own, has := p.letters[server]
	switch {
	case has:
		return own
	case create:
		return "" // no default
	case p.owner == server:
		return "RWED"
	}
	return p.letters[0]
}

// create adds a gadget of a server and returns its number.
func (b *ruleBook) create(server int) {
	n := 0
	for b.gadgets[n] {
		n++
	}
	b.gadgets[n] = true
	if len(b.pages) > 0 {
		b.pages[n] = &page{owner: server, letters: map[int]string{}}
	}
}

// remove takes gadgets away, with their pages. The last page of all stays: an empty book would let
// everybody do everything.
func (b *ruleBook) remove(gadgets ...int) {
	slices.Sort(gadgets)
	var torn []int
	for _, n := range gadgets {
		delete(b.gadgets, n)
		if b.pages[n] != nil {
			torn = append(torn, n)
		}
	}
	if len(torn) == len(b.pages) && len(torn) > 0 {
		torn = torn[1:]
	}
	for _, n := range torn {
		delete(b.pages, n)
	}
}

// close ends an account.
func (b *ruleBook) close(server int) {
	delete(b.accounts, server)
	var nobodys []int
	for _, n := range slices.Collect(maps.Keys(b.pages)) {
		p := b.pages[n]
		delete(p.letters, server)
		if p.owner != server {
			continue
		}
		best, most := 0, -1
		for other := 1; other < 10; other++ {
			l := b.lettersOf(other, p, false)
			if !b.accounts[other] || l == "" {
				continue
			}
			if sum := strings.Count(l, "W") + strings.Count(l, "D"); sum > most {
				best, most = other, sum
			}
		}
		if p.owner = best; most < 0 {
			p.owner = bootstrapOwner
			if b.gadgets[n] {
				nobodys = append(nobodys, n)
			}
		}
	}
	b.remove(nobodys...)
}

// String prints the pages as guarded.entries does.
func (b *ruleBook) String() string {
	var lines []string
	for n, p := range b.pages {
		line := fmt.Sprintf("/33001/%d owner %d:", n, p.owner)
		if n < 0 {
			line = fmt.Sprintf("/33001 owner %d:", p.owner)
		}
		for _, server := range slices.Sorted(maps.Keys(p.letters)) {
			letters := p.letters[server]
			if letters == "" {
				letters = "none"
			}
			line += fmt.Sprintf(" %d=%s", server, letters)
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// accessWalk is one random walk of a device and its rule book.
type accessWalk struct {
	*guarded
	rand *rand.Rand
	book *ruleBook
	done []string
}

// The steps of a random walk are answered, and change object 2 and the instances, as the rule book
// has it.
func TestAccessWalk(t *testing.T) {
	walks, steps := 60, 120
	if testing.Short() {
		walks = 10
	}
	for n := range walks {
		seed := uint64(n) + 1
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			onGuarded(t, 4, []dm.InstanceID{0, 1}, func(g *guarded) {
				x := &accessWalk{guarded: g, rand: rand.New(rand.NewPCG(seed, 0)), book: &ruleBook{
					accounts: map[int]bool{1: true, 2: true, 3: true, 4: true}, gadgets: map[int]bool{0: true, 1: true},
					pages: map[int]*page{},
				}}
				for range steps {
					if x.step(); t.Failed() {
						t.Fatalf("seed %d, after\n%s", seed, strings.Join(x.done, "\n"))
					}
				}
			})
		})
	}
}

func (x *accessWalk) note(format string, args ...any) {
	x.done = append(x.done, fmt.Sprintf(format, args...))
}

// pick returns one of the keys of a map.
func (x *accessWalk) pick(m map[int]bool) int {
	keys := slices.Sorted(maps.Keys(m))
	return keys[x.rand.IntN(len(keys))]
}

func (x *accessWalk) letters() string {
	l := ""
	for _, letter := range []string{"R", "W", "E", "D", "C"} {
		if x.rand.IntN(2) == 0 {
			l += letter
		}
	}
	return l
}

// rightsOf returns letters as bits.
func rightsOf(letters string) (r aclobject.Rights) {
	for i, letter := range "RWEDC" {
		if strings.ContainsRune(letters, letter) {
			r |= 1 << i
		}
	}
	return r
}

func targetOf(gadget int) dm.Path {
	if gadget < 0 {
		return dm.ObjectPath(gadgetID)
	}
	return gadgetAt(dm.InstanceID(gadget))
}

func (x *accessWalk) step() {
	switch n := x.rand.IntN(100); {
	case n < 8:
		x.addOrRemove()
	case n < 28:
		x.write()
	case n < 30 && len(x.book.accounts) > 1:
		server := x.pick(x.book.accounts)
		x.note("RemoveServer %d", server)
		must(x.t, x.client.RemoveServer(x.t.Context(), lwm2m.ShortServerID(server)))
		x.book.close(server)
	case n < 42:
		x.manageEntry()
	default:
		x.operate()
	}
	if got, want := x.entries(), x.book.String(); got != want {
		x.t.Errorf("object 2 is\n%s\nwant\n%s", got, want)
	}
	var want []dm.InstanceID
	for _, id := range slices.Sorted(maps.Keys(x.book.gadgets)) {
		want = append(want, dm.InstanceID(id))
	}
	if got := x.gadgetIDs(); got != fmt.Sprint(want) {
		x.t.Errorf("the gadgets are %s, want %v", got, want)
	}
}

// addOrRemove has the application add or remove a gadget.
func (x *accessWalk) addOrRemove() {
	n := x.rand.IntN(5)
	if x.book.gadgets[n] {
		x.note("the application removes gadget %d", n)
		must(x.t, x.gadgets.Remove(x.t.Context(), dm.InstanceID(n)))
		x.book.remove(n)
		return
	}
	x.note("the application adds gadget %d", n)
	must(x.t, x.gadgets.Add(dm.InstanceID(n), newGadget()))
	x.book.gadgets[n] = true
}

// write has the application write or remove an entry.
func (x *accessWalk) write() {
	n := -1
	if len(x.book.gadgets) > 0 && x.rand.IntN(4) > 0 {
		n = x.pick(x.book.gadgets)
	}
	if x.rand.IntN(8) == 0 {
		x.note("the application removes the entry of %v", targetOf(n))
		x.revoke(targetOf(n))
		delete(x.book.pages, n)
		return
	}
	p := &page{owner: bootstrapOwner, letters: map[int]string{}}
	if n >= 0 && x.rand.IntN(8) > 0 {
		p.owner = x.pick(x.book.accounts)
	}
	rights := acl{}
	for server := range x.book.accounts {
		if x.rand.IntN(2) == 0 {
			p.letters[server] = ""
		}
	}
	if x.rand.IntN(3) == 0 {
		p.letters[0] = ""
	}
	for _, server := range slices.Sorted(maps.Keys(p.letters)) {
		p.letters[server] = x.letters()
		rights[lwm2m.ShortServerID(server)] = rightsOf(p.letters[server])
	}
	x.note("the application writes %v: owner %d %v", targetOf(n), p.owner, p.letters)
	x.grant(targetOf(n), lwm2m.ShortServerID(p.owner), rights)
	x.book.pages[n] = p
}

// manageEntry has a server write to an instance of object 2.
func (x *accessWalk) manageEntry() {
	if len(x.book.pages) == 0 {
		return
	}
	pages := slices.Sorted(maps.Keys(x.book.pages))
	n, server := pages[x.rand.IntN(len(pages))], x.pick(x.book.accounts)
	p := x.book.pages[n]
	if n < 0 && len(x.book.accounts) == 1 {
		return // a single server is not bound by object 2
	}
	var (
		path   string
		value  int
		change func()
	)
	if n >= 0 && x.rand.IntN(3) == 0 {
		value = x.pick(x.book.accounts)
		path, change = "/3", func() { p.owner = value }
	} else {
		to, letters := x.rand.IntN(5), x.letters()
		value = int(rightsOf(letters))
		path, change = fmt.Sprint("/2/", to), func() { p.letters[to] = letters }
	}
	for id, i := range x.rights.All() {
		if target := i.ObjectInstanceID.Or(0); target == int64(n) || n < 0 && target == 65535 {
			path = fmt.Sprint("/2/", id) + path
		}
	}
	want := "4.01"
	if len(x.book.accounts) == 1 || p.owner == server {
		want = "2.04"
		change()
	}
	x.note("server %d writes %d to %s, the entry of %v", server, value, path, targetOf(n))
	if got := x.manage(server, path, value); got != want {
		x.t.Errorf("the answer is %s, want %s", got, want)
	}
}

// accessLetters are the rights that operations need, one letter each. It is what the table of
// access_table_test.go says, in another form.
var accessLetters = map[string]string{
	"Read": "R", "Read resource": "R", "Observe": "R", "Observe resource": "R", "Discover": "", "Discover object": "",
	"Write-Attributes": "R", "Attributes of /0": "R", "Attributes object": "", "Write": "W", "Write instance": "W",
	"Write partial": "W", "Write label": "W", "Execute": "E", "Delete": "D", "Create": "C", "Write-Composite": "W",
}

// operate has a server perform an operation on a gadget.
func (x *accessWalk) operate() {
	if len(x.book.gadgets) == 0 {
		return
	}
	names := slices.Sorted(maps.Keys(accessLetters))
	op, server, n := names[x.rand.IntN(len(names))], x.pick(x.book.accounts), x.pick(x.book.gadgets)
	x.note("server %d: %s on gadget %d", server, op, n)
	target := n
	if op == "Create" {
		target = -1
	}
	got := x.ask(server, op, targetOf(n))
	if !x.book.may(server, accessLetters[op], target) {
		if got != "4.01" {
			x.t.Errorf("the answer is %s, want 4.01", got)
		}
		return
	}
	if got[0] != '2' {
		x.t.Errorf("the answer is %s, want a success", got)
	}
	switch op {
	case "Create":
		x.book.create(server)
	case "Delete":
		x.book.remove(n)
	}
}
