package coap

import (
	"encoding/binary"
	"iter"
	"slices"
)

// Options are the options of one message in their wire format (RFC 7252 §3.1), always in ascending
// order of their numbers. The zero value is empty and ready for use. After parsing, Options alias
// the parsed bytes until the first change, which may overwrite those bytes: make a copy with
// [Options.Clone] first if you need them. Options are not safe for concurrent use.
type Options struct {
	raw     []byte
	last    OptionID // the highest number in raw
	tooLong bool     // a value was refused; the message cannot be encoded
	// maybe has a bit for each number in raw, by its last six bits: most look-ups are for absent
	// options.
	maybe uint64
}

// maxOptionValue is the longest value the wire format can carry, in bytes.
const maxOptionValue = 65535 + 269

// bit is the bit of an option in Options.maybe.
func (id OptionID) bit() uint64 { return 1 << (id & 63) }

// Reset removes all options and keeps the memory.
func (o *Options) Reset() { *o = Options{raw: o.raw[:0]} }

// Len is the encoded size in bytes.
func (o *Options) Len() int { return len(o.raw) }

// Clone is a copy that shares no memory with o.
func (o *Options) Clone() Options {
	c := *o
	c.raw = slices.Clone(o.raw)
	return c
}

// CopyFrom makes o equal to src, in o's own memory.
func (o *Options) CopyFrom(src *Options) {
	o.raw = append(o.raw[:0], src.raw...)
	o.last, o.maybe, o.tooLong = src.last, src.maybe, src.tooLong
}

// An OptionIter iterates over options in ascending order without allocating. It sees the options as
// they were when it was made.
type OptionIter struct {
	rest  []byte
	id    OptionID
	value []byte
}

// Iter starts at the first option.
func (o *Options) Iter() OptionIter { return OptionIter{rest: o.raw} }

// Next moves to the next option and reports whether there is one.
func (it *OptionIter) Next() bool {
	if len(it.rest) == 0 {
		return false
	}
	// One byte of header is by far the most frequent case.
	b := it.rest[0]
	d, n := int(b>>4), int(b&15)
	if d < 13 && n < 13 && len(it.rest) > n {
		it.id += OptionID(d)
		it.value = it.rest[1 : 1+n : 1+n]
		it.rest = it.rest[1+n:]
		return true
	}
	delta, value, size, err := parseOption(it.rest)
	if err != nil {
		it.rest = nil
		return false
	}
	it.id += OptionID(delta)
	it.value = value
	it.rest = it.rest[size:]
	return true
}

// ID is the number of the current option.
func (it *OptionIter) ID() OptionID { return it.id }

// Value is the value of the current option. It aliases the options.
func (it *OptionIter) Value() []byte { return it.value }

// All iterates over all options in ascending order. The values alias o.
func (o *Options) All() iter.Seq2[OptionID, []byte] {
	return func(yield func(OptionID, []byte) bool) {
		for it := o.Iter(); it.Next(); {
			if !yield(it.id, it.value) {
				return
			}
		}
	}
}

// Values iterates over the values of the option id. They alias o.
func (o *Options) Values(id OptionID) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for it := o.Iter(); it.Next() && it.id <= id; {
			if it.id == id && !yield(it.value) {
				return
			}
		}
	}
}

// Get is the first value of the option id. It aliases o.
func (o *Options) Get(id OptionID) (value []byte, ok bool) {
	if o.maybe&id.bit() == 0 {
		return nil, false
	}
	for it := o.Iter(); it.Next() && it.id <= id; {
		if it.id == id {
			return it.value, true
		}
	}
	return nil, false
}

// Has reports whether there is an option id.
func (o *Options) Has(id OptionID) bool {
	_, ok := o.Get(id)
	return ok
}

// Add adds an option after those with the same number. A value longer than 65 804 bytes makes
// encoding the message fail.
func (o *Options) Add(id OptionID, value []byte) {
	addTo(o, id, value)
}

// AddString is [Options.Add] for a string value.
func (o *Options) AddString(id OptionID, value string) {
	addTo(o, id, value)
}

func addTo[V []byte | string](o *Options, id OptionID, value V) {
	if len(value) > maxOptionValue {
		o.tooLong = true
		return
	}
	o.maybe |= id.bit()
	if id >= o.last {
		o.raw = appendOptionHeader(o.raw, int(id-o.last), len(value))
		o.raw = append(o.raw, value...)
		o.last = id
		return
	}
	// In the middle: the following option gets a new delta.
	at, before := 0, OptionID(0)
	it := o.Iter()
	for it.Next() && it.id <= id {
		at, before = len(o.raw)-len(it.rest), it.id
	}
	var head [10]byte
	mine := appendOptionHeader(head[:0], int(id-before), len(value))
	split := len(mine)
	mine = appendOptionHeader(mine, int(it.id-id), len(it.value))
	oldHead := len(o.raw) - len(it.rest) - len(it.value) - at
	grow := len(mine) + len(value) - oldHead
	end := len(o.raw)
	o.raw = slices.Grow(o.raw, max(grow, 0))
	o.raw = o.raw[:end+grow]
	copy(o.raw[at+oldHead+grow:], o.raw[at+oldHead:end])
	n := at + copy(o.raw[at:], mine[:split])
	n += copy(o.raw[n:], value)
	copy(o.raw[n:], mine[split:])
}

