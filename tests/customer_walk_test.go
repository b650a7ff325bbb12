package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/carrier/cdek/sandbox"
	"github.com/order-tracking/order-tracking/internal/domain"
)

// golden compares what pages say with a file of testdata. UPDATE=1 writes it.
type golden struct {
	want map[string]string
	said []string
	last map[*tab]string
}

func readGolden(t *testing.T, name string) *golden {
	g, path := &golden{want: map[string]string{}, last: map[*tab]string{}}, filepath.Join("testdata", name)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, part := range strings.Split("\n"+string(text), "\n# ")[1:] {
		title, body, _ := strings.Cut(part, "\n")
		g.want[title] = strings.TrimSpace(body)
	}
	t.Cleanup(func() {
		if !t.Failed() && os.Getenv("UPDATE") != "" {
			require.NoError(t, os.WriteFile(path, []byte(strings.Join(g.said, "\n")), 0o600))
		}
	})
	return g
}

// changing is what differs from run to run: times, dates, numbers of orders and parcels.
var changing = regexp.MustCompile(`\b\d?\d:\d\d\b|` +
	`\b\d?\d([\s\x{a0}]\p{L}+)?(\s?–\s?\d?\d)?[\s\x{a0}](January|February|March|April|May|June|July|August|September|October|November|December|` +
	`января|февраля|марта|апреля|мая|июня|июля|августа|сентября|октября|ноября|декабря)|\b[0-9A-Z]{3}-[0-9A-Z]{3}-[0-9A-Z]{3}\b|\b\d{10}\b`)

// spoken is a page's text. The entries of the timeline are sorted: carriers tell seconds at best.
const spoken = `(() => {
	const main = document.querySelector("main"), list = main?.querySelector(".timeline"), lines = text => text.replace(/\s*\n\s*/g, "\n").trim();
	return lines(main?.innerText ?? "").replace(lines(list?.innerText ?? ""), [...list?.children ?? []].map(entry => lines(entry.innerText)).sort().join("\n"));
})()`

// tells requires that the page comes to say what is in the golden file.
func (g *golden) tells(p *tab, name string) {
	p.t.Helper()
	update, same := os.Getenv("UPDATE") != "", 0
	var said string
	require.EventuallyWithT(p.t, func(c *assert.CollectT) {
		was := said
		said = changing.ReplaceAllString(run[string](p, "%s", spoken), "…")
		if same++; said != was {
			same = 0
		}
		if update {
			assert.True(c, same >= 40 && said != g.last[p], said)
		} else {
			assert.Equal(c, g.want[name], said, name)
		}
	}, 30*time.Second, 20*time.Millisecond)
	g.last[p] = said
	g.said = append(g.said, "# "+name+"\n"+said+"\n")
	p.picture(name)
	p.calm()
}

// picture keeps a screenshot if TEST_PICTURES is set.
func (p *tab) picture(name string) {
	if os.Getenv("TEST_PICTURES") == "" {
		return
	}
	out, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	require.NoError(p.t, err)
	require.NoError(p.t, os.WriteFile(filepath.Join(os.Getenv("TEST_PICTURES"), strings.ReplaceAll(name, " ", "-")+".png"), out, 0o600))
}

// midday is a time zone in which it is about noon now, so that no date changes amid a test.
func midday() string {
	switch h := 12 - time.Now().UTC().Hour(); {
	case h > 0:
		return fmt.Sprintf("Etc/GMT-%d", h)
	case h < 0:
		return fmt.Sprintf("Etc/GMT+%d", -h)
	}
	return "Etc/GMT"
}

// sides are the two tabs of a walk: English on a light phone, Russian on a dark desk.
func sides(t *testing.T, s *shop, before string) map[string]*tab {
	en := look(t, "http://"+s.http+"/t/x", 360, before)
	ctx, closeTab := chromedp.NewContext(en.ctx)
	t.Cleanup(closeTab)
	ru := &tab{t: t, ctx: ctx}
	ru.prepare(1280, before)
	_, err := chromedp.Call(ru.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
	})
	require.NoError(t, err)
	return map[string]*tab{"en": en, "ru": ru}
}

