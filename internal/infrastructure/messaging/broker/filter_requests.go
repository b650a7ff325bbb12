package broker

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging"
)

const (
	// maxTopics and maxPartitions limit a produce request; the product has 5 topics.
	maxTopics, maxPartitions = 64, 1024
	// maxGroups limits the number of consumer groups, maxGroupName the length of their names.
	maxGroups, maxGroupName = 1000, 255
	// maxNote limits the metadata committed with an offset, as in Kafka.
	maxNote = 4096
	// maxFetch limits a fetch response.
	maxFetch = 16 * messaging.MiB
)

// versions is the accepted version range of a request.
type versions struct{ min, max int16 }

// offered lists the requests that the embedded broker supports: those of producers, consumers, groups and read-only tools.
// Only the product creates topics; transactions, share groups, quotas and access lists are not supported.
var offered = map[kmsg.Key]versions{
	kmsg.Produce:              {3, 12},
	kmsg.Fetch:                {4, 17},
	kmsg.ListOffsets:          {1, 10},
	kmsg.Metadata:             {0, 13},
	kmsg.OffsetCommit:         {0, 9},
	kmsg.OffsetFetch:          {0, 9},
	kmsg.FindCoordinator:      {0, 6},
	kmsg.JoinGroup:            {0, 9},
	kmsg.Heartbeat:            {0, 4},
	kmsg.LeaveGroup:           {0, 5},
	kmsg.SyncGroup:            {0, 5},
	kmsg.DescribeGroups:       {0, 5},
	kmsg.ListGroups:           {0, 5},
	kmsg.ApiVersions:          {0, 4},
	kmsg.InitProducerID:       {0, 4},
	kmsg.OffsetForLeaderEpoch: {3, 4},
	kmsg.DescribeConfigs:      {0, 4},
	kmsg.DescribeCluster:      {0, 2},
}

// admit checks a request by its header.
func admit(key kmsg.Key, version int16, size int) error {
	v, known := offered[key]
	switch {
	case !known:
		return fmt.Errorf("%w: request %d is not offered", errRefused, key)
	case key == kmsg.ApiVersions && version >= 0: // a newer client asks first and gets the supported versions
	case version < v.min || version > v.max:
		return fmt.Errorf("%w: version %d of request %d is not offered", errRefused, version, key)
	}
	if key != kmsg.Produce && size > maxSmall {
		return fmt.Errorf("%w: a request %d of %d bytes", errRefused, key, size)
	}
	return nil
}

// check parses a complete frame, length included, as the broker will, and rejects what would
// crash the broker. It returns the frame to pass on, which may be a replacement.
func (c *filteredConn) check(frame []byte) (out []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errRefused, r)
		}
	}()
	r := kbin.Reader{Src: frame[4:]}
	key, version := kmsg.Key(r.Int16()), r.Int16()
	correlation := r.Int32()
	r.NullableString()
	req := kmsg.RequestForKey(key.Int16())
	req.SetVersion(version)
	if req.IsFlexible() {
		kmsg.SkipTags(&r)
	}
	if !r.Ok() {
		return nil, fmt.Errorf("%w: a header that is cut off", errRefused)
	}
	switch {
	case key == kmsg.Produce:
		return frame, checkProduce(r, version)
	case key == kmsg.ApiVersions && version > offered[key].max:
		// An unknown version is replaced with the newest known one, which gets the right response.
		req.SetVersion(req.MaxVersion())
		return kmsg.NewRequestFormatter().AppendRequest(nil, req, correlation), nil
	}
	body := r.Src
	if err := req.ReadFrom(body); err != nil {
		return nil, fmt.Errorf("%w: request %d can't be parsed: %w", errRefused, key, err)
	}
	switch req := req.(type) {
	case *kmsg.FetchRequest:
		if req.MaxBytes <= maxFetch {
			return frame, nil
		}
		req.MaxBytes = maxFetch
		out = req.AppendTo(frame[:len(frame)-len(body)])
		binary.BigEndian.PutUint32(out, uint32(len(out)-4)) //nolint:gosec // at most maxSmall
		return out, nil
	case *kmsg.MetadataRequest, *kmsg.FindCoordinatorRequest, *kmsg.DescribeClusterRequest:
		if c.filter.anywhere {
			c.mu.Lock()
			c.asked[correlation] = req
			c.mu.Unlock()
		}
	case *kmsg.JoinGroupRequest:
		err = c.filter.checkJoin(req)
	case *kmsg.OffsetCommitRequest:
		err = c.filter.checkCommit(req)
	case *kmsg.InitProducerIDRequest:
		if req.TransactionalID != nil {
			err = fmt.Errorf("%w: transactions are not offered", errRefused)
		}
	}
	return frame, err
}

