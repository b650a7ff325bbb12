package notify_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
	"github.com/order-tracking/order-tracking/internal/notify"
	"github.com/order-tracking/order-tracking/internal/orders"
)

func takesAll(string) string { return "" }

func with(channels ...*notify.Channel) func(*notify.Deps) {
	return func(d *notify.Deps) { d.Channels = channels }
}

// sent lists an order's messages as "channel text status error".
func (r *rig) sent(orderID string) []string {
	found, err := r.Notifications(r.ctx, orderID)
	require.NoError(r.t, err)
	out := []string{}
	for _, n := range found {
		out = append(out, strings.TrimSpace(fmt.Sprint(n.Channel, " ", n.Text, " ", n.Status, " ", n.Error)))
	}
	return out
}

func TestEmailOverTLS(t *testing.T) {
	for security, fromTheStart := range map[string]bool{"starttls": false, "tls": true} {
		t.Run(security, func(t *testing.T) {
			post := newSMTP(t, fromTheStart, takesAll)
			r := newRig(t, with(post.channel(t, security)))
			o := r.order("shop")
			r.runs()
			awaits(t, []string{"email accepted sent"}, func() []string { return r.sent(o.ID) })
			mail := post.got()[0]
			require.False(t, post.plain, "nothing goes without TLS")
			for _, want := range []string{
				"To: <anna@example.com>", "From: \"Corner Shop\" <orders@shop.example>", "Subject: We have your order " + o.Number,
				"Auto-Submitted: auto-generated", "List-Unsubscribe: <https://track.example/opt-out/", "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
				"text/plain", "text/html", "Message-ID: <", "Hello Anna", `<a href=3D"https://track.example/t/`,
				"\nUnsubscribe from these messages: https://track.example/opt-out/", `href=3D"https://track.example/opt-out/`, `">Unsubscribe from these messages</a>`,
			} {
				require.Contains(t, strings.NewReplacer("\r\n ", " ", "=\r\n", "").Replace(mail), want)
			}
		})
	}
}

func TestEmailIsNotSentUnencrypted(t *testing.T) {
	post := newSMTP(t, false, takesAll)
	c := post.channel(t, "starttls")
	post.pool.ServerName = "somebody.else" // the certificate is not the server's
	out := c.Send(t.Context(), notify.Message{To: "a@example.com", Subject: "s", Text: "t"})
	require.Error(t, out.Err)
	require.Empty(t, post.got())
}

func TestMailNamesTheWayOutInItsLanguage(t *testing.T) {
	post := newSMTP(t, false, takesAll)
	for lang, want := range map[string]string{"en": "Unsubscribe from these messages", "ru": "Больше не получать такие письма"} {
		out := post.channel(t, "starttls").Send(t.Context(), notify.Message{To: "a@example.com", Subject: "s", Text: "t", Lang: lang, OptOut: "https://x.example/o"})
		require.NoError(t, out.Err)
		all := post.got()
		mail, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(all[len(all)-1])))
		require.NoError(t, err)
		require.Contains(t, string(mail), "\n"+want+": https://x.example/o\r\n")
		require.Contains(t, string(mail), `href="https://x.example/o">`+want+`</a>`)
	}
	out := post.channel(t, "starttls").Send(t.Context(), notify.Message{To: "a@example.com", Subject: "s", Text: "t", Lang: "en"})
	require.NoError(t, out.Err)
	require.NotContains(t, strings.Join(post.got()[2:], ""), "Unsubscribe", "nothing to offer without an address")
}

