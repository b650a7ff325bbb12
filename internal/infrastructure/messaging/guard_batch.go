package messaging

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	attrCodec         = 0x07
	attrTransactional = 0x10
	attrControl       = 0x20
)

var errTooLarge = fmt.Errorf("more than %d bytes unpacked", inflated)

// inflating bounds how many batches are unpacked at once, for their memory.
var inflating = make(chan struct{}, 2)

// checkBatch unpacks the record batch of one partition. What is not a batch at all it
// leaves to the broker, which answers that properly.
func checkBatch(raw []byte) error {
	var b kmsg.RecordBatch
	if b.ReadFrom(raw) != nil || b.Magic != 2 {
		return nil
	}
	if b.Attributes&(attrTransactional|attrControl) != 0 {
		return fmt.Errorf("%w: transactions are not offered", errRefused)
	}
	inflating <- struct{}{}
	defer func() { <-inflating }()
	records, err := inflate(b.Records, b.Attributes&attrCodec)
	if err != nil {
		return fmt.Errorf("%w: a batch can't be unpacked: %w", errRefused, err)
	}
	n := int32(0)
	for ; len(records) > 0; n++ {
		size, prefix := binary.Varint(records)
		end := prefix + int(size)
		if prefix <= 0 || size < 0 || size > int64(len(records)) || end > len(records) {
			return fmt.Errorf("%w: a batch with a record that is cut off", errRefused)
		}
		var r kmsg.Record
		if err := r.ReadFrom(records[:end]); err != nil || r.OffsetDelta != n {
			return fmt.Errorf("%w: a batch with a broken record", errRefused)
		}
		records = records[end:]
	}
	if n == 0 || n != b.NumRecords {
		return fmt.Errorf("%w: a batch that claims %d records and has %d", errRefused, b.NumRecords, n)
	}
	return nil
}

// inflate unpacks what a Kafka client packed, up to a bound.
func inflate(src []byte, codec int16) ([]byte, error) {
	switch codec {
	case 0:
		return src, nil
	case 1:
		r, err := gzip.NewReader(bytes.NewReader(src))
		if err != nil {
			return nil, err
		}
		return readBounded(r)
	case 2:
		return unsnap(src)
	case 3:
		return readBounded(lz4.NewReader(bytes.NewReader(src)))
	case 4:
		r, err := zstd.NewReader(bytes.NewReader(src), zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(inflated))
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return readBounded(r)
	}
	return nil, fmt.Errorf("unknown compression %d", codec)
}

func readBounded(r io.Reader) ([]byte, error) {
	out, err := io.ReadAll(io.LimitReader(r, inflated+1))
	if err == nil && len(out) > inflated {
		err = errTooLarge
	}
	return out, err
}

// xerial begins what Java's snappy stream writes: a header of 16 bytes, then blocks
// after their lengths.
var xerial = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

func unsnap(src []byte) ([]byte, error) {
	if !bytes.HasPrefix(src, xerial) {
		return unsnapBlock(nil, src)
	}
	if len(src) < 16 {
		return nil, io.ErrUnexpectedEOF
	}
	var out []byte
	for src = src[16:]; len(src) > 0; {
		if len(src) < 4 {
			return nil, io.ErrUnexpectedEOF
		}
		n := binary.BigEndian.Uint32(src)
		if src = src[4:]; uint64(n) > uint64(len(src)) {
			return nil, io.ErrUnexpectedEOF
		}
		var err error
		if out, err = unsnapBlock(out, src[:n]); err != nil {
			return nil, err
		}
		src = src[n:]
	}
	return out, nil
}

func unsnapBlock(out, block []byte) ([]byte, error) {
	n, err := s2.DecodedLen(block)
	if err != nil {
		return nil, err
	}
	if len(out)+n > inflated {
		return nil, errTooLarge
	}
	plain, err := s2.Decode(nil, block)
	if err != nil {
		return nil, errors.Join(errors.New("snappy"), err)
	}
	if out == nil {
		return plain, nil
	}
	return append(out, plain...), nil
}
