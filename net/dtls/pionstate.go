package dtls

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
)

// pionState holds the needed fields of pion's serialized State, a gob, by pion's names. They are
// only accessible in the serialized form.
type pionState struct {
	LocalRandom, RemoteRandom [32]byte
	CipherSuiteID             uint16
	MasterSecret              []byte
	SequenceNumber            uint64
	LocalConnectionID         []byte
	RemoteConnectionID        []byte
	IsClient                  bool
}

var errState = errors.New("dtls: the handshake engine's state is not complete")

// parsePionState reads a serialized State. Package gob compiles a decoder for each stream, which
// takes longer than the rest of what follows a handshake; it is used for streams that gobReader
// does not understand.
func parsePionState(blob []byte) (*pionState, error) {
	r := gobReader{b: blob, types: make(map[int64]gobType)}
	if st := r.state(); !r.bad {
		return st, nil
	}
	var st pionState
	if err := gob.NewDecoder(bytes.NewReader(blob)).Decode(&st); err != nil {
		return nil, fmt.Errorf("dtls: the handshake engine's state: %w", err)
	}
	return &st, nil
}

// gobReader reads a stream of package gob that defines types and then holds one struct, as the
// package's documentation describes it. After a fault all values are zero and bad is set.
type gobReader struct {
	b     []byte
	types map[int64]gobType
	bad   bool
}

// gobType is a type that a stream defines: a struct, or a list of elem.
type gobType struct {
	fields []gobField
	elem   int64
	list   bool
}

type gobField struct {
	name string
	typ  int64
}

// Types that need no definition.
const (
	gobBool   = 1
	gobInt    = 2
	gobUint   = 3
	gobFloat  = 4
	gobBytes  = 5
	gobString = 6
)

func (r *gobReader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	p := r.b[:n]
	r.b = r.b[n:]
	return p
}

// uint reads one byte below 128, or the negated count of the bytes that follow.
func (r *gobReader) uint() uint64 {
	p := r.take(1)
	if p == nil {
		return 0
	}
	if p[0] < 128 {
		return uint64(p[0])
	}
	size := 256 - uint64(p[0])
	if size > 8 {
		r.bad = true
		return 0
	}
	var v uint64
	for _, c := range r.take(size) {
		v = v<<8 | uint64(c)
	}
	return v
}

// int reads a number with its sign in the lowest bit.
func (r *gobReader) int() int64 {
	u := r.uint()
	if u&1 != 0 {
		return ^int64(u >> 1)
	}
	return int64(u >> 1)
}

func (r *gobReader) bytes() []byte { return r.take(r.uint()) }

// fields calls f with the number of each field of a struct, from 0, that is not zero.
func (r *gobReader) fields(f func(i uint64)) {
	at := uint64(0)
	for !r.bad {
		delta := r.uint()
		if delta == 0 {
			return
		}
		at += delta
		f(at - 1)
	}
}

// state reads the whole stream.
func (r *gobReader) state() *pionState {
	for !r.bad {
		size := r.uint()
		if size > uint64(len(r.b)) {
			r.bad = true
			break
		}
		id := r.int()
		if id >= 0 {
			return r.value(r.types[id].fields)
		}
		r.types[-id] = r.definition()
	}
	return nil
}

// definition reads gob's wireType, of which one field is set.
func (r *gobReader) definition() (t gobType) {
	const array, slice, structure = 0, 1, 2
	r.fields(func(kind uint64) {
		if kind > structure {
			r.bad = true
		}
		t.list = kind == array || kind == slice
		r.fields(func(i uint64) {
			switch {
			case i == 0: // name and number, which are also in the stream
				r.fields(func(j uint64) { r.skip([]int64{gobString, gobInt}[min(j, 1)], 0) })
			case i == 1 && t.list:
				t.elem = r.int()
			case i == 1:
				t.fields = r.fieldList()
			default:
				r.int() // the length of an array, which is also in its value
			}
		})
	})
	return t
}

func (r *gobReader) fieldList() []gobField {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	list := make([]gobField, n)
	for i := range list {
		r.fields(func(j uint64) {
			if j == 0 {
				list[i].name = string(r.bytes())
			} else {
				list[i].typ = r.int()
			}
		})
	}
	return list
}

// value reads the struct itself.
func (r *gobReader) value(fields []gobField) *pionState {
	var st pionState
	r.fields(func(i uint64) {
		if i >= uint64(len(fields)) {
			r.bad = true
			return
		}
		switch f := fields[i]; {
		case f.name == "LocalRandom":
			r.array(f.typ, st.LocalRandom[:])
		case f.name == "RemoteRandom":
			r.array(f.typ, st.RemoteRandom[:])
		case f.name == "MasterSecret" && f.typ == gobBytes:
			st.MasterSecret = bytes.Clone(r.bytes())
		case f.name == "LocalConnectionID" && f.typ == gobBytes:
			st.LocalConnectionID = bytes.Clone(r.bytes())
		case f.name == "RemoteConnectionID" && f.typ == gobBytes:
			st.RemoteConnectionID = bytes.Clone(r.bytes())
		case f.name == "CipherSuiteID" && f.typ == gobUint:
			st.CipherSuiteID = uint16(r.uint())
		case f.name == "SequenceNumber" && f.typ == gobUint:
			st.SequenceNumber = r.uint()
		case f.name == "IsClient" && f.typ == gobBool:
			st.IsClient = r.uint() == 1
		default:
			r.skip(f.typ, 0)
		}
	})
	r.bad = r.bad || len(fields) == 0 || len(r.b) != 0
	return &st
}

// array reads an array of bytes, each of which is an unsigned number.
func (r *gobReader) array(typ int64, to []byte) {
	if t := r.types[typ]; !t.list || t.elem != gobUint || r.uint() != uint64(len(to)) {
		r.bad = true
		return
	}
	for i := range to {
		to[i] = byte(r.uint())
	}
}

// deepest is larger than the nesting of a State.
const deepest = 4

// skip skips a value.
func (r *gobReader) skip(typ int64, depth int) {
	switch typ {
	case gobBool, gobInt, gobUint, gobFloat:
		r.uint()
		return
	case gobBytes, gobString:
		r.bytes()
		return
	}
	t, known := r.types[typ]
	if !known || depth > deepest {
		r.bad = true
		return
	}
	if !t.list {
		r.fields(func(i uint64) {
			if i >= uint64(len(t.fields)) {
				r.bad = true
				return
			}
			r.skip(t.fields[i].typ, depth+1)
		})
		return
	}
	for n := r.uint(); n > 0 && !r.bad; n-- {
		r.skip(t.elem, depth+1)
	}
}