// AddUint adds an option with an unsigned integer as value, in as few bytes as possible
// (RFC 7252 §3.2).
func (o *Options) AddUint(id OptionID, value uint32) {
	var b [4]byte
	o.Add(id, appendUint(b[:0], value))
}

// SetUint replaces all options id by one with an unsigned integer as value.
func (o *Options) SetUint(id OptionID, value uint32) {
	o.Remove(id)
	o.AddUint(id, value)
}

// Set replaces all options id by one with this value.
func (o *Options) Set(id OptionID, value []byte) {
	o.Remove(id)
	o.Add(id, value)
}

// Remove removes every option id.
func (o *Options) Remove(id OptionID) {
	if o.maybe&id.bit() == 0 {
		return
	}
	from, before := -1, OptionID(0)
	pos, prev := 0, OptionID(0)
	it := o.Iter()
	for it.Next() {
		if it.id == id && from < 0 {
			from, before = pos, prev
		}
		if it.id > id {
			break
		}
		pos, prev = len(o.raw)-len(it.rest), it.id
	}
	if from < 0 {
		return
	}
	if it.id <= id { // no option follows
		o.raw, o.last = o.raw[:from], before
		return
	}
	// pos is where the following option begins: it gets a longer delta.
	valueAt := len(o.raw) - len(it.rest) - len(it.value)
	var head [5]byte
	h := appendOptionHeader(head[:0], int(it.id-before), len(it.value))
	o.raw = slices.Replace(o.raw, from, valueAt, h...)
}

// Uint is the value of the first option id as an unsigned integer. ok is false when the option is
// absent or its value has a length that its definition does not allow.
func (o *Options) Uint(id OptionID) (value uint32, ok bool) {
	v, ok := o.Get(id)
	if !ok {
		return 0, false
	}
	longest := 4
	if f, known := id.form(); known {
		longest = min(longest, int(f.max))
	}
	if len(v) > longest {
		return 0, false
	}
	return parseUint(v), true
}

func parseUint(b []byte) uint32 {
	var v uint32
	for _, c := range b {
		v = v<<8 | uint32(c)
	}
	return v
}

func appendUint(dst []byte, v uint32) []byte {
	switch {
	case v == 0:
		return dst
	case v < 1<<8:
		return append(dst, byte(v))
	case v < 1<<16:
		return append(dst, byte(v>>8), byte(v))
	case v < 1<<24:
		return append(dst, byte(v>>16), byte(v>>8), byte(v))
	}
	return binary.BigEndian.AppendUint32(dst, v)
}

// parseOption parses the first option of b. size is how many bytes of b it has.
func parseOption(b []byte) (delta int, value []byte, size int, err error) {
	if len(b) == 0 {
		return 0, nil, 0, errOptionShort
	}
	delta, size, err = parseExtended(b, int(b[0]>>4), 1)
	if err != nil {
		return 0, nil, 0, err
	}
	length, size, err := parseExtended(b, int(b[0]&15), size)
	if err != nil {
		return 0, nil, 0, err
	}
	if len(b)-size < length {
		return 0, nil, 0, errOptionShort
	}
	end := size + length
	return delta, b[size:end:end], end, nil
}

func parseExtended(b []byte, nibble, at int) (v, next int, err error) {
	switch nibble {
	case 13:
		if len(b) < at+1 {
			return 0, 0, errOptionShort
		}
		return int(b[at]) + 13, at + 1, nil
	case 14:
		if len(b) < at+2 {
			return 0, 0, errOptionShort
		}
		return int(binary.BigEndian.Uint16(b[at:])) + 269, at + 2, nil
	case 15:
		return 0, 0, errOptionNibble
	}
	return nibble, at, nil
}

func appendOptionHeader(dst []byte, delta, length int) []byte {
	dn, ln := extendedNibble(delta), extendedNibble(length)
	dst = append(dst, dn<<4|ln)
	dst = appendExtended(dst, delta)
	return appendExtended(dst, length)
}

func extendedNibble(v int) byte {
	switch {
	case v < 13:
		return byte(v)
	case v < 269:
		return 13
	}
	return 14
}

func appendExtended(dst []byte, v int) []byte {
	switch {
	case v < 13:
		return dst
	case v < 269:
		return append(dst, byte(v-13))
	}
	return binary.BigEndian.AppendUint16(dst, uint16(v-269))
}