func TestEmailRefusals(t *testing.T) {
	greylisted := map[string]int{}
	post := newSMTP(t, false, func(address string) string {
		switch address {
		case "unknown@example.com":
			return "550 5.1.1 no such user"
		case "full@example.com":
			return "452 4.2.2 mailbox full"
		}
		if greylisted[address]++; greylisted[address] == 1 {
			return "451 4.7.1 try again later"
		}
		return ""
	})
	r := newRig(t, with(post.channel(t, "starttls")))
	order := func(email string) string {
		o, err := r.orders.Create(r.ctx, domain.Draft{Customer: domain.Customer{Name: "A", Email: email}, Dropoff: &domain.Place{Address: "B"}})
		require.NoError(t, err)
		return o.ID
	}
	unknown, full, grey := order("unknown@example.com"), order("full@example.com"), order("grey@example.com")
	r.runs()
	state := func(id string) func() string {
		return func() string {
			parts := strings.Fields(strings.Join(r.sent(id), " "))
			return strings.Join(parts[:3], " ")
		}
	}
	awaits(t, "email accepted refused", state(unknown))
	awaits(t, true, func() bool {
		return strings.Contains(r.sent(grey)[0], "451") && strings.Contains(r.sent(full)[0], "452")
	})
	r.clock.skip(2 * time.Minute) // what is not yet tried would be tried again too late
	awaits(t, "email accepted sent", state(grey))
	awaits(t, 2, func() int {
		found, err := r.Notifications(r.ctx, full)
		require.NoError(t, err)
		return found[0].Tries
	})
	r.clock.skip(2 * time.Hour)
	awaits(t, "email accepted exhausted", state(full))
}

func TestMessagesFollowTheRules(t *testing.T) {
	var got recorder
	r := newRig(t, with(got.channel("email", false), got.channel("sms", true)))
	r.runs()
	o := r.order("")
	awaits(t, []string{"email accepted sent"}, func() []string { return r.sent(o.ID) }) // before it is cancelled
	r.moves(o.ID, domain.StatusConfirmed, domain.StatusCancelled)
	require.Equal(t, []string{"email accepted"}, got.names(o.ID))

	_, err := r.PutRules(r.ctx, "shop", notify.RulesEdit{
		Channels: map[string]notify.ChannelSetting{"sms": {Enabled: true, DailyCap: 1}, "email": {Enabled: false}},
		Rules: []domain.NotificationRule{
			{Event: domain.EventCreated, Channels: []string{"email", "sms"}, Template: "Hi {{name}}"},
			{Event: domain.EventStatusChanged, Status: domain.StatusConfirmed, Channels: []string{"live"}},
		},
	}, 0)
	require.NoError(t, err)
	a := r.order("shop")
	awaits(t, []string{"sms accepted sent"}, func() []string { return r.sent(a.ID) })
	b := r.order("shop")
	awaits(t, []string{"sms accepted skipped the daily limit of the channel is reached"}, func() []string { return r.sent(b.ID) })
	r.moves(a.ID, domain.StatusConfirmed)
	awaits(t, []string{"live status sent", "sms accepted sent"}, func() []string { s := r.sent(a.ID); return []string{s[len(s)-1], s[0]} })
	require.Equal(t, "Hi Anna", got.texts(a.ID)[0])
	events, err := r.store.Events(t.Context(), a.ID, 0)
	require.NoError(t, err)
	require.Equal(t, domain.EventNotified, events[2].Type, "live messages are in the history")
}

func TestMessagesAboutOneEventHaveIDsOfTheirOwn(t *testing.T) {
	refusals, by := map[string]int{}, map[string]string{} // by id, one after the other
	r := newRig(t, func(d *notify.Deps) { d.Config.AtOnce, d.Config.MessageTries = 1, []time.Duration{0} }, with(&notify.Channel{
		Name: "email", Address: func(o *domain.Order) string { return o.Customer.Email },
		Send: func(_ context.Context, m notify.Message) notify.Outcome {
			if refusals[m.ID]++; refusals[m.ID] == 1 {
				return notify.Outcome{Err: errors.New("later")}
			}
			by[m.ID] = m.Text
			return notify.Outcome{}
		},
	}))
	rule := domain.NotificationRule{Event: domain.EventCreated, Channels: []string{"email"}, Template: "thanks"}
	reminder := rule
	reminder.Template = "still there?"
	_, err := r.PutRules(r.ctx, "", notify.RulesEdit{Rules: []domain.NotificationRule{rule, reminder}}, 0)
	require.NoError(t, err)
	o := r.order("")
	stop := r.runs()
	awaits(t, []string{"email accepted sent", "email accepted sent"}, func() []string { return r.sent(o.ID) })
	stop()
	listed, err := r.Notifications(r.ctx, o.ID)
	require.NoError(t, err)
	require.Equal(t, map[string]string{listed[0].ID: "thanks", listed[1].ID: "still there?"}, by, "the same on every try")
}

