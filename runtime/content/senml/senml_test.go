package senml_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/content/internal/formattest"
	"github.com/lwm2mgen/toolkit/runtime/content/senml"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// vectors have a payload in each form.
var vectors = []struct {
	name    string
	base    string
	json    string
	cbor    string
	entries []dm.Entry
}{
	{
		"Core 1.1.1 §7.4.5 and §7.4.6, /3/0", "/3/0",
		`[{"bn":"/3/0/","n":"0","vs":"Open Mobile Alliance"},` +
			`{"n":"1","vs":"Lightweight M2M Client"},` +
			`{"n":"2","vs":"345000123"},` +
			`{"n":"3","vs":"1.0"},` +
			`{"n":"6/0","v":1},` +
			`{"n":"6/1","v":5},` +
			`{"n":"7/0","v":3800},` +
			`{"n":"7/1","v":5000},` +
			`{"n":"8/0","v":125},` +
			`{"n":"8/1","v":900},` +
			`{"n":"9","v":100},` +
			`{"n":"10","v":15},` +
			`{"n":"11/0","v":0},` +
			`{"n":"13","v":1367491215},` +
			`{"n":"14","vs":"+02:00"},` +
			`{"n":"16","vs":"U"}]`,
		`90 a3 21 65 2f332f302f 00 61 30 03 74 4f70656e204d6f62696c6520416c6c69616e6365
		 a2 00 61 31 03 76 4c69676874776569676874204d324d20436c69656e74
		 a2 00 61 32 03 69 333435303030313233
		 a2 00 61 33 03 63 312e30
		 a2 00 63 362f30 02 01
		 a2 00 63 362f31 02 05
		 a2 00 63 372f30 02 19 0ed8
		 a2 00 63 372f31 02 19 1388
		 a2 00 63 382f30 02 18 7d
		 a2 00 63 382f31 02 19 0384
		 a2 00 61 39 02 18 64
		 a2 00 62 3130 02 0f
		 a2 00 64 31312f30 02 00
		 a2 00 62 3133 02 1a 5182428f
		 a2 00 62 3134 03 66 2b30323a3030
		 a2 00 62 3136 03 61 55`,
		formattest.Device0(),
	},
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			if got := formattest.Encode(t, &senml.JSONEncoder{}, v.base, v.entries); string(got) != v.json {
				t.Errorf("JSON %s\nwant %s", got, v.json)
			}
			cbor := unhex(t, v.cbor)
			if got := formattest.Encode(t, &senml.CBOREncoder{}, v.base, v.entries); string(got) != string(cbor) {
				t.Errorf("CBOR %x\nwant %x", got, cbor)
			}
			r := formattest.Request(v.base)
			formattest.Equal(t, formattest.Decode(t, &senml.JSONDecoder{}, r, []byte(v.json)), v.entries)
			formattest.Equal(t, formattest.Decode(t, &senml.CBORDecoder{}, r, cbor), v.entries)
		})
	}
}
