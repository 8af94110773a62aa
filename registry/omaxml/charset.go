package omaxml

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// errCharset stops the parser; what is wrong is in the fault.
var errCharset = errors.New("encoding not supported")

// charset decodes a file that declares another encoding than UTF-8.
type charset struct {
	declared string // the last declaration that was looked at
	refused  bool
}

// reader decodes the encodings whose characters are single bytes with the same number in Unicode.
// The parser asks it for every declaration in the file; only the first one counts, or a file of
// nothing but declarations would pile up decoders.
func (c *charset) reader(name string, input io.Reader) (io.Reader, error) {
	first := c.declared == ""
	c.declared = name
	if first {
		switch strings.ToLower(name) {
		case "us-ascii", "ascii", "utf8":
			return input, nil // a subset or a misspelling of UTF-8; the parser refuses what is neither
		case "iso-8859-1", "iso8859-1", "latin1", "latin-1":
			return &latin1{bufio.NewReader(input)}, nil
		}
	}
	c.refused = true
	return nil, errCharset
}

// latin1 turns ISO-8859-1 into UTF-8.
type latin1 struct {
	in *bufio.Reader
}

// Read fills p with whole characters, of at most two bytes each.
func (l *latin1) Read(p []byte) (int, error) {
	n := 0
	for n+2 <= len(p) {
		b, err := l.in.ReadByte()
		if err != nil {
			if n > 0 {
				err = nil
			}
			return n, err
		}
		if b < 0x80 {
			p[n] = b
			n++
			continue
		}
		p[n], p[n+1] = 0xC0|b>>6, 0x80|b&0x3F
		n += 2
	}
	return n, nil
}