func TestMessagesThatNoLongerHoldAreSkipped(t *testing.T) {
	var got recorder
	r := newRig(t, with(got.channel("email", false)))
	moved := domain.EventStatusChanged
	_, err := r.PutRules(r.ctx, "", notify.RulesEdit{Rules: []domain.NotificationRule{
		{Event: moved, Status: domain.StatusOutForDelivery, Channels: []string{"email"}},
		{Event: moved, Status: domain.StatusDelivered, Channels: []string{"email"}},
	}}, 0)
	require.NoError(t, err)
	o := r.order("")
	name, capacity := "Oleg", 5
	c, err := domain.NewCourier(domain.CourierEdit{Name: &name, Capacity: &capacity}, "RU", time.Now())
	require.NoError(t, err)
	require.NoError(t, r.store.CreateCourier(t.Context(), c, nil))
	_, err = r.orders.Assign(r.ctx, o.ID, orders.Assignment{CourierID: c.ID}, 0)
	require.NoError(t, err)
	r.moves(o.ID, domain.StatusPickedUp, domain.StatusOutForDelivery, domain.StatusDelivered)
	r.runs()
	awaits(t, []string{"email on_its_way skipped it no longer holds: the order is delivered", "email delivered sent"}, func() []string { return r.sent(o.ID) })
}

func TestARetractedDeliveryIsNotToldAsDelivered(t *testing.T) {
	var got recorder
	r := newRig(t, with(got.channel("email", false)))
	_, err := r.PutRules(r.ctx, "", notify.RulesEdit{Rules: []domain.NotificationRule{
		{Event: domain.EventStatusChanged, Status: domain.StatusDelivered, Channels: []string{"email"}, DelayS: 60},
		{Event: domain.EventException, Channels: []string{"email"}},
	}}, 0)
	require.NoError(t, err)
	o := r.order("")
	by := domain.By{Now: r.clock.Now(), Source: "carrier"}
	_, err = r.orders.Update(r.ctx, o.ID, "", nil, func(ch *domain.Change) error {
		ch.Add(ch.Order.Observe(domain.Report{Status: domain.StatusDelivered, Source: "carrier", OccurredAt: by.Now}, by)...)
		return nil
	})
	require.NoError(t, err)
	_, err = r.orders.Update(r.ctx, o.ID, "", nil, func(ch *domain.Change) error {
		ch.Order.Exception = &domain.Exception{Code: domain.ExceptionRetracted, Since: by.Now}
		ch.Add(ch.Order.Note(domain.EventException, by, nil))
		return nil
	})
	require.NoError(t, err)
	r.runs()
	awaits(t, []string{"Your order " + o.Number + ": we are checking whether it was delivered.\nhttps://track.example/t/" + o.Number}, func() []string { return got.texts(o.ID) })
	r.clock.skip(2 * time.Minute)
	awaits(t, "email delivered skipped it no longer holds: the order is delivered", func() string { return r.sent(o.ID)[0] })
}

func TestMessagesByHandAreOncePerKeyAndLimited(t *testing.T) {
	var got recorder
	r := newRig(t, with(got.channel("email", false)))
	_, err := r.PutRules(r.ctx, "", notify.RulesEdit{Rules: []domain.NotificationRule{}}, 0)
	require.NoError(t, err)
	r.runs()
	o := r.order("")
	tell := func(key, channel string) (orders.Notified, error) {
		return r.orders.Notify(idempotency.With(r.ctx, &idempotency.Request{Key: key}), o.ID, orders.Notice{Text: "Hi", Channel: channel})
	}
	first, err := tell("0", "email")
	require.NoError(t, err)
	for i := range 20 {
		_, err = tell(fmt.Sprint(i), "email")
		require.NoError(t, err, i)
	}
	require.Len(t, got.texts(o.ID), 20, "a repeat is no message")
	again, err := tell("0", "email")
	require.NoError(t, err, "nor refused")
	require.Equal(t, first.NotificationID, again.NotificationID)
	_, err = tell("20", "email")
	require.Equal(t, domain.CodeRateLimited, domain.CodeOf(err))
	_, err = tell("21", "live")
	require.NoError(t, err, "live costs nobody anything")
	r.clock.skip(61 * time.Minute)
	_, err = tell("22", "email")
	require.NoError(t, err)
}

