package tlv_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/content/internal/formattest"
	"github.com/lwm2mgen/toolkit/runtime/content/tlv"
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

// device0 is the payload of /3/0 in Core 1.0.2 §6.4.3.1.
const device0 = `
	C8 00 14 4F 70 65 6E 20 4D 6F 62 69 6C 65 20 41 6C 6C 69 61 6E 63 65
	C8 01 16 4C 69 67 68 74 77 65 69 67 68 74 20 4D 32 4D 20 43 6C 69 65 6E 74
	C8 02 09 33 34 35 30 30 30 31 32 33
	C3 03 31 2E 30
	86 06 41 00 01 41 01 05
	88 07 08 42 00 0E D8 42 01 13 88
	87 08 41 00 7D 42 01 03 84
	C1 09 64
	C1 0A 0F
	83 0B 41 00 00
	C4 0D 51 82 42 8F
	C6 0E 2B 30 32 3A 30 30
	C1 10 55`

var vectors = []struct {
	name    string
	base    string
	payload string
	entries []dm.Entry
}{
	{"Core 1.0.2 §6.4.3.1, /3/0", "/3/0", device0, formattest.Device0()},
	{"Core 1.0.2 §6.4.3.1, /3", "/3", "08 00 79" + device0, formattest.Device0()},
	{"Core 1.0.2 §6.4.3.2 A, /2", "/2", `
		08 00 0E C1 00 01 C1 01 00 83 02 41 7F 07 C1 03 7F
		08 02 12 C1 00 03 C1 01 00 87 02 41 7F 07 61 01 36 01 C1 03 7F`, formattest.AccessControl()},
	{"Core 1.0.2 §6.4.3.2 B, /1", "/1", "08 00 0F C1 00 01 C4 01 00 01 51 80 C1 06 01 C1 07 55", formattest.Servers()},
	{"Core 1.0.2 §6.4.3.3, /65/0", "/65/0", `
		88 00 0C 44 00 00 42 00 00 44 01 00 42 00 01
		C8 01 0D 38 36 31 33 38 30 30 37 35 35 35 30 30
		C4 02 12 34 56 78`, formattest.Linked65()},
	{"Core 1.0.2 §6.4.3.3, /66", "/66", `
		08 00 26 C8 00 0B 6D 79 53 65 72 76 69 63 65 20 31
		C8 01 0F 49 6E 74 65 72 6E 65 74 2E 31 35 2E 32 33 34 C4 02 00 43 00 00
		08 01 26 C8 00 0B 6D 79 53 65 72 76 69 63 65 20 32
		C8 01 0F 49 6E 74 65 72 6E 65 74 2E 31 35 2E 32 33 35 C4 02 FF FF FF FF`, formattest.Linked66()},
	{"ETS LightweightM2M-1.1-int-215", "/1/0", "C1 02 65 C2 03 03 F2 C2 05 07 D0 C1 06 01 C1 07 55", []dm.Entry{
		formattest.At("/1/0/2", dm.IntegerValue(101)),
		formattest.At("/1/0/3", dm.IntegerValue(1010)),
		formattest.At("/1/0/5", dm.IntegerValue(2000)),
		formattest.At("/1/0/6", dm.BooleanValue(true)),
		formattest.At("/1/0/7", dm.StringValue("U")),
	}},
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			payload := unhex(t, v.payload)
			if got := formattest.Encode(t, &tlv.Encoder{}, v.base, v.entries); string(got) != string(payload) {
				t.Errorf("encoded %x\nwant    %x", got, payload)
			}
			got := formattest.Decode(t, &tlv.Decoder{}, formattest.Request(v.base), payload)
			formattest.Equal(t, got, v.entries)
		})
	}
}
