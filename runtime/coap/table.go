package coap

// A table is a map that frees its memory when it becomes empty after it was large, which Go's maps
// do not do. The zero table is empty.
type table[K comparable, V any] struct {
	m    map[K]V
	peak int
}

func (t *table[K, V]) get(k K) (V, bool) {
	v, ok := t.m[k]
	return v, ok
}

func (t *table[K, V]) put(k K, v V) {
	if t.m == nil {
		t.m = make(map[K]V)
	}
	t.m[k] = v
	t.peak = max(t.peak, len(t.m))
}

func (t *table[K, V]) remove(k K) {
	delete(t.m, k)
	if len(t.m) == 0 && t.peak > 64 {
		t.m, t.peak = nil, 0
	}
}
