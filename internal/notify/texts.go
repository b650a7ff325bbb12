package notify

import "github.com/order-tracking/order-tracking/internal/domain"

// Text is a message in one language. Lines whose variables are all empty are omitted.
type Text struct {
	Subject string `json:"subject,omitempty" maxLength:"200"`
	Text    string `json:"text" minLength:"1" maxLength:"2000"`
}

// The names of the built-in texts.
const (
	textStatus        = "status"
	textAccepted      = "accepted"
	textOnItsWay      = "on_its_way"
	textNear          = "near"
	textAtTheDoor     = "at_the_door"
	textDelivered     = "delivered"
	textFailedAttempt = "failed_attempt"
	textReady         = "ready_for_pickup"
	textLate          = "late"
	textCancelled     = "cancelled"
)

// aliases are the names that texts had before.
var aliases = map[string]string{"arriving": textNear, "delayed": textLate}

// texts are the built-in texts by name and language.
var texts = map[string]map[string]Text{
	textStatus: {
		"en": {"Order {{number}}: {{status}}", "Your order {{number}}: {{status}}.\n{{link}}"},
		"ru": {"Заказ {{number}}: {{status}}", "Ваш заказ {{number}}: {{status}}.\n{{link}}"},
	},
	textAccepted: {
		"en": {"We have your order {{number}}", "Hello {{name}}, we have your order {{number}}.\nExpected: {{window}}.\nFollow it here: {{link}}"},
		"ru": {"Заказ {{number}} принят", "{{name}}, мы приняли ваш заказ {{number}}.\nДоставим {{window}}.\nСледить за заказом: {{link}}"},
	},
	textOnItsWay: {
		"en": {"Your order {{number}} is on its way", "Your order {{number}} is on its way.\nExpected: {{window}}.\nPIN for the courier: {{pin}}.\nSee where it is: {{link}}"},
		"ru": {"Заказ {{number}} в пути", "Ваш заказ {{number}} уже в пути.\nДоставим {{window}}.\nPIN-код для курьера: {{pin}}.\nГде он сейчас: {{link}}"},
	},
	textNear: {
		"en": {"The courier is almost there", "The courier with your order {{number}} is almost there.\n{{link}}"},
		"ru": {"Курьер почти на месте", "Курьер с вашим заказом {{number}} почти на месте.\n{{link}}"},
	},
	textAtTheDoor: {
		"en": {"The courier is at your door", "The courier with your order {{number}} is at your door.\nPIN for the courier: {{pin}}."},
		"ru": {"Курьер у вашей двери", "Курьер с вашим заказом {{number}} у вашей двери.\nPIN-код для курьера: {{pin}}."},
	},
	textDelivered: {
		"en": {"Your order {{number}} was delivered", "Your order {{number}} was delivered. Enjoy it!\nDetails, and how you liked it: {{link}}"},
		"ru": {"Заказ {{number}} доставлен", "Ваш заказ {{number}} доставлен. Спасибо!\nПодробности и оценка: {{link}}"},
	},
	textFailedAttempt: {
		"en": {"We could not deliver your order {{number}}", "We could not deliver your order {{number}} and will try again.\nReason: {{reason}}.\n{{link}}"},
		"ru": {"Не удалось доставить заказ {{number}}", "Не удалось доставить ваш заказ {{number}}, попробуем ещё раз.\nПричина: {{reason}}.\n{{link}}"},
	},
	textReady: {
		"en": {"Your order {{number}} is ready for pick-up", "Your order {{number}} waits for you: {{office}}.\nOpen: {{hours}}.\nKept until {{until}}.\nPick-up code: {{code}}.\n{{link}}"},
		"ru": {"Заказ {{number}} можно забрать", "Ваш заказ {{number}} ждёт вас: {{office}}.\nЧасы работы: {{hours}}.\nХранится до {{until}}.\nКод получения: {{code}}.\n{{link}}"},
	},
	textLate: {
		"en": {"Your order {{number}} is running late", "Your order {{number}} is running late. We are sorry.\nNow expected: {{window}}.\n{{link}}"},
		"ru": {"Заказ {{number}} задерживается", "Ваш заказ {{number}} задерживается. Приносим извинения.\nТеперь ждём его {{window}}.\n{{link}}"},
	},
	textCancelled: {
		"en": {"Your order {{number}} was cancelled", "Your order {{number}} was cancelled.\nReason: {{reason}}."},
		"ru": {"Заказ {{number}} отменён", "Ваш заказ {{number}} отменён.\nПричина: {{reason}}."},
	},
}

