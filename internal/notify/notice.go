package notify

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// typeNotice is the type of messages to merchants: a webhook of theirs was disabled. They are deliveries of no order, in whose
// place is the webhook, so that they survive what the others do.
const typeNotice domain.EventType = "webhook.disabled"

// notices are the messages to its merchant about a webhook that is being disabled: one, if there is a way to send it.
func (s *Service) notices(e *endpoint) []domain.Delivery {
	if s.channels[channelEmail] == nil || s.Profile(e.MerchantID).Email == "" {
		return nil
	}
	at := e.Disabled.At
	return []domain.Delivery{{
		Receiver: channelEmail, OrderID: e.id, Seq: e.version + 1, EventID: domain.NewID(), Type: typeNotice,
		Template: e.Disabled.Reason, State: domain.DeliveryWaiting, DueAt: at,
	}}
}

// sendNotice makes one try to tell a merchant that a webhook was disabled.
func (s *Service) sendNotice(ctx context.Context, c *Channel, d *domain.Delivery) Outcome {
	doc, err := s.Store.Document(ctx, domain.DocumentWebhook, d.OrderID) // what is in memory may be older than the notice
	if err != nil || doc == nil {
		return orSkipped(err, "the webhook was deleted meanwhile")
	}
	e, err := endpointOf(doc)
	if err != nil || e.Disabled == nil {
		return orSkipped(err, "the webhook was turned on meanwhile")
	}
	p := s.Profile(e.MerchantID)
	if p.Email == "" {
		return skipped("the merchant has no e-mail address")
	}
	lang := language(p.Locale)
	v := map[string]string{"webhook": e.name(), "days": strconv.Itoa(int(s.Config.Keep / (24 * time.Hour)))}
	m := Message{ID: d.EventID, To: p.Email, Merchant: p.Name, Lang: lang}
	if s.Config.PublicURL != "" {
		m.Link = s.Config.PublicURL + "/?view=settings&tab=webhooks&id=" + e.id
		v["link"] = m.Link
	}
	text := noticeTexts[d.Template][lang]
	m.Subject, m.Text = fill(text.Subject, v), fill(text.Text, v)
	return c.Send(ctx, m)
}

// name is what people call the webhook; its whole address may hold a secret.
func (e *endpoint) name() string {
	host := e.URL
	if u, err := url.Parse(e.URL); err == nil {
		host = u.Host
	}
	if e.Description == "" {
		return host
	}
	return e.Description + " (" + host + ")"
}

// noticeTexts tell merchants why a webhook of theirs was disabled, by reason and language.
var noticeTexts = map[string]map[string]Text{
	"gone": {
		"en": {"Your webhook {{webhook}} was turned off", "Your webhook {{webhook}} was turned off, because it answered that it is gone for good (410).\nWhat happens to your orders meanwhile is kept for {{days}} days. Turn it on again and ask for a replay to get it.\n{{link}}"},
		"ru": {"Вебхук {{webhook}} отключён", "Ваш вебхук {{webhook}} отключён: он ответил, что такого адреса больше нет (410).\nСобытия по заказам хранятся {{days}} дней. Чтобы получить их, включите вебхук и запросите повтор.\n{{link}}"},
	},
	"failing": {
		"en": {"Your webhook {{webhook}} was turned off", "Your webhook {{webhook}} was turned off, because every call to it has failed for days.\nWhat happens to your orders meanwhile is kept for {{days}} days. When it works again, turn it on and ask for a replay to get it.\n{{link}}"},
		"ru": {"Вебхук {{webhook}} отключён", "Ваш вебхук {{webhook}} отключён: уже несколько дней все обращения к нему заканчиваются ошибкой.\nСобытия по заказам хранятся {{days}} дней. Когда он снова заработает, включите его и запросите повтор.\n{{link}}"},
	},
}
