package omaxml

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// errCharset stops the parser. The fault says what is wrong.
var errCharset = errors.New("encoding not supported")

// charset decodes a file that declares an encoding other than UTF-8.
type charset struct {
	declared string // the last declaration read
	refused  bool
}

// reader decodes the encodings whose characters are single bytes with the same number in Unicode.
// The parser calls it for every declaration in the file. Only the first one counts, because a file
// that consists of declarations would accumulate decoders.
func (c *charset) reader(name string, input io.Reader) (io.Reader, error) {
	first := c.declared == ""
	c.declared = name
	if first {
		switch strings.ToLower(name) {
		case "us-ascii", "ascii", "utf8":
			return input, nil // a subset or misspelling of UTF-8; the parser checks
		case "iso-8859-1", "iso8859-1", "latin1", "latin-1":
			return &latin1{bufio.NewReader(input)}, nil
		}
	}
	c.refused = true
	return nil, errCharset
}

// latin1 converts ISO-8859-1 to UTF-8.
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
