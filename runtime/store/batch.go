package store

import (
	"encoding/binary"
	"errors"
	"math"
)

// maxChangeHeader is the most that a change needs beyond its name and value.
const maxChangeHeader = 1 + 2*binary.MaxVarintLen32

const (
	opDelete = 0
	opPut    = 1
)

// appendChange appends a change: the operation, the length of the name and the name, and for a put
// the length of the value and the value.
func appendChange(b []byte, c Change) []byte {
	op := byte(opPut)
	if c.Delete {
		op = opDelete
	}
	b = append(b, op)
	b = binary.AppendUvarint(b, uint64(len(c.Name)))
	b = append(b, c.Name...)
	if c.Delete {
		return b
	}
	b = binary.AppendUvarint(b, uint64(len(c.Value)))
	return append(b, c.Value...)
}

// changeSize is the number of bytes that appendChange appends, or a little more.
func changeSize(c Change) int { return maxChangeHeader + len(c.Name) + len(c.Value) }

var errPayload = errors.New("the content of the record cannot be read")

// parseChanges calls f with every change of a payload. The values are parts of b.
func parseChanges(b []byte, f func(Change)) error {
	for len(b) > 0 {
		op := b[0]
		if op > opPut {
			return errPayload
		}
		name, rest, err := parseBytes(b[1:])
		if err != nil || len(name) == 0 || len(name) > MaxName {
			return errPayload
		}
		c := Change{Name: string(name), Delete: op == opDelete}
		if !c.Delete {
			if c.Value, rest, err = parseBytes(rest); err != nil {
				return err
			}
		}
		f(c)
		b = rest
	}
	return nil
}

// parseBytes returns the bytes that b begins with, after their length, and what follows them.
func parseBytes(b []byte) (field, rest []byte, err error) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > math.MaxInt32 || int(n) > len(b)-used {
		return nil, nil, errPayload
	}
	end := used + int(n)
	return b[used:end:end], b[end:], nil
}
