package dispatch

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// documentRoute is a manually set order of a courier's stops.
const documentRoute = "route"

// StopRef names a stop.
type StopRef struct {
	OrderID string          `json:"order_id" format:"uuid"`
	Kind    domain.StopKind `json:"kind" enum:"pickup,dropoff"`
}

// RouteOrder is an order of stops; unlisted stops come last.
type RouteOrder struct {
	Stops []StopRef `json:"stops" maxItems:"500"`
}

// Check validates the order.
func (r RouteOrder) Check() error {
	var f domain.Faults
	f.Check("", &r)
	if r.Stops == nil {
		f.Add("/stops", "required", "is required")
	}
	seen := map[StopRef]bool{}
	for i := range r.Stops {
		at := "/stops/" + strconv.Itoa(i)
		one := &r.Stops[i]
		f.ID(at+"/order_id", &one.OrderID)
		if seen[*one] {
			f.Add(at, "duplicate", "is there already")
		}
		if seen[*one] = true; one.Kind == domain.StopPickup && seen[StopRef{one.OrderID, domain.StopDropoff}] {
			f.Add(at, "conflict", "a pick-up must come before the drop-off of its order")
		}
	}
	return f.Err()
}

func refOf(s Stop) StopRef { return StopRef{s.OrderID, s.Kind} }

// arrange applies a manual order to a tour as far as possible, and optimises the rest, of which
// the kept stops are in a good order already.
func (t Tour) arrange(set, kept []StopRef) Tour {
	first, rest := split(t.Stops, set)
	known, others := split(rest, kept)
	t.Stops = slices.Concat(first, known, others)
	return t.Sequence(len(first), len(known))
}

// split returns the stops of a list in its order, and the others.
func split(stops []Stop, list []StopRef) (listed, others []Stop) {
	place := map[StopRef]int{}
	for i, ref := range list {
		place[ref] = i
	}
	for _, s := range stops {
		if _, ok := place[refOf(s)]; ok {
			listed = append(listed, s)
		} else {
			others = append(others, s)
		}
	}
	slices.SortFunc(listed, func(a, b Stop) int { return cmp.Compare(place[refOf(a)], place[refOf(b)]) })
	return listed, others
}

// Route returns a courier's remaining stops in planned order with planned times, or courier_not_found.
func (s *Service) Route(ctx context.Context, courierID string) (*domain.Route, error) {
	courier, err := s.Orders.Courier(ctx, courierID)
	if err != nil {
		return nil, err
	}
	return s.route(ctx, courier.ID)
}

// Duties returns a courier's route and his newest offers with their current status, for those who may see them.
func (s *Service) Duties(ctx context.Context, courierID string) (*domain.Route, []domain.Offer, error) {
	route, err := s.route(ctx, courierID)
	if err != nil {
		return nil, nil, err
	}
	offers, err := s.offersOf(ctx, courierID, offersShown, s.Store.Order)
	return route, offers, err
}

func (s *Service) route(ctx context.Context, courierID string) (*domain.Route, error) {
	courier, err := s.Store.Courier(ctx, courierID)
	if err != nil {
		return nil, err
	}
	inHand, err := s.Store.OrdersInHand(ctx, []string{courierID})
	if err != nil {
		return nil, err
	}
	set, err := s.routeOrder(ctx, courierID)
	if err != nil {
		return nil, err
	}
	positions, err := s.Live.Positions(ctx, []string{courierID})
	if err != nil {
		return nil, err
	}
	now, carried, at := s.Clock.Now(), inHand[courierID], positions[courierID]
	tour, known := s.tours.plan(s, courier, carried, at, now)
	out := &domain.Route{CourierID: courierID, Version: 1 + set.Version, Stops: []domain.RouteStop{}, UpdatedAt: domain.Timestamp(now)}
	orders := map[string]*domain.Order{}
	for _, o := range carried {
		if orders[o.ID] = o; !o.Status.BeforeCustody() && o.Pickup != nil {
			out.Stops = append(out.Stops, domain.RouteStop{
				OrderID: o.ID, Kind: domain.StopPickup, Location: o.Pickup.Location, Address: o.Pickup.Address, Done: true,
			})
		}
	}
	times, _, _ := tour.Times()
	asked := s.Orders.Tour(courier, carried, at, now)
	for i, stop := range tour.Stops {
		one := shownStop(orders[stop.OrderID], stop)
		if known {
			one.ETA = new(domain.Timestamp(times[i]))
		}
		if e, err := s.Orders.ExpectOnTour(orders[stop.OrderID], courier, at, asked, now); err == nil && known && stop.Kind == domain.StopDropoff && at != nil {
			one.ETA = &e.ETA // as for the customer
		}
		out.Stops = append(out.Stops, one)
	}
	if known {
		out.Polyline = s.polyline(ctx, tour)
	}
	return out, nil
}

// mostPlaces is how many places a router is asked for a way through.
const mostPlaces = 100