func TestQuietHoursAreThoseOfTheOrder(t *testing.T) {
	var got recorder
	r := newRig(t, with(got.channel("email", false)))
	_, err := r.PutRules(r.ctx, "", notify.RulesEdit{Rules: []domain.NotificationRule{
		{Event: domain.EventCreated, Channels: []string{"email"}, Quiet: "22:00-08:00"},
	}}, 0)
	require.NoError(t, err)
	for at, want := range map[string]string{
		"2026-05-04T20:00:00Z": "2026-05-05T05:00:00Z", // 23:00 in Moscow
		"2026-05-04T02:00:00Z": "2026-05-04T05:00:00Z", // 05:00
		"2026-05-04T12:00:00Z": "2026-05-04T12:00:00Z",
	} {
		now, err := time.Parse(time.RFC3339, at)
		require.NoError(t, err)
		o, ev := domain.NewOrder(domain.Draft{
			Customer: domain.Customer{Name: "A", Email: "a@example.com"}, Dropoff: &domain.Place{Address: "B"}, Timezone: "Europe/Moscow",
		}, domain.By{Now: now})
		ch := &domain.Change{Order: o, Events: []domain.Event{ev}}
		r.Match(ch)
		require.Len(t, ch.Deliveries, 1)
		require.Equal(t, want, ch.Deliveries[0].DueAt.Format(time.RFC3339), at)
	}
}

// Quiet hours also hold for what became due before them: a try failed, or the server was away.
func TestQuietHoursHoldForLaterTries(t *testing.T) {
	got, refused := recorder{}, false
	email := got.channel("email", false)
	take := email.Send
	email.Send = func(ctx context.Context, m notify.Message) notify.Outcome {
		if !refused {
			refused = true
			return notify.Outcome{Err: errors.New("greylisted")}
		}
		return take(ctx, m)
	}
	r := newRig(t, with(email))
	now := r.clock.Now().UTC()
	quiet := now.Add(30*time.Minute).Format("15:04") + "-" + now.Add(90*time.Minute).Format("15:04")
	_, err := r.PutRules(r.ctx, "", notify.RulesEdit{Rules: []domain.NotificationRule{{Event: domain.EventCreated, Channels: []string{"email"}, Quiet: quiet}}}, 0)
	require.NoError(t, err)
	o := r.order("")
	r.runs()
	awaits(t, []string{"email accepted waiting greylisted"}, func() []string { return r.sent(o.ID) })
	r.clock.skip(time.Hour)
	awaits(t, []string{"email accepted waiting put off: quiet hours"}, func() []string { return r.sent(o.ID) })
	listed, err := r.Notifications(r.ctx, o.ID)
	require.NoError(t, err)
	require.Equal(t, 1, listed[0].Tries, "to put it off is no try")
	require.Equal(t, now.Add(90*time.Minute).Format("15:04"), listed[0].NextTry.UTC().Format("15:04"))
	require.Empty(t, got.all())
	r.clock.skip(time.Hour)
	awaits(t, []string{"email accepted sent"}, func() []string { return r.sent(o.ID) })
}

// What a merchant's own text says is not known: after the end none is sent about what was before, by a rule or by hand.
func TestTextsOfMerchantsDoNotContradictTheEnd(t *testing.T) {
	got, away := recorder{}, true
	email := got.channel("email", false)
	take := email.Send
	email.Send = func(ctx context.Context, m notify.Message) notify.Outcome {
		if away {
			return notify.Outcome{Err: errors.New("away")}
		}
		return take(ctx, m)
	}
	r := newRig(t, with(email))
	moved := domain.EventStatusChanged
	_, err := r.PutRules(r.ctx, "", notify.RulesEdit{Rules: []domain.NotificationRule{
		{Event: moved, Status: domain.StatusConfirmed, Channels: []string{"email"}, Template: "We are packing it"},
		{Event: moved, Status: domain.StatusCancelled, Channels: []string{"email"}, Template: "Why did you cancel?", DelayS: 30},
	}}, 0)
	require.NoError(t, err)
	o := r.order("")
	stop := r.runs()
	_, err = r.orders.Notify(r.ctx, o.ID, orders.Notice{Text: "Half an hour more", Channel: "email"})
	require.NoError(t, err)
	r.moves(o.ID, domain.StatusConfirmed)
	awaits(t, []string{"email  waiting away", "email status waiting away"}, func() []string { return r.sent(o.ID) })
	stop()
	away = false
	r.moves(o.ID, domain.StatusCancelled)
	r.clock.skip(2 * time.Minute)
	r.runs()
	const ended = "skipped it no longer holds: the order is cancelled"
	awaits(t, []string{"email  " + ended, "email status " + ended, "email cancelled sent"}, func() []string { return r.sent(o.ID) })
	require.Equal(t, []string{"Why did you cancel?"}, got.texts(o.ID))
}

