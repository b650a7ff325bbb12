//go:build unix

package main

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
)

// question is a kind of list that is measured.
type question struct {
	name string
	// ask makes the query's parameters; o is an order, chosen at random.
	ask func(o madeOrder, g *rand.Rand) url.Values
	// limit of the 99th percentile; searches have the larger one.
	limit time.Duration
	times int
}

// path is where it is asked.
func (k question) path() string {
	switch what, _, _ := strings.Cut(k.name, ":"); what {
	case "counts":
		return "/orders/counts"
	case "estimates":
		return "/reports/eta"
	case "report":
		return "/reports/deliveries"
	}
	return "/orders"
}

const (
	searchLimit = 60 * time.Millisecond
	listLimit   = 20 * time.Millisecond
	countLimit  = 200 * time.Millisecond
)

// letters are n letters somewhere in the first word of a text that is long enough.
func letters(g *rand.Rand, text string, n int) string {
	word := []rune(strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' })[0])
	if len(word) <= n {
		return string(word)
	}
	at := g.IntN(len(word) - n)
	return string(word[at : at+n])
}

func street(o madeOrder) string { return strings.Fields(o.address)[1] }

func q(format string, args ...any) url.Values { return url.Values{"q": {fmt.Sprintf(format, args...)}} }

func with(v url.Values, pairs ...string) url.Values {
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

var questions = []question{
	{"a rare word", func(madeOrder, *rand.Rand) url.Values { return q("КРЖИЖАНОВСКАЯ") }, searchLimit, 100},
	{"a word that nearly all have", func(madeOrder, *rand.Rand) url.Values { return q("москва") }, searchLimit, 100},
	{"a surname", func(o madeOrder, _ *rand.Rand) url.Values { return q("%s", strings.Fields(o.name)[0]) }, searchLimit, 300},
	{"5 letters of a surname", func(o madeOrder, g *rand.Rand) url.Values { return q("%s", letters(g, o.name, 5)) }, searchLimit, 300},
	{"3 letters of a street", func(o madeOrder, g *rand.Rand) url.Values { return q("%s", letters(g, street(o), 3)) }, searchLimit, 300},
	{"street, house and flat", func(o madeOrder, _ *rand.Rand) url.Values {
		_, address, _ := strings.Cut(o.address, ", ")
		return q("%s", address)
	}, searchLimit, 300},
	{"name and street", func(o madeOrder, _ *rand.Rand) url.Values { return q("%s %s", o.name, street(o)) }, searchLimit, 300},
	{"a phone", func(o madeOrder, _ *rand.Rand) url.Values {
		return q("8 (%s) %s-%s", o.phone[2:5], o.phone[5:8], o.phone[8:])
	}, searchLimit, 300},
	{"7 digits of a phone", func(o madeOrder, _ *rand.Rand) url.Values { return q("%s", o.phone[5:]) }, searchLimit, 300},
	{"4 digits of a phone", func(o madeOrder, _ *rand.Rand) url.Values { return q("%s", o.phone[8:]) }, searchLimit, 300},
	{"a number", func(o madeOrder, _ *rand.Rand) url.Values { return q("%s", o.number) }, searchLimit, 300},
	{"5 characters of a number", func(o madeOrder, _ *rand.Rand) url.Values { return q("%s", strings.ReplaceAll(o.number, "-", "")[2:7]) }, searchLimit, 300},
	{"an external id", func(o madeOrder, _ *rand.Rand) url.Values { return q("%s", o.external) }, searchLimit, 300},
	{"5 digits of an external id", func(o madeOrder, _ *rand.Rand) url.Values { return q("%s", o.external[7:]) }, searchLimit, 300},
	{"1 letter", func(o madeOrder, g *rand.Rand) url.Values { return q("%s", string([]rune(o.name)[:1])) }, searchLimit, 100},
	{"2 letters", func(o madeOrder, g *rand.Rand) url.Values { return q("%s", string([]rune(o.name)[:2])) }, searchLimit, 300},
	{"a miss", func(_ madeOrder, g *rand.Rand) url.Values { return q("щъыь%d", g.IntN(1000)) }, searchLimit, 100},
	{"a miss of frequent parts", func(madeOrder, *rand.Rand) url.Values { return q("никановоровская") }, searchLimit, 100},
	{"a frequent word of a small merchant", func(o madeOrder, _ *rand.Rand) url.Values { return with(q("улица"), "merchant_id", "shop-2999") }, searchLimit, 100},
	{"a surname of a merchant", func(o madeOrder, _ *rand.Rand) url.Values {
		return with(q("%s", strings.Fields(o.name)[0]), "merchant_id", o.merchant)
	}, searchLimit, 300},
	{"a frequent word, failed", func(madeOrder, *rand.Rand) url.Values { return with(q("москва"), "status", "failed") }, searchLimit, 100},
	{"a surname, cancelled", func(o madeOrder, _ *rand.Rand) url.Values {
		return with(q("%s", strings.Fields(o.name)[0]), "status", "cancelled")
	}, searchLimit, 300},
	{"a surname, active", func(o madeOrder, _ *rand.Rand) url.Values {
		return with(q("%s", strings.Fields(o.name)[0]), "active", "true")
	}, searchLimit, 300},
	{"a surname of a courier", func(o madeOrder, _ *rand.Rand) url.Values {
		if o.courier == "" {
			o.courier = uuid.NewString()
		}
		return with(q("%s", strings.Fields(o.name)[0]), "courier_id", o.courier)
	}, searchLimit, 100},
	{"a surname in a month", func(o madeOrder, _ *rand.Rand) url.Values {
		return with(q("%s", strings.Fields(o.name)[0]), "created_from", o.timeTxt, "created_to", o.at.Add(30*24*time.Hour).UTC().Format(time.RFC3339))
	}, searchLimit, 300},

	{"list: newest", func(madeOrder, *rand.Rand) url.Values { return url.Values{} }, listLimit, 100},
	{"list: merchant", func(o madeOrder, _ *rand.Rand) url.Values { return with(url.Values{}, "merchant_id", o.merchant) }, listLimit, 300},
	{"list: merchant and status", func(o madeOrder, _ *rand.Rand) url.Values {
		return with(url.Values{}, "merchant_id", o.merchant, "status", "cancelled", "status", "failed")
	}, listLimit, 300},
	{"list: phone", func(o madeOrder, _ *rand.Rand) url.Values { return with(url.Values{}, "customer_phone", o.phone) }, listLimit, 300},
	{"list: external id", func(o madeOrder, _ *rand.Rand) url.Values { return with(url.Values{}, "external_id", o.external) }, listLimit, 300},
	{"list: courier", func(o madeOrder, _ *rand.Rand) url.Values {
		if o.courier == "" {
			o.courier = uuid.NewString()
		}
		return with(url.Values{}, "courier_id", o.courier)
	}, listLimit, 300},
	{"list: status", func(o madeOrder, _ *rand.Rand) url.Values { return with(url.Values{}, "status", o.status) }, listLimit, 300},
	{"list: finished, in a month", func(o madeOrder, _ *rand.Rand) url.Values {
		return with(url.Values{}, "active", "false", "created_from", o.timeTxt, "created_to", o.at.Add(30*24*time.Hour).UTC().Format(time.RFC3339))
	}, listLimit, 300},
	{"list: from a time", func(o madeOrder, _ *rand.Rand) url.Values { return with(url.Values{}, "created_to", o.timeTxt) }, listLimit, 300},
	{"list: exception", func(o madeOrder, _ *rand.Rand) url.Values { return with(url.Values{}, "exception", "true") }, listLimit, 100},
	{"list: promised until a time", func(o madeOrder, _ *rand.Rand) url.Values { return with(url.Values{}, "promised_to", o.timeTxt) }, listLimit, 300},
	{"list: promised from a time", func(o madeOrder, _ *rand.Rand) url.Values { return with(url.Values{}, "promised_from", o.timeTxt) }, listLimit, 300},
	{"list: promised later than all", func(o madeOrder, _ *rand.Rand) url.Values {
		return with(url.Values{}, "promised_from", "2100-01-01T00:00:00Z")
	}, listLimit, 100},
	{"list: promised in a month", func(o madeOrder, _ *rand.Rand) url.Values { return during(o, "promised_from", "promised_to", 30) }, listLimit, 300},
	{"list: late", func(o madeOrder, _ *rand.Rand) url.Values { return with(url.Values{}, "late", "true") }, listLimit, 100},

	{"counts: all", func(madeOrder, *rand.Rand) url.Values { return url.Values{} }, countLimit, 100},
	{"counts: late", func(madeOrder, *rand.Rand) url.Values { return with(url.Values{}, "late", "true") }, countLimit, 100},
	{"counts: exception", func(madeOrder, *rand.Rand) url.Values { return with(url.Values{}, "exception", "true") }, countLimit, 100},
	{"counts: promised until a time", func(o madeOrder, _ *rand.Rand) url.Values { return with(url.Values{}, "promised_to", o.timeTxt) }, countLimit, 100},
	{"counts: promised from a time", func(o madeOrder, _ *rand.Rand) url.Values { return with(url.Values{}, "promised_from", o.timeTxt) }, countLimit, 100},
	{"counts: merchant", func(o madeOrder, _ *rand.Rand) url.Values { return with(url.Values{}, "merchant_id", o.merchant) }, countLimit, 100},
	{"report: 30 days", func(madeOrder, *rand.Rand) url.Values { return url.Values{} }, countLimit, 40},
	{"report: a year by zone", func(madeOrder, *rand.Rand) url.Values { return aYear("zone") }, countLimit, 40},
	{"report: a year by courier", func(madeOrder, *rand.Rand) url.Values { return aYear("courier") }, countLimit, 40},
	{"report: a year by merchant", func(madeOrder, *rand.Rand) url.Values { return aYear("merchant") }, countLimit, 40},
	{"estimates: of 30 days", func(o madeOrder, _ *rand.Rand) url.Values { return during(o, "from", "to", 30) }, countLimit, 40},
	{"estimates: of a year", func(madeOrder, *rand.Rand) url.Values {
		return url.Values{"by": {"zone"}, "from": {ago(365) + "T00:00:00Z"}}
	}, countLimit, 10},
}

func ago(days int) string { return time.Now().AddDate(0, 0, -days).Format(time.DateOnly) }

func aYear(by string) url.Values { return url.Values{"by": {by}, "from": {ago(365)}} }

// during is a time from when an order was created.
func during(o madeOrder, from, to string, days int) url.Values {
	return url.Values{from: {o.timeTxt}, to: {o.at.AddDate(0, 0, days).UTC().Format(time.RFC3339)}}
}