// polyline is a tour's way by road, empty if there is no router or no answer.
func (s *Service) polyline(ctx context.Context, t Tour) string {
	if s.Router == nil || !motorised(t.Vehicle) || len(t.Stops) == 0 || len(t.Stops) >= mostPlaces {
		return ""
	}
	road, err := s.Router.Route(ctx, append([]domain.Point{t.At}, domain.Each(t.Stops, func(stop Stop) domain.Point { return stop.At })...))
	if err != nil || road == nil {
		return ""
	}
	return road.Polyline
}

func shownStop(o *domain.Order, s Stop) domain.RouteStop {
	out := domain.RouteStop{OrderID: s.OrderID, Kind: s.Kind, Location: &s.At, Address: o.Dropoff.Address}
	if s.Kind == domain.StopPickup {
		out.Address = o.Pickup.Address
	}
	var w domain.Window
	if !s.Earliest.IsZero() {
		w.From = &s.Earliest
	}
	if !s.Latest.IsZero() {
		w.To = &s.Latest
	}
	if w != (domain.Window{}) {
		out.Window = &w
	}
	return out
}

// SetRoute sets the order of a courier's stops, whose route must have the expected version;
// zero expects nothing. It fails with courier_not_found, version_conflict, and with
// validation_failed for stops that are not the courier's or a drop-off before its pick-up.
func (s *Service) SetRoute(ctx context.Context, courierID string, in RouteOrder, expected int64) (*domain.Route, error) {
	if err := in.Check(); err != nil {
		return nil, err
	}
	now, err := s.Route(ctx, courierID)
	if err != nil {
		return nil, err
	}
	if expected != 0 && now.Version != expected {
		return nil, s.moved(ctx, now.CourierID, expected)
	}
	if err := in.fits(now); err != nil {
		return nil, err
	}
	err = s.keep(ctx, documentRoute, now.CourierID, now.Version, in)
	if domain.CodeOf(err) == domain.CodeVersionConflict && expected == 0 {
		return s.SetRoute(ctx, courierID, in, 0) // somebody else was faster; the last one wins
	}
	if err != nil {
		return nil, err
	}
	s.tours.remember(now.CourierID, setRoute{in, now.Version})
	s.Orders.CourierChanged(now.CourierID)
	return s.route(ctx, now.CourierID)
}

// moved returns the version_conflict of a courier's route, whose first version is the planned one.
func (s *Service) moved(ctx context.Context, courierID string, expected int64) error {
	caller, err := domain.CallerFrom(ctx)
	if err != nil {
		return err
	}
	doc, err := s.Store.Document(ctx, documentRoute, courierID)
	if err != nil {
		return err
	}
	d := domain.Or(doc, domain.Document{})
	return d.Moved(d.Version+1, expected-1, d.UpdatedAt, caller)
}

// fits fails if the order does not suit the route.
func (r RouteOrder) fits(now *domain.Route) error {
	var f domain.Faults
	for i, ref := range r.Stops {
		has := func(stop domain.RouteStop) bool { return !stop.Done && ref == StopRef{stop.OrderID, stop.Kind} }
		up := StopRef{ref.OrderID, domain.StopPickup}
		waits := func(stop domain.RouteStop) bool { return !stop.Done && up == StopRef{stop.OrderID, stop.Kind} }
		switch {
		case !slices.ContainsFunc(now.Stops, has):
			f.Add("/stops/"+strconv.Itoa(i), "unknown_stop", "the courier has no such stop before him")
		case ref.Kind == domain.StopDropoff && slices.ContainsFunc(now.Stops, waits) && !slices.Contains(r.Stops[:i], up):
			f.Add("/stops/"+strconv.Itoa(i), "conflict", "a drop-off must come after the pick-up of its order")
		}
	}
	return f.Err()
}

// keep stores a document as the successor of a version.
func (s *Service) keep(ctx context.Context, kind, id string, version int64, v any) error {
	actor, err := domain.ActorFrom(ctx)
	if err != nil {
		return err
	}
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.Store.ChangeAccess(ctx, domain.AccessChange{Document: &domain.Document{
		Kind: kind, ID: id, Version: version, Data: data, UpdatedAt: domain.Timestamp(s.Clock.Now()), Trail: domain.Trail{ChangedBy: actor},
	}})
}

// document reads a document, if there is one, and returns its version.
func (s *Service) document(ctx context.Context, kind, id string, into any) (version int64, err error) {
	stored, err := s.Store.Document(ctx, kind, id)
	if err != nil || stored == nil {
		return 0, err
	}
	return stored.Version, json.Unmarshal(stored.Data, into)
}

// documents returns all documents of a kind, by id.
func documents[T any](ctx context.Context, store domain.Store, kind string, read func(*T, domain.Document)) (map[string]*T, error) {
	const page = 500
	out := map[string]*T{}
	for after := ""; ; {
		stored, err := store.Documents(ctx, kind, after, page)
		if err != nil {
			return nil, err
		}
		for _, d := range stored {
			one := new(T)
			if err := json.Unmarshal(d.Data, one); err != nil {
				return nil, err
			}
			if read != nil {
				read(one, d)
			}
			out[d.ID], after = one, d.ID
		}
		if len(stored) < page {
			return out, nil
		}
	}
}
