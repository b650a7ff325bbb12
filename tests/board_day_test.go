package tests

import (
	"fmt"
	"os"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/demo"
	"github.com/order-tracking/order-tracking/pkg/client"
)

// listed is what a board shows of the orders of a group, by number, once it is what is wanted or time is over.
const listed = `new Promise(async tell => {
	const want = %s, until = performance.now() + 20_000, box = document.querySelector(".table");
	for (;;) {
		const got = {};
		for (box.scrollTop = 0; ; box.scrollTop += box.clientHeight - 80) {
			await new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)));
			for (const row of box.querySelectorAll(".table-body .table-row")) {
				const cells = [...row.querySelectorAll("[role=cell]")];
				got[cells[2].innerText] = row.querySelector(".mark .icon").getAttribute("aria-label") + ", " + cells[5].innerText;
			}
			if (box.scrollTop + box.clientHeight >= box.scrollHeight - 1) break;
		}
		const same = Object.keys(got).length === Object.keys(want).length && Object.keys(want).every(number => got[number] === want[number]);
		if (same || performance.now() > until) return tell(got);
	}
})`

// A day in the demo's city in front of two boards, which both divide what waits among the couriers at the same time. The
// server is killed twice. At the end each board shows every order as the API does. BOARD_DAY=1 makes it 500 orders and 100 couriers.
func TestBoardsAgreeWithTheAPIAfterADay(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: builds and kills real processes")
	}
	orders, couriers := 40, 8
	if os.Getenv("BOARD_DAY") != "" {
		orders, couriers = 500, 100
	}
	s, p := killable(t)
	c, err := client.New("http://"+s.http, client.WithKey(s.key), client.WithRetryFor(time.Minute))
	require.NoError(t, err)
	boards := []*tab{s.board("", s.key), s.board("&group=waiting", s.key)}
	var kills sync.WaitGroup
	happened := 0
	lasts := time.Duration(orders) * 26 * time.Second
	require.NoError(t, demo.Run(t.Context(), demo.Options{
		Client: c, Seed: 7, Couriers: couriers, Speed: 1, Every: time.Minute, Begin: time.Now().Add(-lasts), For: lasts,
		Say: func(time.Time, string) {
			switch happened++; happened {
			case orders / 2, orders * 3 / 2:
				kills.Go(func() { // while the day goes on
					if p.Kill() == nil {
						_, err = p.Start(t.Context())
					}
				})
			case orders:
				kills.Wait()
				require.NoError(t, err)
				divide(s, boards)
			}
		},
	}))
	kills.Wait()
	require.NoError(t, err)
	require.Greater(t, happened, orders*3/2, "both kills happened")

	texts, err := os.ReadFile("../web/i18n/en.js")
	require.NoError(t, err)
	mark := map[string]string{}
	for _, m := range regexp.MustCompile(`"mark\.(\w+)": "(.+)"`).FindAllStringSubmatch(string(texts), -1) {
		mark[m[1]] = m[2]
	}
	want := map[bool]map[string]string{true: {}, false: {}} // by whether it has ended
	names := map[any]string{nil: ""}
	for _, c := range s.rest("GET", "/couriers?page_size=500", nil)["couriers"].([]any) {
		names[c.(object)["id"]] = str(c.(object), "name")
	}
	for ended := range want {
		for page, more := "", true; more; page = "&page_token=" + page {
			got := s.rest("GET", fmt.Sprintf("/orders?active=%t&page_size=500%s", !ended, page), nil)
			for _, o := range got["orders"].([]any) {
				o := o.(object)
				want[ended][str(o, "number")] = mark[str(o, "status")] + ", " + names[o["courier_id"]]
			}
			page, more = got["next_page_token"].(string)
		}
	}
	require.Greater(t, len(want[true])+len(want[false]), orders*3/4)
	t.Logf("%d orders open, %d ended", len(want[false]), len(want[true]))
	for _, b := range boards {
		for ended, group := range map[bool]string{false: "all", true: "done"} {
			b.do(`void document.querySelector(".group-line.%s").click()`, group)
			require.Equal(t, want[ended], run[map[string]string](b, listed, encode(t, want[ended])))
		}
		b.calm()
	}
}

// divide lets both boards divide among the couriers what waits, at the same time.
func divide(s *shop, boards []*tab) {
	for range 3 {
		s.pizza(nil)
	}
	for _, b := range boards {
		b.do(`void document.querySelector(".group-line.waiting").click()`)
		b.until(`document.querySelectorAll(".table-body .table-row").length >= 3`)
		b.press("*", "a")
		b.until(`document.querySelector("dialog[open] .assign-list button")`)
	}
	for _, b := range boards {
		b.click("Choose for me")
	}
	for _, b := range boards {
		b.until(`document.querySelector("dialog[open] .outcome li")`)
		b.do(`void [...document.querySelectorAll("dialog[open] .dialog-actions button")].at(-1).click()`)
		b.until(`!document.querySelector("dialog[open]")`)
		b.press("Escape") // what it could not assign is still selected
	}
}