// A shop that sets nothing up tells what most shops would.
func TestBuiltInRules(t *testing.T) {
	var got recorder
	chats := got.channel("max", false)
	chats.Address = func(o *domain.Order) string { return o.Bookkeeping.Contacts["max"] }
	r := newRig(t, with(got.channel("email", false), got.channel("sms", true), chats))
	_, err := r.PutRules(r.ctx, "", notify.RulesEdit{Channels: map[string]notify.ChannelSetting{"sms": {Enabled: true}}}, 0)
	require.NoError(t, err)
	moved := domain.EventStatusChanged
	for _, c := range []struct {
		event  domain.EventType
		status domain.Status
		want   string
		chat   string // for who has one
	}{
		{domain.EventCreated, domain.StatusCreated, "email accepted", "email accepted"},
		{moved, domain.StatusOutForDelivery, "email on_its_way", "max on_its_way"},
		{moved, domain.StatusDelivered, "email delivered", "max delivered"},
		{moved, domain.StatusDeliveryFailed, "email failed_attempt", "max failed_attempt"},
		{moved, domain.StatusReadyForPickup, "email ready_for_pickup", "max ready_for_pickup"},
		{moved, domain.StatusAtDropoff, "", "max at_the_door"}, // where it is read at once
		{domain.EventOrderLate, domain.StatusInTransit, "email late", "max late"},
		{domain.EventCourierNear, domain.StatusOutForDelivery, "", "max near"}, // so is this
		{moved, domain.StatusConfirmed, "", ""},
	} {
		for contact, want := range map[string]string{"": c.want, "chat-1": c.chat} {
			o, _ := domain.NewOrder(domain.Draft{Customer: domain.Customer{Name: "A", Email: "a@example.com", Phone: "+79161234567"}, Dropoff: &domain.Place{Address: "B"}}, domain.By{Now: r.clock.Now()})
			if contact != "" {
				o.Bookkeeping.Contacts = map[string]string{"max": contact}
			}
			ch := &domain.Change{Order: o, Events: []domain.Event{{ID: domain.NewID(), OrderID: o.ID, Type: c.event, Status: c.status, RecordedAt: r.clock.Now()}}}
			r.Match(ch)
			sent := []string{}
			for _, d := range ch.Deliveries {
				sent = append(sent, d.Receiver+" "+d.Template)
			}
			require.Equal(t, want, strings.Join(sent, ", "), "%s %s %s", c.event, c.status, contact)
		}
	}
}

func TestOptOutIsForEver(t *testing.T) {
	var got recorder
	r := newRig(t, with(got.channel("email", false)))
	r.runs()
	a := r.order("")
	awaits(t, 1, func() int { return len(got.all()) })
	link := got.all()[0].OptOut
	require.Equal(t, domain.CodeNotFound, domain.CodeOf(r.OptOut(r.ctx, "bm90IG91cnM")))
	require.NoError(t, r.OptOut(r.ctx, link[strings.LastIndex(link, "/")+1:]))
	b := r.order("")
	awaits(t, []string{"email accepted skipped the customer wants no messages"}, func() []string { return r.sent(b.ID) })
	require.Equal(t, []string{"email accepted sent"}, r.sent(a.ID))
}

