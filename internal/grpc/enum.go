package grpcserver

import (
	"strconv"
	"strings"

	"github.com/order-tracking/order-tracking/internal/domain"
	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

// The enum's names are made of the statuses, so the look-ups are made of the names.
var (
	protoStatus  = map[domain.Status]pb.OrderStatus{}
	domainStatus = map[pb.OrderStatus]domain.Status{}
)

func init() {
	for name, number := range pb.OrderStatus_value {
		s := domain.Status(strings.ToLower(strings.TrimPrefix(name, "ORDER_STATUS_")))
		if s.Valid() {
			protoStatus[s], domainStatus[pb.OrderStatus(number)] = pb.OrderStatus(number), s
		}
	}
}

// statusFrom returns the status that a number stands for; of one that stands for
// none it returns something that the domain refuses by name.
func statusFrom(n pb.OrderStatus) domain.Status {
	if s, ok := domainStatus[n]; ok || n == pb.OrderStatus_ORDER_STATUS_UNSPECIFIED {
		return s
	}
	return domain.Status(strconv.Itoa(int(n)))
}

func statusTo(s domain.Status) pb.OrderStatus { return protoStatus[s] }
