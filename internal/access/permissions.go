package access

import "github.com/order-tracking/order-tracking/internal/domain"

// roles is a bit set of roles.
type roles uint16

const (
	admin roles = 1 << iota
	dispatcher
	merchant
	courier
	partner
	monitor
	customer

	staff    = admin | dispatcher
	everyone = staff | merchant | courier | partner | monitor | customer
)

// bits are the roles' bits.
var bits = map[domain.Role]roles{
	domain.RoleAdmin: admin, domain.RoleDispatcher: dispatcher, domain.RoleMerchant: merchant, domain.RoleCourier: courier,
	domain.RolePartner: partner, domain.RoleMonitor: monitor, domain.RoleCustomer: customer,
}

// Object is the kind of object that an operation acts on; it determines the ownership check.
type Object string

// The kinds of objects. An order belongs to its merchant, its courier and anyone with a link to it; staff own everything.
const (
	Nothing    Object = "–"
	AnOrder    Object = "an order"
	SomeOrders Object = "orders"
	ACourier   Object = "a courier"
	AnOffer    Object = "an offer"
	AMerchant  Object = "a merchant"
	AWebhook   Object = "a webhook"
	// TheMerchant is a merchant identified by its id.
	TheMerchant Object = "the merchant"
	// Customers are those with orders of the caller: operations on them are audited.
	Customers Object = "customers"
	// TheHouse is the installation itself: operations on it are audited, with the caller's address.
	TheHouse Object = "the installation"
)

// Operation is a row of the permission table: the roles that may perform it on their own objects.
type Operation struct {
	// ID is the operationId of the OpenAPI document.
	ID string
	// RPC is the equivalent gRPC method, or "".
	RPC    string
	Object Object
	// Open means that no credential is needed, or that the address contains one.
	Open  bool
	roles roles
}

// Allows reports whether the role may perform it on its own objects. It does not allocate.
func (o *Operation) Allows(r domain.Role) bool { return o.Open || o.roles&bits[r] != 0 }

// Audited reports whether calls are recorded in the audit log, with the caller's address.
func (o *Operation) Audited() bool {
	return o.Object == TheHouse || o.Object == TheMerchant || o.Object == Customers
}

// Shared reports whether a share link permits it.
func (o *Operation) Shared() bool { return o.roles&customer != 0 }

