package coap

import "testing"

func TestBlockSizes(t *testing.T) {
	for _, c := range []struct {
		name     string
		mtu      int
		block    int
		overhead int
		peer     *peerSettings
		size     int64
		szx      uint8
		whole    int64
	}{
		{name: "default", mtu: 1232, size: 5000, szx: 6, whole: 1024},
		{name: "configured", mtu: 1232, block: 64, size: 5000, szx: 2, whole: 64},
		{name: "small MTU", mtu: 576, size: 5000, szx: 5, whole: 512},
		{name: "small MTU, small body", mtu: 576, size: 100, szx: 6, whole: 1024},
		{name: "MTU just enough", mtu: 1024 + baseOverhead + 10 + 8, size: 5000, szx: 6, whole: 1024},
		{name: "layer", mtu: 1024 + baseOverhead + 10 + 8, overhead: 1, size: 5000, szx: 5, whole: 512},
		{name: "stream before the CSM", peer: &peerSettings{maxMessage: 1152}, size: 5000, szx: 6, whole: 1152 - baseOverhead - 18},
		{name: "BERT", peer: &peerSettings{maxMessage: 10000, blockWise: true}, size: 50000, szx: BERT, whole: 10000 - baseOverhead - 18},
		{name: "BERT with layer", overhead: 100, peer: &peerSettings{maxMessage: 10000, blockWise: true}, size: 50000, szx: BERT, whole: 9900 - baseOverhead - 18},
	} {
		cfg := ConnConfig{Socket: &wire{mtu: c.mtu}, BlockSize: c.block}
		if c.overhead > 0 {
			cfg.Layer = heavyLayer(c.overhead)
		}
		cfg, err := cfg.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		b := newBlockSizes(&cfg, c.peer)
		szx := b.fitExponent(b.maxExponent(), 10, 8, c.size)
		if whole := b.wholeBytes(szx, 10, 8); szx != c.szx || whole != c.whole {
			t.Errorf("%s: exponent %d, whole %d; want %d and %d", c.name, szx, whole, c.szx, c.whole)
		}
		if n := b.blockBytes(szx, 10, 8); n%(Block{SZX: szx}.Size()) != 0 || c.peer != nil && n > c.peer.maxMessage-c.overhead {
			t.Errorf("%s: blocks of %d bytes", c.name, n)
		}
	}
}

// heavyLayer is a layer with this overhead that does nothing.
type heavyLayer int

func (l heavyLayer) Overhead() int                       { return int(l) }
func (l heavyLayer) Protect(*Message) (Binding, error)   { return nil, nil }
func (l heavyLayer) Unprotect(*Message) (Binding, error) { return nil, nil }
