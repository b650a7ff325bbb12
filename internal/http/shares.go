package httpserver

import (
	"context"

	"github.com/order-tracking/order-tracking/internal/access"
)

type shareList struct {
	Shares []access.Share `json:"shares"`
}

// shareRoutes registers share links, which show one order to their holder.
func (s *Server) shareRoutes() {
	handle(s, "createShare", s.createShare)
	handle(s, "listShares", func(ctx context.Context, in *OrderPath) (*bodyOnly[shareList], error) {
		_, o, err := s.Orders.Reach(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		shares, err := s.Shares.List(ctx, o)
		return bodyOf(shareList{shares}, err)
	})
	handle(s, "revokeShare", func(ctx context.Context, in *revokeShareIn) (*done, error) {
		_, o, err := s.Orders.Reach(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return onceDone(ctx, in.Idempotent, func(ctx context.Context) error { return s.Shares.Revoke(ctx, o, in.Share) })
	})
}

type revokeShareIn struct {
	OrderPath
	Idempotent
	Share string `path:"share_id" format:"uuid" doc:"the link's id"`
}

type createShareIn struct {
	OrderPath
	ReachedAt
	Idempotent
	Sent[access.NewShare]
}

func (s *Server) createShare(ctx context.Context, in *createShareIn) (*noStore[*access.IssuedShare], error) {
	body, err := in.read(in.check(), s.Shares.Check)
	if err != nil {
		return nil, err
	}
	_, o, err := s.Orders.Reach(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	share, _, err := once(ctx, in.Idempotent, func(ctx context.Context) (*access.IssuedShare, error) {
		return s.Shares.Create(ctx, o, body)
	})
	if err == nil {
		share.URL = s.publicURL(in.address) + "/t/" + share.Token
	}
	return secretOf(share, err)
}

func (p KeyPath) named() (string, error) { return p.ID, nil } //nolint:unparam // as posted demands

func secretOnce[T any](v T, _ string, err error) (*noStore[T], error) { return secretOf(v, err) }