// The page follows orders through all statuses by itself and says what was agreed, in both languages, both themes, on a
// phone and a desk.
func TestCustomersPageTellsEveryStatus(t *testing.T) {
	s := newShop(t)
	g, tabs, seen := readGolden(t, "customer.golden.txt"), sides(t, s, ""), map[domain.Status]bool{}
	courier := str(s.rest("POST", "/couriers", object{"name": "Ivan Petrov", "vehicle": "bicycle"}), "id")
	for _, walk := range [][]domain.Status{
		{"created", "confirmed", "assigned", "at_pickup", "picked_up", "in_transit", "out_for_delivery", "at_dropoff", "delivery_failed", "returning", "returned"},
		{"created", "assigned", "picked_up", "out_for_delivery", "ready_for_pickup", "delivered"},
		{"created", "cancelled"},
		{"created", "assigned", "picked_up", "failed"},
	} {
		id, token := s.pizza(object{"timezone": midday()})
		for lang, p := range tabs {
			p.open("http://" + s.http + "/t/" + token + "?lang=" + lang)
		}
		for _, status := range walk {
			switch status {
			case domain.StatusCreated:
			case domain.StatusAssigned:
				s.rest("POST", "/order/"+id+"/assign-courier", object{"courier_id": courier})
			case domain.StatusCancelled:
				s.rest("DELETE", "/order/"+id, object{})
			default:
				s.status(id, string(status))
			}
			if seen[status] {
				continue
			}
			seen[status] = true
			for _, lang := range []string{"en", "ru"} {
				g.tells(tabs[lang], lang+" "+string(status))
			}
		}
	}
	for _, status := range domain.Statuses() {
		require.True(t, seen[status], status)
	}
}

// A parcel's page in each phase of its booking and on its way: scans, the office with its hours and the last day, the way back.
func TestCustomersPageTellsOfParcels(t *testing.T) {
	const undecided = 10 * time.Minute
	var behind atomic.Int64 // the carrier's clock
	emulator, flags := emulated(t, sandbox.Options{
		Decide: undecided, Now: func() time.Time { return time.Now().Add(-time.Duration(behind.Load())) },
	})
	s := newShop(t)
	s.args = append(append(s.args, flags...), "--set=carriers.hook_url=http://"+s.http)
	s.restart(t)
	g, tabs := readGolden(t, "parcel.golden.txt"), sides(t, s, pageClock)
	tells := func(name string) {
		t.Helper()
		for _, lang := range []string{"en", "ru"} {
			tabs[lang].do(`leap(66_000)`) // it asks once a minute for what the stream does not tell of
			g.tells(tabs[lang], lang+" "+name)
		}
	}
	var n int // the parcel's number at the carrier
	var id, token string
	shipment := func(path ...any) any { return get(s.rest("GET", "/order/"+id, nil)["shipment"], path...) }
	book := func(tariff string, to object) {
		behind.Store(int64(undecided))
		n = len(emulator.Booked())
		id, token = s.pizza(object{"timezone": midday(), "pickup": nil, "dropoff": object{"address": "ул. Ленина, 1"}})
		s.rest("POST", "/order/"+id+"/shipment", object{"tariff": tariff, "to": to})
		eventually(t, "it is booked", func() bool { return shipment("carrier_status") == "ACCEPTED" })
		for lang, p := range tabs {
			p.open("http://" + s.http + "/t/" + token + "?lang=" + lang)
		}
	}
	report := func(code, reason, city string) {
		t.Helper()
		eventually(t, "the carrier reports "+code, func() bool { return emulator.Report(emulator.Booked()[n].UUID, code, reason, city) })
		eventually(t, code, func() bool { return shipment("carrier_status") == code })
	}
	decide := func() {
		behind.Store(0)
		eventually(t, "it is registered", func() bool { return shipment("phase") == "registered" })
	}
	door := object{"address": "ул. Ленина, 1", "city": "Новосибирск"}

	book("139", door)
	tells("pending")
	decide()
	tells("registered")
	report("RECEIVED_AT_SHIPMENT_WAREHOUSE", "", "Москва")
	tells("handed over")
	report("ACCEPTED_IN_RECIPIENT_CITY", "", "<b>Новосибирск</b>")
	tells("scanned")
	report("ACCEPTED_AT_RECIPIENT_CITY_WAREHOUSE", "", "Новосибирск")
	tells("scanned once more") // which is no other status
	report("TAKEN_BY_COURIER", "", "Новосибирск")
	tells("with a courier")
	report("NOT_DELIVERED", "11", "Новосибирск")
	tells("on its way back")

	book("138", object{"point": "NSK1"})
	decide()
	report("RECEIVED_AT_SHIPMENT_WAREHOUSE", "", "Москва")
	report("ACCEPTED_AT_PICK_UP_POINT", "", "Новосибирск")
	tells("at the office")
	report("DELIVERED", "", "Новосибирск")
	tells("collected")

	book("139", door)
	report("INVALID", "", "")
	tells("rejected")

	book("139", door)
	decide()
	report("REMOVED", "", "")
	tells("cancelled")
}