// textOf is the name of the built-in text about an event.
func textOf(t domain.EventType, s domain.Status) string {
	switch t {
	case domain.EventCreated:
		return textAccepted
	case domain.EventCourierNear:
		return textNear
	case domain.EventOrderLate:
		return textLate
	case domain.EventStatusChanged:
		switch s {
		case domain.StatusInTransit, domain.StatusOutForDelivery:
			return textOnItsWay
		case domain.StatusAtDropoff:
			return textAtTheDoor
		case domain.StatusDelivered:
			return textDelivered
		case domain.StatusDeliveryFailed:
			return textFailedAttempt
		case domain.StatusReadyForPickup:
			return textReady
		case domain.StatusCancelled:
			return textCancelled
		}
	}
	return textStatus
}

// timely reports whether a text still holds for an order: nothing is sent that contradicts
// what happened since.
func timely(text string, o *domain.Order) bool {
	switch text {
	case textAccepted:
		return o.Active()
	case textOnItsWay, textNear:
		return o.Status == domain.StatusPickedUp || o.Status == domain.StatusInTransit || o.Status == domain.StatusOutForDelivery
	case textAtTheDoor:
		return o.Status == domain.StatusAtDropoff
	case textDelivered:
		return o.Status == domain.StatusDelivered && !retracted(o)
	case textFailedAttempt:
		return o.Status == domain.StatusDeliveryFailed
	case textReady:
		return o.Status == domain.StatusReadyForPickup
	case textLate:
		return o.Active() && o.Status != domain.StatusAtDropoff && o.Status != domain.StatusReadyForPickup
	case textCancelled:
		return o.Status == domain.StatusCancelled
	}
	return true
}

// retracted reports whether the delivery company took back that the order was delivered.
func retracted(o *domain.Order) bool {
	return o.Exception != nil && o.Exception.Code == domain.ExceptionRetracted
}

// retractedTexts are what then stands in place of the status.
var retractedTexts = map[string]string{"en": "we are checking whether it was delivered", "ru": "проверяем, доставлен ли он"}

// statusTexts describes each status in words.
var statusTexts = map[string]map[domain.Status]string{
	"en": {
		domain.StatusCreated: "received", domain.StatusConfirmed: "confirmed",
		domain.StatusAssigned: "a courier was assigned", domain.StatusAtPickup: "the courier is picking it up",
		domain.StatusPickedUp: "handed to the courier", domain.StatusInTransit: "on its way",
		domain.StatusOutForDelivery: "out for delivery", domain.StatusAtDropoff: "the courier is at your door",
		domain.StatusReadyForPickup: "ready for you to pick up", domain.StatusDeliveryFailed: "could not be delivered, we will try again",
		domain.StatusReturning: "going back to the sender", domain.StatusDelivered: "delivered",
		domain.StatusReturned: "returned to the sender", domain.StatusCancelled: "cancelled",
		domain.StatusFailed: "will not be delivered",
	},
	"ru": {
		domain.StatusCreated: "принят", domain.StatusConfirmed: "подтверждён",
		domain.StatusAssigned: "назначен курьер", domain.StatusAtPickup: "курьер забирает заказ",
		domain.StatusPickedUp: "передан курьеру", domain.StatusInTransit: "в пути",
		domain.StatusOutForDelivery: "доставляется", domain.StatusAtDropoff: "курьер у вашей двери",
		domain.StatusReadyForPickup: "ждёт вас в пункте выдачи", domain.StatusDeliveryFailed: "доставить не удалось, попробуем ещё раз",
		domain.StatusReturning: "возвращается отправителю", domain.StatusDelivered: "доставлен",
		domain.StatusReturned: "возвращён отправителю", domain.StatusCancelled: "отменён",
		domain.StatusFailed: "не будет доставлен",
	},
}
