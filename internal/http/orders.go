package httpserver

import (
	"bytes"
	"context"
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/orders"
	"github.com/order-tracking/order-tracking/internal/paging"
	"github.com/order-tracking/order-tracking/internal/transport"
)

// OrderPath is the path parameter of an order.
type OrderPath struct {
	ID string `path:"order_id" format:"uuid" doc:"the order's id" example:"0190b7a1-7d3c-7c1e-9f3a-2b1c5d6e7f80"`
}

// check validates the id.
func (p OrderPath) check() error {
	_, err := domain.ParseID("/order_id", p.ID)
	return err
}

func (p OrderPath) named() (string, error) { return p.ID, p.check() }

// orderOut is an order as a response.
type orderOut struct {
	ETag string `header:"ETag" doc:"the order's version, for If-Match and If-None-Match"`
	Body *domain.Order
}

type createdOut struct {
	ETag     string `header:"ETag" doc:"the order's version, for If-Match and If-None-Match"`
	Location string `header:"Location" doc:"URL of the order"`
	Replayed string `header:"Idempotent-Replayed" doc:"true if this is the stored response to an earlier request with the same key"`
	Body     *domain.Order
}

// orderRoutes registers the operations on orders: what staff, files and customers do.
func (s *Server) orderRoutes() {
	plain[postIn[domain.Draft], createdOut](s, "createOrder", s.guarded(s.createOrder))
	plain[OrderPath, orderOut](s, "getOrder", s.guarded(s.getOrder))
	handle(s, "listOrders", s.listOrders)
	handle(s, "countOrders", func(ctx context.Context, in *struct{ OrderFilters }) (*bodyOnly[domain.OrderCounts], error) {
		return bodyOf(s.Orders.Counts(ctx, in.filter()))
	})
	handle(s, "editOrder", changing[editOrderIn](s.Orders.CheckEdit, s.orderVersion, changedOrder, s.Orders.Edit))
	handle(s, "cancelOrder", s.cancelling())
	handle(s, "updateOrderStatus", changing[timedChangeIn](s.Orders.CheckStatus, s.orderVersion, changedOrder, s.Orders.UpdateStatus))
	handle(s, "assignCourier", changing[changeIn[orders.Assignment]](unchecked[orders.Assignment], s.orderVersion, changedOrder, s.Orders.Assign))
	handle(s, "notifyCustomer", onOrder(s.Orders.CheckNotice, repeated, s.Orders.Notify))
	plain[struct{}, struct{}](s, "importOrders", s.guarded(s.importOrders))
	handle(s, "exportOrders", s.exportOrders)
	handle(s, "instructCourier", onOrder(domain.Checked[domain.Instructions], changedOrder, s.Orders.Instruct))
	handle(s, "rateOrder", onOrder(domain.Checked[domain.Rating], changedOrder, s.Orders.Rate))
}

type editOrderIn struct {
	ChangeIn
	Patch[domain.Edit]
}

// timedChangeIn is a change that may be told long after it.
type timedChangeIn struct {
	ChangeIn
	DeviceTime
	Sent[orders.StatusChange]
}

// createOrder is the most frequent change and optimized for that.
func (s *Server) createOrder(ctx context.Context, c *gin.Context) error {
	if err := onlyQuery(c.Request.URL); err != nil {
		return err
	}
	body, err := readJSON(c)
	if err != nil {
		return err
	}
	draft, err := request(body, nil, s.Orders.CheckDraft)
	if err != nil {
		return err
	}
	key := Idempotent{c.Request.Header.Get("Idempotency-Key")}
	o, again, err := once(ctx, key, func(ctx context.Context) (*domain.Order, error) {
		return s.Orders.Create(ctx, draft)
	})
	if err != nil {
		return err
	}
	h := c.Writer.Header()
	h["Location"] = []string{"/order/" + o.ID}
	if again != "" {
		h["Idempotent-Replayed"] = []string{again}
	}
	return sendOrder(c, http.StatusCreated, o)
}

// sendOrder responds with an order.
func sendOrder(c *gin.Context, status int, o *domain.Order) error {
	body, err := o.Freeze()
	if err != nil {
		return err
	}
	h := c.Writer.Header()
	h["Etag"] = []string{transport.ETag(o.Version)}
	h["Content-Type"] = jsonHeader
	if len(body) > 2000 { // net/http sets Content-Length on shorter ones
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	c.Status(status)
	_, _ = c.Writer.Write(body) // a client that disconnected needs no response
	return nil
}

// getOrder is the hottest read and optimized for that.
func (s *Server) getOrder(ctx context.Context, c *gin.Context) error {
	if err := onlyQuery(c.Request.URL, "token"); err != nil {
		return err
	}
	o, err := s.Orders.Get(ctx, c.Param("order_id"))
	if err != nil {
		return err
	}
	if tag := transport.ETag(o.Version); transport.Unchanged(c.Request.Header.Get("If-None-Match"), tag) {
		c.Writer.Header()["Etag"] = []string{tag}
		c.Status(http.StatusNotModified)
		return nil
	}
	return sendOrder(c, http.StatusOK, o)
}

var jsonHeader = []string{jsonType}

// Paging holds the paging parameters of all lists.
type Paging struct {
	Size  optional[int] `query:"page_size" doc:"maximum number; default 50" minimum:"1" maximum:"500"`
	Token string        `query:"page_token" doc:"next_page_token of the previous page; the filters must be the same" maxLength:"1024"`
}

func (p Paging) request() paging.Request {
	return paging.Request{Size: p.Size.ptr(), Token: p.Token}
}

// orderPage is a page of orders.
type orderPage struct {
	Orders []*domain.Order `json:"orders"`
	Next   string          `json:"next_page_token,omitempty"`
}

// encode joins the orders, which are already encoded.
func (p *orderPage) encode() ([]byte, error) {
	out := []byte(`{"orders":[`)
	for i, o := range p.Orders {
		b, err := o.Freeze()
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, b...)
	}
	out = append(out, ']')
	if p.Next != "" {
		token, err := json.Marshal(p.Next)
		if err != nil {
			return nil, err
		}
		out = append(append(out, `,"next_page_token":`...), token...)
	}
	return append(out, '}'), nil
}

