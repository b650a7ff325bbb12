package messaging

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const apiVersionsKey = 18

// versions is the range of a request that is let in.
type versions struct{ min, max int16 }

// offered is every request that the embedded broker answers: what producers, consumers,
// groups and tools that look need. Topics are made by the product alone; transactions,
// share groups, quotas and access lists it does not offer.
var offered = map[int16]versions{
	0:              {3, 12}, // Produce
	1:              {4, 17}, // Fetch
	2:              {1, 10}, // ListOffsets
	3:              {0, 13}, // Metadata
	8:              {0, 9},  // OffsetCommit
	9:              {0, 9},  // OffsetFetch
	10:             {0, 6},  // FindCoordinator
	11:             {0, 9},  // JoinGroup
	12:             {0, 4},  // Heartbeat
	13:             {0, 5},  // LeaveGroup
	14:             {0, 5},  // SyncGroup
	15:             {0, 5},  // DescribeGroups
	16:             {0, 5},  // ListGroups
	apiVersionsKey: {0, 4},
	22:             {0, 4}, // InitProducerID
	23:             {3, 4}, // OffsetForLeaderEpoch
	32:             {0, 4}, // DescribeConfigs
	60:             {0, 2}, // DescribeCluster
}

// admit decides by the header alone.
func admit(key, version int16, size int) error {
	v, known := offered[key]
	switch {
	case !known:
		return fmt.Errorf("%w: request %d is not offered", errRefused, key)
	case key == apiVersionsKey && version >= 0: // a newer client asks first and is told what there is
	case version < v.min || version > v.max:
		return fmt.Errorf("%w: version %d of request %d is not offered", errRefused, version, key)
	}
	if key != 0 && size > maxSmall {
		return fmt.Errorf("%w: a request %d of %d bytes", errRefused, key, size)
	}
	return nil
}

// check parses a whole request as the broker will, and looks at what it would trip over.
func check(body []byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errRefused, r)
		}
	}()
	r := kbin.Reader{Src: body}
	key, version := r.Int16(), r.Int16()
	r.Int32()
	r.NullableString()
	req := kmsg.RequestForKey(key)
	req.SetVersion(version)
	if req.IsFlexible() {
		kmsg.SkipTags(&r)
	}
	if !r.Ok() {
		return fmt.Errorf("%w: a header that is cut off", errRefused)
	}
	if err := req.ReadFrom(r.Src); err != nil {
		return fmt.Errorf("%w: request %d can't be parsed: %w", errRefused, key, err)
	}
	return nil
}

// apiVersions answers what the guard lets in, which is less than the broker can do.
func (e *Embedded) apiVersions(req kmsg.Request) (kmsg.Response, error, bool) { //nolint:revive // the order is kfake's
	e.cluster.KeepControl()
	asked := req.(*kmsg.ApiVersionsRequest) //nolint:forcetypeassert // registered for this key
	resp := asked.ResponseKind().(*kmsg.ApiVersionsResponse)
	if v := offered[apiVersionsKey]; asked.Version > v.max {
		// KIP-511: the oldest form, with the error and the range to try again with.
		resp.Version = 0
		resp.ErrorCode = 35 // UNSUPPORTED_VERSION
	}
	for key := int16(0); key < 100; key++ {
		if v, known := offered[key]; known {
			k := kmsg.NewApiVersionsResponseApiKey()
			k.ApiKey, k.MinVersion, k.MaxVersion = key, v.min, v.max
			resp.ApiKeys = append(resp.ApiKeys, k)
		}
	}
	return resp, nil, true
}
