package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/lwm2mgen/toolkit/runtime/download"
)

// meter is a firmwareupdate.Storage that shows how far a transfer is.
type meter struct {
	*download.File
	out      io.Writer
	terminal bool // whether a line can be overwritten

	mu       sync.Mutex
	received int64
	total    int64 // 0 if it is not known
	shown    int64 // percent, or megabytes if the total is not known; -1 for nothing
}

func newMeter(f *download.File, out *os.File) *meter {
	info, err := out.Stat()
	return &meter{File: f, out: out, terminal: err == nil && info.Mode()&os.ModeCharDevice != 0,
		received: f.Content().Size(), shown: -1}
}

// Write appends to the image.
func (m *meter) Write(p []byte) (int, error) {
	n, err := m.File.Write(p)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.received += int64(n)
	if m.total == 0 && (m.received <= maxHeader || m.shown < 0) {
		m.readTotal()
	}
	m.show()
	return n, err
}

// Truncate cuts the image off.
func (m *meter) Truncate(size int64) error {
	err := m.File.Truncate(size)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.received, m.total, m.shown = size, 0, -1
	return err
}

// readTotal reads the size of the image from its header, as soon as it is there. The signature has
// yet to be verified: until then the size is for the eye alone.
func (m *meter) readTotal() {
	content := m.Content()
	if h, program, err := openImage(content); err == nil && h.size > 0 {
		m.total = content.Size() - program.Size() + h.size
	}
}

// show prints a line for every tenth of the transfer, or a bar that grows on a terminal.
func (m *meter) show() {
	const mega = 1e6
	if m.total == 0 {
		if mb := m.received / mega; mb > m.shown && m.received > maxHeader {
			m.shown = mb
			fmt.Fprintf(m.out, "device: receiving, %.1f MB\n", float64(m.received)/mega)
		}
		return
	}
	step := int64(10)
	if m.terminal {
		step = 1
	}
	percent := min(m.received*100/m.total, 100)
	if percent < m.shown+step && (percent < 100 || m.shown == 100) && m.shown >= 0 {
		return
	}
	m.shown = percent
	begin, end := "", "\n"
	if m.terminal {
		begin = "\r"
		if percent < 100 {
			end = ""
		}
	}
	done := int(percent) / 5
	fmt.Fprintf(m.out, "%sdevice: receiving [%s%s] %3d %% of %.1f MB%s", begin,
		strings.Repeat("#", done), strings.Repeat(".", 20-done), percent, float64(m.total)/mega, end)
}