func TestNotifyTellsTheOutcomeOfEachChannel(t *testing.T) {
	post := newSMTP(t, false, func(address string) string {
		if strings.HasPrefix(address, "unknown") {
			return "550 no such user"
		}
		return ""
	})
	var got recorder
	r := newRig(t, with(post.channel(t, "starttls"), got.channel("sms", true)))
	r.runs()
	o := r.order("")
	n, err := r.orders.Notify(r.ctx, o.ID, orders.Notice{Text: "See you soon"})
	require.NoError(t, err)
	require.Equal(t, []orders.Delivery{{Channel: "live", Status: "sent"}, {Channel: "email", Status: "sent"}}, n.Deliveries)
	for channel, want := range map[string]string{"sms": "off", "telegram": "off", "webhook": "off"} {
		n, err := r.orders.Notify(r.ctx, o.ID, orders.Notice{Text: "Hi", Channel: channel})
		require.NoError(t, err)
		require.Equal(t, []orders.Delivery{{Channel: channel, Status: want}}, n.Deliveries)
	}
	lost, err := r.orders.Create(r.ctx, domain.Draft{Customer: domain.Customer{Name: "A", Email: "unknown@example.com"}, Dropoff: &domain.Place{Address: "B"}})
	require.NoError(t, err)
	n, err = r.orders.Notify(r.ctx, lost.ID, orders.Notice{Template: "late", Channel: "email"})
	require.NoError(t, err)
	require.Equal(t, []orders.Delivery{{Channel: "email", Status: "refused"}}, n.Deliveries)
	awaits(t, true, func() bool { return strings.Contains(strings.Join(post.got(), ""), "See you soon") })
}

func TestTextsAreChecked(t *testing.T) {
	r := newRig(t)
	_, err := r.PutRules(r.ctx, "", notify.RulesEdit{
		Channels: map[string]notify.ChannelSetting{"pigeon": {}},
		Rules:    []domain.NotificationRule{{Event: domain.EventCreated, Channels: []string{"sms"}, Template: "{{nickname}}", Quiet: "late"}},
		Texts:    map[string]map[string]notify.Text{"love": {"en": {Text: "x"}}, "late": {"fr": {Text: "{{x}}"}}},
	}, 0)
	var e *domain.Error
	require.ErrorAs(t, err, &e)
	codes := []string{}
	for _, f := range e.Faults {
		codes = append(codes, f.Pointer+" "+f.Code)
	}
	require.ElementsMatch(t, []string{
		"/channels/pigeon unknown_channel", "/rules/0/template unknown_variable", "/rules/0/quiet invalid_time",
		"/texts/love unknown_text", "/texts/late/fr unknown_language", "/texts/late/fr/text unknown_variable",
	}, codes)
}

func TestPreview(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct {
		in       notify.Preview
		want     string
		segments int
		unknown  []string
	}{
		{notify.Preview{Text: "Hello {{name}}, {{nickname}}!"}, "Hello Anna, !", 1, []string{"nickname"}},
		{notify.Preview{Text: strings.Repeat("a", 161)}, strings.Repeat("a", 161), 2, []string{}},
		{notify.Preview{Text: strings.Repeat("ж", 70)}, strings.Repeat("ж", 70), 1, []string{}},
		{notify.Preview{Text: strings.Repeat("ж", 71)}, strings.Repeat("ж", 71), 2, []string{}},
		{notify.Preview{Text: "first\n{{external_id}}{{window}}\nlast", Locale: "ru"}, "", 1, []string{}},
		{notify.Preview{Name: "at_the_door", Locale: "ru"}, "Курьер с вашим заказом 7K2-9QF-M4X у вашей двери.\nPIN-код для курьера: 0000.", 2, []string{}},
	} {
		got, err := r.Preview(notify.Sample(time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)), c.in)
		require.NoError(t, err)
		if c.want != "" {
			require.Equal(t, c.want, got.Text)
		}
		require.Equal(t, c.segments, got.Segments, c.in.Text)
		require.Equal(t, c.unknown, got.Unknown)
	}
	o := notify.Sample(time.Now())
	o.Shipment, o.ETA = nil, nil
	got, err := r.Preview(o, notify.Preview{Name: "late", Text: "A\nWindow {{window}}.\nB"})
	require.NoError(t, err)
	require.Equal(t, "A\nB", got.Text, "a line without its facts is left out")
}

// TestEveryTextHasItsVariablesAndLanguages proves the built-in texts.
func TestEveryTextHasItsVariablesAndLanguages(t *testing.T) {
	r := newRig(t)
	for _, name := range notify.Names() {
		seen := map[string]bool{}
		for _, lang := range []string{"en", "ru"} {
			got, err := r.Preview(notify.Sample(time.Now()), notify.Preview{Name: name, Locale: lang})
			require.NoError(t, err)
			require.NotEmpty(t, got.Text, name)
			require.NotEmpty(t, got.Subject, name)
			require.NotContains(t, got.Text+got.Subject, "{{", name)
			require.LessOrEqual(t, got.Segments, 4, name)
			seen[got.Text] = true
		}
		require.Len(t, seen, 2, name)
	}
}
