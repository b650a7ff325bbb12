package orders

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// templateStatus is the template about the order's status.
const templateStatus = "status"

// templates holds the texts by template and language; {number} and {status} are filled in.
// English is the fallback for other languages.
var templates = map[string]map[string]string{
	templateStatus: {
		"en": "Your order {number}: {status}.",
		"ru": "Ваш заказ {number}: {status}.",
	},
	"delayed": {
		"en": "Your order {number} is running late. We are sorry and keep you informed.",
		"ru": "Ваш заказ {number} задерживается. Приносим извинения и будем держать вас в курсе.",
	},
	"arriving": {
		"en": "The courier with your order {number} is almost there.",
		"ru": "Курьер с вашим заказом {number} почти на месте.",
	},
}

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

// Templates returns the names of the notice templates.
func Templates() []string { return slices.Sorted(maps.Keys(templates)) }

func (n Notice) template() string { return cmp.Or(n.Template, templateStatus) }

// render formats the notice in the customer's language.
func (n Notice) render(o *domain.Order) string {
	if n.Text != "" {
		return n.Text
	}
	lang, _, _ := strings.Cut(strings.ToLower(o.Customer.Locale), "-")
	if _, ok := statusTexts[lang]; !ok {
		lang = "en"
	}
	text := strings.NewReplacer("{number}", o.Number, "{status}", statusTexts[lang][o.Status]).
		Replace(templates[n.template()][lang])
	if o.Shipment != nil && o.Shipment.Pickup != nil && o.Status == domain.StatusReadyForPickup {
		text += pickup(o.Shipment.Pickup, lang)
	}
	return text
}

// pickupTexts are the texts for the storage deadline of a parcel, and their date formats.
var pickupTexts = map[string][2]string{"en": {"Kept until", "2 January"}, "ru": {"Хранится до", "02.01"}}

// pickup describes where, when and until which day to fetch a parcel.
func pickup(p *domain.PickupPoint, lang string) string {
	var facts []string
	for _, fact := range []string{cmp.Or(p.Address, p.Name, p.Code), p.Hours, p.Notes} {
		if fact != "" {
			facts = append(facts, fact)
		}
	}
	text := " " + strings.Join(facts, ", ") + "."
	if p.KeptUntil != nil {
		text += " " + pickupTexts[lang][0] + " " + p.KeptUntil.Format(pickupTexts[lang][1]) + "."
	}
	return text
}
