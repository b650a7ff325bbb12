package broker

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging"
)

const (
	attrCodec         = 0x07
	attrTransactional = 0x10
	attrControl       = 0x20
)

// inflating limits concurrent decompression, to bound memory.
var inflating = make(chan struct{}, 2)

// inflate decompresses a batch up to a size limit, with the Kafka client's own decompressor, as the consumer will.
var inflate = sync.OnceValue(func() func([]byte, kgo.CompressionCodecType) ([]byte, error) {
	client, err := kgo.NewClient(kgo.MaxDecompressBatchBytes(messaging.MaxInflated))
	if err != nil {
		return func([]byte, kgo.CompressionCodecType) ([]byte, error) { return nil, err }
	}
	defer client.Close()
	return client.OptValue(kgo.WithDecompressor).(kgo.Decompressor).Decompress //nolint:forcetypeassert // its type
})

// checkBatch decompresses the record batch of one partition. Data that is no batch at all is
// left to the broker, which responds with a proper error.
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
	records, err := inflate()(b.Records, kgo.CompressionCodecType(b.Attributes&attrCodec)) //nolint:gosec // three bits
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
