package coap

import "errors"

// A Block is the value of a Block1 or Block2 option (RFC 7959 §2.2).
type Block struct {
	// Num counts blocks of this size from the start of the body; 0 to 2^20-1.
	Num uint32
	// More is true if further blocks follow.
	More bool
	// SZX is the exponent of the block size of 2^(SZX+4) bytes: 0 (16 bytes) to 6 (1024 bytes).
	// 7 is BERT on reliable transports: a message carries any number of blocks of 1024 bytes
	// (RFC 8323 §6). Over UDP 7 is reserved.
	SZX uint8
}

// maxBlockNum is the highest block number that fits the option.
const maxBlockNum = 1<<20 - 1

// BERT is the SZX of the block-wise extension for reliable transports (RFC 8323 §6).
const BERT = 7

var errBlockValue = errors.New("coap: the block number does not fit its option (RFC 7959 §2.2)")

// Size is the unit of Num in bytes, 16 to 1024.
func (b Block) Size() int { return 16 << min(b.SZX, 6) }

// Offset is where the block begins in the body, in bytes.
func (b Block) Offset() int64 { return int64(b.Num) * int64(b.Size()) }

// value is the option's value.
func (b Block) value() uint32 {
	v := b.Num<<4 | uint32(b.SZX&7)
	if b.More {
		v |= 8
	}
	return v
}

func (b Block) check() error {
	if b.Num > maxBlockNum || b.SZX > BERT {
		return errBlockValue
	}
	return nil
}

func blockOf(v uint32) Block {
	return Block{Num: v >> 4, More: v&8 != 0, SZX: uint8(v & 7)}
}

// Block is the option id, Block1 or Block2. ok is false when the option is absent or longer than
// three bytes.
func (o *Options) Block(id OptionID) (b Block, ok bool) {
	v, ok := o.Uint(id)
	return blockOf(v), ok
}

// SetBlock sets the option id, Block1 or Block2. A block number that does not fit makes encoding
// the message fail.
func (o *Options) SetBlock(id OptionID, b Block) {
	if b.check() != nil {
		o.tooLong = true
		return
	}
	o.SetUint(id, b.value())
}
