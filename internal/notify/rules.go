package notify

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
)

// ChannelSetting is a merchant's choice about a channel.
type ChannelSetting struct {
	Enabled  bool `json:"enabled"`
	DailyCap int  `json:"daily_cap,omitempty" minimum:"0" maximum:"1000000" doc:"messages a day (UTC) of a channel that costs money; default 200"`
}

// defaultCap is the daily limit of channels that cost money.
const defaultCap = 200

// RulesEdit is what a merchant's customers are told.
type RulesEdit struct {
	Channels map[string]ChannelSetting  `json:"channels,omitempty" doc:"by name; absent: on if it is free. Channels that cost money or leave the country (sms, telegram) are off until they are turned on here"`
	Rules    []domain.NotificationRule  `json:"rules,omitzero" nullable:"false" maxItems:"100" doc:"absent: the merchant's notification_rules, else the built-in rules; [] for no messages"`
	Texts    map[string]map[string]Text `json:"texts,omitempty" doc:"in place of the built-in ones, by name and language (en, ru)"`
}

// Rules are a merchant's rules as they apply.
type Rules struct {
	MerchantID string `json:"merchant_id,omitempty"`
	RulesEdit
	Available []string  `json:"available" doc:"channels that the operator has set up"`
	Version   int64     `json:"version" doc:"0 if nothing was set"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
}

// Defaults are the built-in rules: what most shops would send. Of a rule's channels the first
// one is used that reaches the customer; live always is.
func Defaults() []domain.NotificationRule {
	chats := []string{"webpush", "telegram", "max", "email", "sms"}
	near := chats[:3]
	moved := domain.EventStatusChanged
	return []domain.NotificationRule{
		{Event: domain.EventCreated, Channels: []string{"email"}},
		{Event: moved, Status: domain.StatusOutForDelivery, Channels: chats},
		{Event: domain.EventCourierNear, Channels: near},
		{Event: moved, Status: domain.StatusAtDropoff, Channels: near},
		{Event: moved, Status: domain.StatusDelivered, Channels: chats[:4]},
		{Event: moved, Status: domain.StatusDeliveryFailed, Channels: chats, Again: true},
		{Event: moved, Status: domain.StatusReadyForPickup, Channels: chats, Quiet: "22:00-08:00"},
		{Event: domain.EventOrderLate, Channels: chats[:4], Quiet: "22:00-08:00"},
	}
}

// rulesOf returns a merchant's rules in memory.
func (s *Service) rulesOf(merchantID string) *RulesEdit {
	if r := s.routes.Load().rules[merchantID]; r != nil {
		return r
	}
	return &RulesEdit{}
}

// list are the rules that apply.
func (s *Service) list(r *RulesEdit, merchantID string) []domain.NotificationRule {
	if r.Rules != nil {
		return r.Rules
	}
	if own := s.Profile(merchantID).NotificationRules; own != nil {
		return own
	}
	return defaults
}

var defaults = Defaults()

// GetRules returns the rules of a merchant: the caller's own, or the one that staff name.
func (s *Service) GetRules(ctx context.Context, merchantID string) (*Rules, error) {
	id, err := s.whose(ctx, merchantID)
	if err != nil {
		return nil, err
	}
	out := &Rules{MerchantID: id, Available: s.available()}
	doc, err := s.Store.Document(ctx, domain.DocumentRules, id)
	if err == nil && doc != nil {
		out.Version, out.UpdatedAt = doc.Version, doc.UpdatedAt
		err = json.Unmarshal(doc.Data, &out.RulesEdit)
	}
	out.Rules = s.list(&out.RulesEdit, id)
	return out, err
}

// whose is the merchant whose rules the caller means.
func (s *Service) whose(ctx context.Context, merchantID string) (string, error) {
	caller, err := domain.CallerFrom(ctx)
	if err != nil {
		return "", err
	}
	if merchantID == "" && caller.Kind == domain.RoleMerchant {
		merchantID = caller.MerchantID
	}
	if !caller.ReachesMerchant(merchantID) {
		return "", domain.Errorf(domain.CodeNotFound, "no merchant has the id %q", merchantID)
	}
	return merchantID, nil
}

// PutRules replaces the rules of a merchant.
func (s *Service) PutRules(ctx context.Context, merchantID string, in RulesEdit, expected int64) (*Rules, error) {
	id, err := s.whose(ctx, merchantID)
	if err != nil {
		return nil, err
	}
	if err := in.Check(); err != nil {
		return nil, err
	}
	return idempotency.Once(ctx, s.Keys, "put_rules:"+id, struct {
		In       RulesEdit `json:"in"`
		Expected int64     `json:"expected"`
	}{in, expected}, func(rec *domain.Idempotency) (*Rules, error) {
		caller, err := domain.CallerFrom(ctx)
		if err != nil {
			return nil, err
		}
		old, err := s.Store.Document(ctx, domain.DocumentRules, id)
		if err == nil {
			err = old.Expect(expected, caller)
		}
		if err != nil {
			return nil, err
		}
		out := &Rules{MerchantID: id, RulesEdit: in, Available: s.available(), Version: 1, UpdatedAt: domain.Timestamp(s.Clock.Now())}
		if old != nil {
			out.Version = old.Version + 1
		}
		doc := &domain.Document{Kind: domain.DocumentRules, ID: id, Version: out.Version, UpdatedAt: out.UpdatedAt, Trail: domain.Trail{ChangedBy: caller.Actor}}
		if doc.Data, err = json.Marshal(in); err != nil {
			return nil, err
		}
		entry, err := s.Audit(ctx, "notification_rules.changed", "merchant:"+id, nil)
		if err != nil {
			return nil, err
		}
		out.Rules = s.list(&out.RulesEdit, id)
		if err := idempotency.Answer(rec, out); err != nil {
			return nil, err
		}
		return out, s.Commit(ctx, domain.AccessChange{Document: doc, Audit: entry, Idempotency: rec})
	})
}

// Check validates rules, as the linter of texts does.
func (r RulesEdit) Check() error {
	var f domain.Faults
	for name, c := range r.Channels {
		if !slices.Contains(domain.NotificationChannels(), name) {
			f.Add("/channels/"+name, "unknown_channel", "is no channel")
		}
		f.Check("/channels/"+name, &c)
	}
	if len(r.Rules) > 100 {
		f.Add("/rules", "too_many", "must be at most 100")
	}
	for i := range r.Rules {
		at := "/rules/" + strconv.Itoa(i)
		f.Check(at, &r.Rules[i])
		r.Rules[i].Check(&f, at)
		checkText(&f, at+"/template", r.Rules[i].Template)
	}
	for name, languages := range r.Texts {
		if texts[name] == nil {
			f.Add("/texts/"+name, "unknown_text", "must be one of %v", Names())
		}
		for lang, text := range languages {
			at := "/texts/" + name + "/" + lang
			if statusTexts[lang] == nil {
				f.Add(at, "unknown_language", "must be en or ru")
			}
			f.Check(at, &text)
			checkText(&f, at+"/text", text.Text)
			checkText(&f, at+"/subject", text.Subject)
		}
	}
	return f.Err()
}

func checkText(f *domain.Faults, at, text string) {
	for _, v := range unknown(text) {
		f.Add(at, "unknown_variable", "has {{%s}}; the variables are %v", v, variables)
	}
}

// addMessages adds to a change the messages to the customer that its events cause.
func (s *Service) addMessages(ch *domain.Change) {
	o := ch.Order
	if len(s.channels) == 0 || o.Customer.Email == "" && o.Customer.Phone == "" && len(o.Bookkeeping.Contacts) == 0 {
		return
	}
	mine := s.rulesOf(o.MerchantID)
	for i := range ch.Events {
		ev := &ch.Events[i]
		for part, rule := range s.list(mine, o.MerchantID) {
			if ev.Type == domain.EventNotified || rule.Event != ev.Type || rule.Status != "" && rule.Status != ev.Status {
				continue
			}
			first := true // of the channels but live the first that reaches the customer
			for _, name := range rule.Channels {
				if name != channelLive && !first || s.obstacle(o, mine, name) != "" {
					continue
				}
				first = first && name == channelLive
				if !rule.Again && ev.Type != domain.EventCreated && !o.Once("notify:"+name+":"+string(ev.Type)+":"+string(rule.Status)+":"+strconv.Itoa(part)) {
					continue
				}
				d := domain.NewDelivery(name, ev, s.due(o, rule, ev.RecordedAt))
				d.Part = part + 1
				if d.Template = textOf(ev.Type, ev.Status); rule.Template != "" {
					d.Template += "=" + rule.Template
				}
				ch.Deliveries = append(ch.Deliveries, d)
			}
		}
	}
}

// due is when a rule's message about an event of a time is sent.
func (s *Service) due(o *domain.Order, rule domain.NotificationRule, at time.Time) time.Time {
	return s.awake(o, rule.Quiet, at.Add(time.Duration(rule.DelayS)*time.Second))
}

// quietUntil is when the quiet hours end in which a rule's message has become due, as by a failed try or an outage; zero if
// it is not quiet.
func (s *Service) quietUntil(o *domain.Order, r *RulesEdit, d *domain.Delivery) time.Time {
	rules, now := s.list(r, o.MerchantID), s.Clock.Now()
	if d.Part == 0 || d.Part > len(rules) || rules[d.Part-1].Event != d.Type {
		return time.Time{}
	}
	if until := s.awake(o, rules[d.Part-1].Quiet, now); until.After(now) {
		return domain.Timestamp(until)
	}
	return time.Time{}
}

// awake is the first time from the given one on that is not in the order's quiet hours.
func (s *Service) awake(o *domain.Order, hours string, at time.Time) time.Time {
	from, to, ok := domain.ParseQuiet(hours)
	if !ok || from == to {
		return at
	}
	local := at.In(zone(o, s.Profile(o.MerchantID)))
	minute := local.Hour()*60 + local.Minute()
	quiet := minute >= from && minute < to
	if from > to {
		quiet = minute >= from || minute < to
	}
	if !quiet {
		return at
	}
	end := time.Date(local.Year(), local.Month(), local.Day(), to/60, to%60, 0, 0, local.Location())
	if !end.After(local) {
		end = time.Date(local.Year(), local.Month(), local.Day()+1, to/60, to%60, 0, 0, local.Location())
	}
	return end
}