// checkJoin rejects joins that would corrupt the broker's count of a group's protocols and
// make it panic: no protocol, or a duplicate one.
func (f *filter) checkJoin(req *kmsg.JoinGroupRequest) error {
	if len(req.Protocols) == 0 {
		return fmt.Errorf("%w: a group member without a protocol", errRefused)
	}
	names := map[string]bool{}
	for _, p := range req.Protocols {
		if names[p.Name] {
			return fmt.Errorf("%w: a group member with the protocol %.40q twice", errRefused, p.Name)
		}
		names[p.Name] = true
	}
	return f.checkGroup(req.Group)
}

func (f *filter) checkCommit(req *kmsg.OffsetCommitRequest) error {
	for _, t := range req.Topics {
		for _, p := range t.Partitions {
			if p.Metadata != nil && len(*p.Metadata) > maxNote {
				return fmt.Errorf("%w: a note of %d bytes beside an offset", errRefused, len(*p.Metadata))
			}
		}
	}
	return f.checkGroup(req.Group)
}

// checkGroup limits the number of groups, since the broker keeps each in memory.
func (f *filter) checkGroup(name string) error {
	if len(name) > maxGroupName {
		return fmt.Errorf("%w: a group name of %d bytes", errRefused, len(name))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.groups[name] && len(f.groups) >= maxGroups {
		return fmt.Errorf("%w: more than %d groups", errRefused, maxGroups)
	}
	f.groups[name] = true
	return nil
}

// checkProduce walks a produce request without decoding it into structs and checks the batches, since the broker stores them
// unopened: a batch that can't be decompressed would stop every consumer of the partition.
func checkProduce(r kbin.Reader, version int16) error {
	flexible := version >= 9
	length := func() int {
		if flexible {
			return int(r.CompactArrayLen())
		}
		return int(r.ArrayLen())
	}
	text := r.NullableString
	if flexible {
		text = r.CompactNullableString
	}
	if text() != nil && r.Ok() {
		return fmt.Errorf("%w: transactions are not offered", errRefused)
	}
	r.Int16() // acks
	r.Int32() // timeout
	topics, partitions := length(), 0
	if topics > maxTopics {
		return fmt.Errorf("%w: messages for %d topics", errRefused, topics)
	}
	for range topics {
		text()
		n := length()
		if partitions += n; partitions > maxPartitions {
			return fmt.Errorf("%w: messages for %d partitions", errRefused, partitions)
		}
		for range n {
			r.Int32() // partition
			batch := r.NullableBytes
			if flexible {
				batch = r.CompactNullableBytes
			}
			if err := checkBatch(batch()); err != nil {
				return err
			}
			skipTags(&r, flexible)
		}
		skipTags(&r, flexible)
	}
	skipTags(&r, flexible)
	if err := r.Complete(); err != nil {
		return fmt.Errorf("%w: a produce request can't be parsed: %w", errRefused, err)
	}
	return nil
}

func skipTags(r *kbin.Reader, flexible bool) {
	if flexible {
		kmsg.SkipTags(r)
	}
}

// apiVersions returns the versions that the filter accepts, fewer than the broker supports.
func apiVersions(asked *kmsg.ApiVersionsRequest) kmsg.Response {
	resp := asked.ResponseKind().(*kmsg.ApiVersionsResponse) //nolint:forcetypeassert // its kind
	if asked.Version > offered[kmsg.ApiVersions].max {
		// KIP-511: the oldest version, with the error and the range to retry with.
		resp.Version = 0
		resp.ErrorCode = kerr.UnsupportedVersion.Code
	}
	for _, key := range slices.Sorted(maps.Keys(offered)) {
		k := kmsg.NewApiVersionsResponseApiKey()
		k.ApiKey, k.MinVersion, k.MaxVersion = key.Int16(), offered[key].min, offered[key].max
		resp.ApiKeys = append(resp.ApiKeys, k)
	}
	return resp
}

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