// table is the only list of permissions. Operations missing from it are forbidden.
var table = []Operation{
	{ID: "createOrder", RPC: "CreateOrder", Object: AMerchant, roles: staff | merchant},
	{RPC: "CreateOrders", Object: AMerchant, roles: staff | merchant},
	{ID: "getOrder", RPC: "GetOrder", Object: AnOrder, roles: everyone &^ monitor},
	{ID: "listOrders", RPC: "GetOrders", Object: SomeOrders, roles: staff | merchant | partner},
	{ID: "countOrders", Object: SomeOrders, roles: staff | merchant | partner},
	{ID: "editOrder", RPC: "EditOrder", Object: AnOrder, roles: staff | merchant},
	{ID: "cancelOrder", RPC: "CancelOrder", Object: AnOrder, roles: staff | merchant},
	{ID: "updateOrderStatus", RPC: "UpdateOrderStatus", Object: AnOrder, roles: staff | merchant | courier},
	{ID: "assignCourier", RPC: "AssignCourier", Object: AnOrder, roles: staff},
	{ID: "notifyCustomer", RPC: "NotifyCustomer", Object: AnOrder, roles: staff | merchant},
	{ID: "instructCourier", Object: AnOrder, roles: staff | merchant | customer},
	{ID: "rateOrder", Object: AnOrder, roles: admin | customer},
	{ID: "addProof", Object: AnOrder, roles: staff | courier},
	{ID: "listProofs", Object: AnOrder, roles: staff | merchant | courier | customer},
	{ID: "getProofImage", Object: AnOrder, roles: staff | merchant | courier | customer},
	{ID: "openIncident", Object: AnOrder, roles: staff | merchant | courier},
	{ID: "listIncidents", Object: AnOrder, roles: staff | merchant | courier},
	{ID: "getIncidentPhoto", Object: AnOrder, roles: staff | merchant | courier},
	{ID: "closeIncident", Object: AnOrder, roles: staff | courier}, // couriers their own ones
	{ID: "searchPlaces", Object: Nothing, roles: staff | merchant},
	{ID: "importOrders", Object: AMerchant, roles: staff | merchant},
	{ID: "exportOrders", Object: SomeOrders, roles: staff | merchant},

	{ID: "reportEstimates", Object: SomeOrders, roles: staff | merchant},
	{ID: "reportDeliveries", Object: SomeOrders, roles: staff | merchant},

	{ID: "getOrderStatus", RPC: "GetOrderStatus", Object: AnOrder, roles: everyone &^ monitor},
	{ID: "getOrderEvents", RPC: "ListEvents", Object: AnOrder, roles: everyone &^ monitor},
	{ID: "trackOrder", RPC: "TrackOrder", Object: AnOrder, roles: everyone &^ monitor},
	{ID: "estimateDelivery", RPC: "EstimateDelivery", Object: AnOrder, roles: everyone &^ monitor},

	{ID: "watchOrder", RPC: "WatchOrder", Object: AnOrder, roles: everyone &^ monitor},
	{ID: "streamOrder", Object: AnOrder, roles: everyone &^ monitor},
	{ID: "watchMany", Object: Nothing, roles: staff | merchant | courier | partner},
	{ID: "createTicket", Object: Nothing, roles: everyone &^ monitor},

	{ID: "bookShipment", RPC: "BookShipment", Object: AnOrder, roles: staff | merchant},
	{ID: "getShipment", RPC: "GetShipment", Object: AnOrder, roles: staff | merchant | partner},
	{ID: "getShipmentLabel", Object: AnOrder, roles: staff | merchant},
	{ID: "getShipmentLabels", RPC: "GetShipmentLabels", Object: Nothing, roles: staff | merchant}, // checked again for each order
	{ID: "refuseShipment", RPC: "RefuseShipment", Object: AnOrder, roles: staff | merchant},
	{ID: "editShipment", RPC: "EditShipment", Object: AnOrder, roles: staff | merchant},
	{ID: "bookIntake", RPC: "BookIntake", Object: AnOrder, roles: staff | merchant},
	{ID: "cancelIntake", RPC: "CancelIntake", Object: AnOrder, roles: staff | merchant},
	{ID: "returnShipment", RPC: "ReturnShipment", Object: AnOrder, roles: staff | merchant},
	{ID: "listDeliveryIntervals", RPC: "ListDeliveryIntervals", Object: AnOrder, roles: staff | merchant},
	{ID: "agreeDelivery", RPC: "AgreeDelivery", Object: AnOrder, roles: staff | merchant},
	{ID: "resolveShipment", RPC: "ResolveShipment", Object: AnOrder, roles: staff | merchant},
	{ID: "quoteShipment", RPC: "QuoteShipment", Object: Nothing, roles: staff | merchant},
	{ID: "listPoints", RPC: "ListPoints", Object: Nothing, roles: staff | merchant},

	{ID: "createCourier", RPC: "CreateCourier", Object: Nothing, roles: staff},
	{ID: "listCouriers", RPC: "ListCouriers", Object: Nothing, roles: staff},
	{ID: "nearCouriers", RPC: "NearCouriers", Object: Nothing, roles: staff},
	{ID: "getCourier", RPC: "GetCourier", Object: ACourier, roles: staff | courier},
	{ID: "editCourier", RPC: "EditCourier", Object: ACourier, roles: staff | courier}, // a courier: on_duty and on_break only
	{ID: "listCourierOrders", RPC: "ListCourierOrders", Object: ACourier, roles: staff | courier},
	{ID: "reportLocation", RPC: "ReportLocations", Object: ACourier, roles: staff | courier},
	{ID: "getCourierLocation", RPC: "GetCourierLocation", Object: ACourier, roles: staff | courier},
	{ID: "trackCourier", Object: ACourier, roles: staff | courier},
	{ID: "onboardCourier", Object: ACourier, roles: staff | courier},
	{ID: "listPhones", Object: ACourier, roles: staff},
	{ID: "revokePhones", Object: ACourier, roles: staff},
	{ID: "revokePhone", Object: ACourier, roles: staff},

	{ID: "createShare", Object: AnOrder, roles: staff | merchant},
	{ID: "listShares", Object: AnOrder, roles: staff | merchant},
	{ID: "revokeShare", Object: AnOrder, roles: staff | merchant},

	{ID: "planDispatch", RPC: "PlanDispatch", Object: Nothing, roles: staff},
	{ID: "runDispatch", RPC: "RunDispatch", Object: Nothing, roles: staff},
	{ID: "offerOrder", RPC: "OfferOrder", Object: AnOrder, roles: staff},
	{ID: "listOffers", RPC: "ListOffers", Object: ACourier, roles: staff | courier},
	{ID: "acceptOffer", RPC: "AcceptOffer", Object: AnOffer, roles: staff | courier},
	{ID: "declineOffer", RPC: "DeclineOffer", Object: AnOffer, roles: staff | courier},
	{ID: "getRoute", RPC: "GetRoute", Object: ACourier, roles: staff | courier},
	{ID: "setRoute", RPC: "SetRoute", Object: ACourier, roles: staff | courier},
	{ID: "getShifts", Object: ACourier, roles: staff | courier},
	{ID: "setShifts", Object: ACourier, roles: staff},

	{ID: "createKey", Object: TheHouse, roles: admin},
	{ID: "listKeys", Object: TheHouse, roles: admin},
	{ID: "rotateKey", Object: TheHouse, roles: admin},
	{ID: "revokeKey", Object: TheHouse, roles: admin},
	{ID: "listAudit", Object: TheHouse, roles: admin},
	{ID: "eraseCustomer", Object: Customers, roles: admin | merchant},
	{ID: "exportCustomer", Object: Customers, roles: admin | merchant},
	{ID: "listMerchants", Object: Nothing, roles: staff | merchant},
	{ID: "getMerchant", Object: TheMerchant, roles: staff | merchant},
	{ID: "editMerchant", Object: TheMerchant, roles: admin | merchant},
	{ID: "getSettings", Object: TheHouse, roles: admin},
	{ID: "editSettings", Object: TheHouse, roles: admin},
	{ID: "connectCustomer", Object: AnOrder, roles: staff | merchant | customer},
	{ID: "updateBot", Object: Nothing, Open: true},
	{ID: "listNotifications", Object: AnOrder, roles: staff | merchant},
	{ID: "previewNotification", Object: Nothing, roles: staff | merchant},  // checked again for the order
	{ID: "getNotificationRules", Object: Nothing, roles: staff | merchant}, // checked again for the merchant
	{ID: "putNotificationRules", Object: Nothing, roles: admin | merchant},
	{ID: "showOptOut", Object: Nothing, Open: true},
	{ID: "optOut", Object: Nothing, Open: true},
	{ID: "createWebhook", Object: AMerchant, roles: admin | merchant},
	{ID: "listWebhooks", Object: Nothing, roles: admin | merchant},
	{ID: "getWebhook", Object: AWebhook, roles: admin | merchant},
	{ID: "editWebhook", Object: AWebhook, roles: admin | merchant},
	{ID: "deleteWebhook", Object: AWebhook, roles: admin | merchant},
	{ID: "rotateWebhook", Object: AWebhook, roles: admin | merchant},
	{ID: "testWebhook", Object: AWebhook, roles: admin | merchant},
	{ID: "listDeliveries", Object: AWebhook, roles: admin | merchant},
	{ID: "retryDelivery", Object: AWebhook, roles: admin | merchant},
	{ID: "replayWebhook", Object: AWebhook, roles: admin | merchant},
	{ID: "createSession", Object: Nothing, Open: true},
	{ID: "deleteSession", Object: Nothing, Open: true},
	{ID: "beginLogin", Object: Nothing, Open: true},
	{ID: "finishLogin", Object: Nothing, Open: true},
	{ID: "getMe", Object: Nothing, roles: everyone &^ monitor},

	{ID: "metrics", Object: Nothing, roles: admin | monitor},
	{ID: "profile", Object: Nothing, roles: admin},
	{RPC: "reflection", Object: Nothing, roles: admin},

	{ID: "ingestOsmandQuery", Object: ACourier, Open: true},
	{ID: "ingestOsmand", Object: ACourier, Open: true},
	{ID: "ingestOwnTracks", Object: ACourier, Open: true},
	{ID: "receiveHook", Object: Nothing, Open: true},
	{ID: "health", Object: Nothing, Open: true},
	{ID: "readiness", Object: Nothing, Open: true},
	{ID: "openapi", Object: Nothing, Open: true},
	{ID: "asyncapi", Object: Nothing, Open: true},
}

