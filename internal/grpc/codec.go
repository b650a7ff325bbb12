package grpcserver

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	protocodec "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// When a message can't be decoded, grpc-go answers Internal before any interceptor runs. Here
// decoding into an incoming therefore always succeeds, and a bad message is an error like
// any other: reported after authorization, with our code, details, request id and log.

// hardLimit times the accepted message size is the largest message that we reject ourselves;
// grpc-go rejects larger ones before reading them into memory.
const hardLimit = 4

// incoming is a message being decoded and the error of decoding it.
type incoming struct {
	message any
	err     error
}

// codec is the proto codec extended to decode into an incoming.
type codec struct {
	encoding.CodecV2
	max int // bytes
}

func newCodec(max int) codec { return codec{encoding.GetCodecV2(protocodec.Name), max} }

// Unmarshal never fails for an incoming.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	in, ok := v.(*incoming)
	switch {
	case !ok:
		return c.CodecV2.Unmarshal(data, v)
	case data.Len() > c.max:
		in.err = domain.Errorf(domain.CodeTooLarge, "a message has more than %d bytes", c.max)
	case c.read(data, in.message) != nil:
		in.err = domain.Errorf(domain.CodeMalformed, "the message can't be read: it is not protobuf or has invalid UTF-8")
	}
	return nil
}

func (c codec) read(data mem.BufferSlice, message any) error {
	if l, ok := message.(*locations); ok {
		return l.read(data)
	}
	return c.CodecV2.Unmarshal(data, message)
}

// readable makes a service's unary methods decode into an incoming; serverStream does the same for streams.
func readable(desc grpc.ServiceDesc) *grpc.ServiceDesc {
	methods := make([]grpc.MethodDesc, len(desc.Methods))
	for i, m := range desc.Methods {
		methods[i] = grpc.MethodDesc{MethodName: m.MethodName, Handler: func(
			srv any, ctx context.Context, dec func(any) error, interceptor grpc.UnaryServerInterceptor,
		) (any, error) {
			var in incoming
			read := func(message any) error {
				in.message = message
				return dec(&in)
			}
			return m.Handler(srv, ctx, read, func(
				ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
			) (any, error) {
				return interceptor(ctx, req, info, func(ctx context.Context, req any) (any, error) {
					if in.err != nil {
						return nil, in.err
					}
					return handler(ctx, req)
				})
			})
		}}
	}
	desc.Methods = methods
	return &desc
}
