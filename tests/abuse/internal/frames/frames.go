// Package frames writes HTTP/2 frames and header blocks as bytes, right or wrong, whatever the caller wants.
package frames

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/net/http2/hpack"
)

// Types of frames.
const (
	Data = iota
	Headers
	Priority
	ResetStream
	Settings
	PushPromise
	Ping
	GoAway
	WindowUpdate
	Continuation
	Unknown = 0xbe
)

// Flags of frames.
const (
	EndStream  = 0x1 // DATA, HEADERS
	Ack        = 0x1 // SETTINGS, PING
	EndHeaders = 0x4
	Padded     = 0x8
	HasPrio    = 0x20
)

// HeadBytes is the length of a frame header.
const HeadBytes = 9

// Append adds a frame to b.
func Append(b []byte, kind, flags byte, stream uint32, payload []byte) []byte {
	n := len(payload)
	b = append(b, byte(n>>16), byte(n>>8), byte(n), kind, flags)
	b = binary.BigEndian.AppendUint32(b, stream)
	return append(b, payload...)
}

// Word is a payload of four bytes: an error code, an increment.
func Word(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// Setting is one entry of SETTINGS.
func Setting(id uint16, value uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(nil, id), value)
}

// Message puts the gRPC length prefix before a body.
func Message(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(body))), body...)
}

// Request are the fields of a gRPC call.
func Request(path string, more ...hpack.HeaderField) []hpack.HeaderField {
	return append([]hpack.HeaderField{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: path},
		{Name: ":authority", Value: "test.example"}, {Name: "content-type", Value: "application/grpc"}, {Name: "te", Value: "trailers"},
	}, more...)
}

// Block encodes fields without the dynamic table: it may be sent on any connection, any number of times.
func Block(fields ...hpack.HeaderField) []byte {
	var b []byte
	for _, f := range fields {
		b = Literal(b, f.Name, f.Value)
	}
	return b
}

// Literal adds a literal field that is not indexed, without Huffman coding, exactly as given.
func Literal(b []byte, name, value string) []byte {
	b = append(b, 0)
	b = String(b, name)
	return String(b, value)
}

// Indexed adds a literal field with a new name that enters the dynamic table.
func Indexed(b []byte, name, value string) []byte {
	b = append(b, 0x40)
	b = String(b, name)
	return String(b, value)
}

// String adds a string literal.
func String(b []byte, s string) []byte {
	return append(Integer(b, 0, 7, uint64(len(s))), s...)
}

// Integer adds an HPACK integer with so many prefix bits.
func Integer(b []byte, first byte, bits int, n uint64) []byte {
	full := uint64(1)<<bits - 1
	if n < full {
		return append(b, first|byte(n))
	}
	b = append(b, first|byte(full))
	for n -= full; n >= 128; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

// Repeater are two blocks for the same fields: the first fills the dynamic table, the other refers to it.
func Repeater(fields ...hpack.HeaderField) (first, again []byte) {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range fields {
		_ = encoder.WriteField(f)
	}
	first = append(first, block.Bytes()...)
	block.Reset()
	for _, f := range fields {
		_ = encoder.WriteField(f)
	}
	return first, block.Bytes()
}
