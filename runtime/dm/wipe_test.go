package dm

import (
	"runtime"
	"testing"
	"time"
)

// collect runs the garbage collector until done is closed.
func collect(t *testing.T, done <-chan struct{}) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		runtime.GC()
		select {
		case <-done:
			return
		case <-deadline:
			t.Fatal("the memory was not overwritten")
		default:
			runtime.Gosched()
		}
	}
}

// overwritten returns a function for hide that closes the channel when it is called with zeros of
// the given length only.
func overwritten(t *testing.T, length int) (func([]byte), <-chan struct{}) {
	done := make(chan struct{})
	return func(b []byte) {
		if len(b) != length {
			t.Errorf("%d bytes are overwritten, want %d", len(b), length)
		}
		for _, c := range b {
			if c != 0 {
				t.Errorf("the memory holds %q", b)
				break
			}
		}
		close(done)
	}, done
}

// A secret's memory is overwritten when nothing refers to it any more: not before, and not only
// when a program thinks of it.
func TestSecretIsOverwrittenWithItsLastReference(t *testing.T) {
	for _, length := range []int{1, 15, 16, 300, 70000} {
		wiped, done := overwritten(t, length)
		key := make([]byte, length)
		for i := range key {
			key[i] = 'k'
		}
		func() { _ = Secret{hide(string(key), wiped)} }()
		collect(t, done)
		if key[0] != 'k' {
			t.Error("the caller's bytes are overwritten")
		}
	}
}

func TestValueKeepsASecret(t *testing.T) {
	wiped, done := overwritten(t, 20)
	v := func() Value {
		s := Secret{hide("twenty secret letters"[:20], wiped)}
		return toValue(&s)
	}()
	for range 3 {
		runtime.GC()
	}
	select {
	case <-done:
		t.Fatal("the memory is overwritten although a Value refers to it")
	default:
	}
	if string(v.Opaque()) != "twenty secret letter" {
		t.Errorf("the Value holds %q", v.Opaque())
	}
	runtime.KeepAlive(v)
	v = Value{}
	_ = v
	collect(t, done)
}

func TestTextOfASecretStringKeepsIt(t *testing.T) {
	wiped, done := overwritten(t, 8)
	text := func() string { return SecretString{hide("password", wiped)}.Reveal() }()
	for range 3 {
		runtime.GC()
	}
	if text != "password" {
		t.Errorf("the text is %q", text)
	}
	runtime.KeepAlive(&text)
	text = ""
	_ = text
	collect(t, done)
}
