package notify

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// variables are what texts may contain, as {{name}}.
var variables = []string{
	"name", "number", "external_id", "merchant", "status", "window", "link", "address", "reason", "office", "hours", "until", "code", "pin", "opt_out",
}

var placeholder = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)

// fill replaces variables. A line that has some, all of them empty, is omitted.
func fill(text string, values map[string]string) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		found, full := 0, 0
		line = placeholder.ReplaceAllStringFunc(line, func(p string) string {
			v := values[placeholder.FindStringSubmatch(p)[1]]
			found++
			if v != "" {
				full++
			}
			return v
		})
		if found == 0 || full > 0 {
			lines = append(lines, line)
		}
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

// language is a supported one: the customer's, else the merchant's, else English.
func language(locales ...string) string {
	for _, l := range locales {
		base, _, _ := strings.Cut(strings.ToLower(l), "-")
		if _, ok := statusTexts[base]; ok {
			return base
		}
	}
	return "en"
}

// values are the variables of an order. link may be empty.
func values(o *domain.Order, p domain.Profile, lang, link string) map[string]string {
	v := map[string]string{
		"name": o.Customer.Name, "number": o.Number, "external_id": o.ExternalID, "merchant": p.Name, "status": statusTexts[lang][o.Status],
		"link": link, "address": o.Dropoff.Address, "window": window(o, zone(o, p), lang), "code": o.Metadata["pickup_code"],
	}
	if retracted(o) {
		v["status"] = retractedTexts[lang]
	}
	if o.Exception != nil {
		v["reason"] = o.Exception.Detail
	}
	if o.Shipment != nil && o.Shipment.Pickup != nil {
		point := o.Shipment.Pickup
		v["office"] = strings.TrimSpace(strings.Join(slices.DeleteFunc(
			[]string{cmp.Or(point.Address, point.Name, point.Code), point.Notes}, func(s string) bool { return s == "" }), ", "))
		v["hours"] = point.Hours
		if point.KeptUntil != nil {
			v["until"] = point.KeptUntil.In(zone(o, p)).Format(dateFormats[lang])
		}
	}
	return v
}

// dateFormats write dates.
var dateFormats = map[string]string{"en": "2 January", "ru": "02.01"}

// zone is the order's time zone, else the merchant's, else UTC.
func zone(o *domain.Order, p domain.Profile) *time.Location {
	for _, name := range []string{o.Timezone, p.Timezone} {
		if name == "" {
			continue
		}
		if z, err := time.LoadLocation(name); err == nil {
			return z
		}
	}
	return time.UTC
}

// window describes when the order is expected, with times to five minutes.
func window(o *domain.Order, z *time.Location, lang string) string {
	if o.ETA == nil || !o.Active() {
		return ""
	}
	const step = 5 * time.Minute
	from, to := o.ETA.Earliest.Truncate(step).In(z), o.ETA.Latest.Add(step-time.Second).Truncate(step).In(z)
	day := from.Format(dateFormats[lang])
	if lang == "ru" {
		return fmt.Sprintf("%s с %s до %s", day, from.Format("15:04"), to.Format("15:04"))
	}
	return fmt.Sprintf("%s between %s and %s", day, from.Format("15:04"), to.Format("15:04"))
}

// unknown lists the variables of a text that do not exist.
func unknown(text string) (out []string) {
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(variables, m[1]) && !slices.Contains(out, m[1]) {
			out = append(out, m[1])
		}
	}
	return out
}

// gsm are the characters of GSM 03.38 that take one place, gsmWide those that take two.
const (
	gsm     = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmWide = "^{}\\[~]|€\f"
)

// segments returns how many SMS a text takes: of 160 characters (153 if several) in GSM 03.38,
// else of 70 (67) in UCS-2.
func segments(text string) int {
	count, one, several := 0, 160, 153
	for _, r := range text {
		switch {
		case strings.ContainsRune(gsm, r):
			count++
		case strings.ContainsRune(gsmWide, r):
			count += 2
		default:
			count, one, several = len(utf16.Encode([]rune(text))), 70, 67
		}
		if one == 70 {
			break
		}
	}
	if count <= one {
		return 1
	}
	return (count + several - 1) / several
}

// Sample is a made-up order for previews.
func Sample(now time.Time) *domain.Order {
	kept := now.AddDate(0, 0, 7)
	return &domain.Order{
		Number: "7K2-9QF-M4X", ExternalID: "1042", Status: domain.StatusOutForDelivery, CreatedAt: now,
		Customer: domain.Customer{Name: "Anna"}, Dropoff: domain.Place{Address: "Tverskaya 7"}, Metadata: map[string]string{"pickup_code": "4711"}, ProofRequired: []string{domain.ProofPIN},
		ETA:       &domain.Estimate{ETA: now.Add(time.Hour), Earliest: now.Add(40 * time.Minute), Latest: now.Add(80 * time.Minute)},
		Exception: &domain.Exception{Code: "nobody_home", Detail: "nobody at home"},
		Shipment:  &domain.Shipment{Pickup: &domain.PickupPoint{Address: "Lesnaya 5", Hours: "10-20", KeptUntil: &kept}},
	}
}