// Table returns all operations in documentation order.
func Table() []Operation { return append([]Operation{}, table...) }

var byID, byRPC = index()

func index() (ids, rpcs map[string]*Operation) {
	ids, rpcs = map[string]*Operation{}, map[string]*Operation{}
	for i := range table {
		if o := &table[i]; o.ID != "" {
			ids[o.ID] = o
		}
		if o := &table[i]; o.RPC != "" {
			rpcs[o.RPC] = o
		}
	}
	return ids, rpcs
}

// nobody is the operation that no role may perform.
var nobody = &Operation{Object: Nothing}

// OperationOf returns the row for an operationId; an unknown one is forbidden to every role.
func OperationOf(id string) *Operation {
	if o := byID[id]; o != nil {
		return o
	}
	return nobody
}

// OperationOfRPC returns the row for a gRPC method, if there is one.
func OperationOfRPC(method string) (*Operation, bool) {
	o := byRPC[method]
	return o, o != nil
}

// Permissions lists the operation ids a role may use, in table order.
func Permissions(r domain.Role) []string {
	out := []string{}
	for _, o := range table {
		if o.ID != "" && !o.Open && o.Allows(r) {
			out = append(out, o.ID)
		}
	}
	return out
}

// Permit returns forbidden if the caller's role may not perform the operation on any object.
func Permit(c *domain.Caller, o *Operation) error {
	if o.Allows(c.Kind) {
		return nil
	}
	return errForbidden
}

var errForbidden = domain.Errorf(domain.CodeForbidden, "your role may not do this; GET /me lists what it may do")