// OrderFilters filter lists and exports of orders.
type OrderFilters struct {
	Status        []domain.Status `query:"status,explode" doc:"may be repeated: orders with any of these statuses"`
	CourierID     string          `query:"courier_id" format:"uuid" doc:"assigned to this courier"`
	MerchantID    string          `query:"merchant_id" maxLength:"128" doc:"of this merchant"`
	ExternalID    string          `query:"external_id" maxLength:"128" doc:"the shop's own number"`
	CustomerPhone string          `query:"customer_phone" maxLength:"40" doc:"the customer's phone number" example:"+79161234567"`
	Search        string          `query:"q" maxLength:"200" doc:"words that are each part of the number, the external id, the customer's name or phone, or an address; those of one or two characters are beginnings; case, е or ё and separators make no difference"`
	CreatedFrom   Moment          `query:"created_from" doc:"created at or after this time (RFC 3339)"`
	CreatedTo     Moment          `query:"created_to" doc:"created before this time (RFC 3339)"`
	Active        optional[bool]  `query:"active" doc:"true: only unfinished orders; false: only finished ones"`
	Exception     string          `query:"exception" maxLength:"128" doc:"with an exception of this code; true: with any exception" example:"wrong_address"`
	Late          optional[bool]  `query:"late" doc:"true: only unfinished orders whose promise has passed or may well be broken, as the window of the estimate ends after it; false: only others"`
	Incident      optional[bool]  `query:"incident" doc:"true: only orders with an open incident; false: only others; not for partners, who see no incidents"`
	PromisedFrom  Moment          `query:"promised_from" doc:"promised for this time or later (RFC 3339)"`
	PromisedTo    Moment          `query:"promised_to" doc:"promised for before this time (RFC 3339)"`
}

func (f OrderFilters) filter() domain.OrderFilter {
	return domain.OrderFilter{
		Statuses: f.Status, CourierID: f.CourierID, MerchantID: f.MerchantID, ExternalID: f.ExternalID,
		CustomerPhone: f.CustomerPhone, Search: f.Search, CreatedFrom: f.CreatedFrom.Time, CreatedTo: f.CreatedTo.Time,
		Active: f.Active.ptr(), Exception: f.Exception, Late: f.Late.ptr(), Incident: f.Incident.ptr(), PromisedFrom: f.PromisedFrom.Time, PromisedTo: f.PromisedTo.Time,
	}
}

type listOrdersIn struct {
	OrderFilters
	Paging
}

func (s *Server) listOrders(ctx context.Context, in *listOrdersIn) (*bodyOnly[*orderPage], error) {
	orders, next, err := s.Orders.List(ctx, in.filter(), in.request())
	return bodyOf(&orderPage{Orders: orders, Next: next}, err)
}

// cutNulls removes the null members of a T from an object and returns their names in order.
func cutNulls[T any](body []byte) (names []string, rest []byte) {
	var members map[string]jsontext.Value
	if !bytes.Contains(body, []byte("null")) || json.Unmarshal(body, &members) != nil || members == nil {
		return nil, body
	}
	known := fieldsOf(reflect.TypeFor[T]())
	for name, value := range members {
		if _, ok := known[name]; ok && value.Kind() == 'n' {
			names = append(names, name)
			delete(members, name)
		}
	}
	slices.Sort(names)
	rest, _ = json.Marshal(members) // it was parsed from JSON
	return names, rest
}

// cancellation is the reason for cancelling an order.
type cancellation struct {
	Reason string `json:"reason,omitempty" maxLength:"2000" example:"ordered twice"`
}

// cancelling makes the handler that cancels an order.
func (s *Server) cancelling() func(context.Context, *changeIn[cancellation]) (*changedOut, error) {
	return changing[changeIn[cancellation]](func(c cancellation) error {
		return s.Orders.CheckStatus(orders.StatusChange{Status: domain.StatusCancelled, Reason: c.Reason})
	}, s.orderVersion, changedOrder, func(ctx context.Context, id string, c cancellation, expected int64) (*domain.Order, error) {
		return s.Orders.Cancel(ctx, id, c.Reason, expected)
	})
}

type changedOut struct {
	ETag     string `header:"ETag" doc:"the order's version, for If-Match and If-None-Match"`
	Replayed string `header:"Idempotent-Replayed" doc:"true if this is the stored response to an earlier request with the same key"`
	Body     *domain.Order
}

// changedOrder responds with a changed order, or with the result stored for the same key.
func changedOrder(o *domain.Order, again string, err error) (*changedOut, error) {
	if err != nil {
		return nil, err
	}
	return &changedOut{ETag: transport.ETag(o.Version), Replayed: again, Body: o}, nil
}
