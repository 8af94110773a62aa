package download

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/lwm2mgen/toolkit/runtime/store"
)

// Record is what has to survive a restart so that a download can continue: which content a sink
// holds, and how much of it. The zero value means that nothing has been downloaded.
type Record struct {
	// URI is the URI of the download. It may hold a token.
	URI string
	// ETag is the version of the content, as the server has sent it: bytes over CoAP, a quoted
	// string over HTTP. The zero value means that the server has sent none, so the download cannot
	// continue after a restart.
	ETag string
	// Offset is how many bytes are durable in the sink.
	Offset int64
	// Total is the size of the content in bytes, -1 if the server has not announced it.
	Total int64
	// Complete is true if the sink holds the whole content.
	Complete bool
}

// maxTag bounds an ETag in bytes. An HTTP server has no reason to send a longer one.
const maxTag = 512

// recordVersion begins a record in bytes.
const recordVersion = 1

var errRecord = errors.New("download: the record is damaged")

// MarshalBinary returns the record in bytes, with a checksum. It does not fail.
func (r Record) MarshalBinary() ([]byte, error) {
	b := []byte{recordVersion, 0}
	if r.Complete {
		b[1] = 1
	}
	b = binary.AppendVarint(b, r.Offset)
	b = binary.AppendVarint(b, r.Total)
	for _, s := range []string{r.URI, r.ETag} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b)), nil
}

// UnmarshalBinary reads a record. Without any bytes the record is the zero value. After an error
// the record is unchanged.
func (r *Record) UnmarshalBinary(b []byte) error {
	if len(b) == 0 {
		*r = Record{}
		return nil
	}
	if len(b) < 6 || b[0] != recordVersion || b[1] > 1 {
		return errRecord
	}
	sum := binary.BigEndian.Uint32(b[len(b)-4:])
	b = b[:len(b)-4]
	if crc32.ChecksumIEEE(b) != sum {
		return errRecord
	}
	var n Record
	n.Complete = b[1] == 1
	b = b[2:]
	for _, v := range []*int64{&n.Offset, &n.Total} {
		size := 0
		if *v, size = binary.Varint(b); size <= 0 {
			return errRecord
		}
		b = b[size:]
	}
	for _, s := range []*string{&n.URI, &n.ETag} {
		length, size := binary.Uvarint(b)
		if size <= 0 || length > uint64(len(b)-size) {
			return errRecord
		}
		b = b[size:]
		*s, b = string(b[:length]), b[length:]
	}
	if len(b) > 0 || !n.valid() {
		return errRecord
	}
	*r = n
	return nil
}

// valid reports whether the fields fit each other.
func (r Record) valid() bool {
	return r.Offset >= 0 && r.Total >= -1 && len(r.URI) <= maxURI && len(r.ETag) <= maxTag &&
		(r.Total < 0 || r.Offset <= r.Total) && (!r.Complete || r.Total == r.Offset)
}

// Records keeps the record of one download in a store.
//
//	records := download.Records{Store: s, Name: "download/firmware"}
//	record, err := records.Load()
//	...
//	request := download.Request{URI: uri, Sink: file, Record: record, Save: records.Save}
type Records struct {
	// Store holds the record. Required.
	Store store.Store
	// Name is the name of the record in the store. Required.
	Name string
}

// Load returns the record, the zero value if there is none.
func (r Records) Load() (Record, error) {
	var rec Record
	value, err := store.Get(r.Store, r.Name)
	if err == nil && value != nil {
		err = rec.UnmarshalBinary(value)
	}
	return rec, err
}

// Save stores the record durably.
func (r Records) Save(rec Record) error {
	b, err := rec.MarshalBinary()
	if err != nil {
		return err
	}
	return r.Store.Apply(store.Put(r.Name, b))
}

// Delete removes the record.
func (r Records) Delete() error { return r.Store.Apply(store.Delete(r.Name)) }
