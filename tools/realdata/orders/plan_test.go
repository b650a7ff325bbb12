package orders

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/pkg/client"
)

const csvHeader = "id,user_id,rider_id,platform,biz,month_block,dom,weekday,placed,confirmed,at_pickup,picked_up,road_km,temp_c,rain_mm,p_lat,p_lng,d_lat,d_lng,arrived\n"

// line is an invented row with these times of day.
func line(n int, placed, confirmed, atPickup, pickedUp, arrived string) string {
	return fmt.Sprintf("Order_%d,User_%d,Rider_%d,3,Business,2,9,4,%s,%s,%s,%s,4,20.4,,-1.25,36.5,-1.5,36.75,%s\n",
		n, n%7, n%3, placed, confirmed, atPickup, pickedUp, arrived)
}

func ordinary(n int) string {
	return line(n, "09:00:00", "09:01:00", "09:10:00", "09:20:00", "09:40:00")
}

func planOf(t *testing.T, index int, text string) *plan {
	t.Helper()
	rows, err := readRows(strings.NewReader(csvHeader+text), 0)
	require.NoError(t, err)
	rows[0].index = index
	return newPlan("run", rows[0])
}

// story writes a history as "status/version" with what came late in brackets.
func story(h *history) string {
	var parts []string
	for _, e := range h.entries {
		if e.kind == typeLate {
			parts = append(parts, "("+string(e.status)+")")
			continue
		}
		parts = append(parts, fmt.Sprintf("%s/%d", e.status, e.version))
	}
	return strings.Join(parts, " ")
}

func TestWhatBecomesOfTimes(t *testing.T) {
	for name, tc := range map[string]struct {
		row    string
		story  string
		byHand bool
	}{
		"in order": {
			ordinary(1), "created/1 (created) confirmed/2 assigned/3 at_pickup/4 picked_up/5 delivered/6", false,
		},
		"all at once": {
			line(1, "09:00:00", "09:00:00", "09:00:00", "09:00:00", "09:00:00"),
			"created/1 (created) confirmed/2 assigned/3 at_pickup/4 picked_up/5 delivered/6", false,
		},
		"confirmed before placed": {
			line(1, "09:00:00", "08:59:59", "09:10:00", "09:20:00", "09:40:00"),
			"created/1 (created) (confirmed) assigned/2 at_pickup/3 picked_up/4 delivered/5", false,
		},
		"at_pickup before confirmed": {
			line(1, "09:00:00", "09:15:00", "09:10:00", "09:20:00", "09:40:00"),
			"created/1 (created) confirmed/2 assigned/3 (at_pickup) picked_up/4 delivered/5", false,
		},
		"picked_up before at_pickup": {
			line(1, "09:00:00", "09:01:00", "09:10:00", "09:09:00", "09:40:00"),
			"created/1 (created) confirmed/2 assigned/3 at_pickup/4 (picked_up) picked_up/5 delivered/6", true,
		},
		"everything before placed": {
			line(1, "09:00:00", "08:01:00", "08:10:00", "08:09:00", "08:40:00"),
			"created/1 (created) (confirmed) assigned/2 (at_pickup) (picked_up) picked_up/3 delivered/4", true,
		},
		"delivered before picked_up": {
			line(1, "09:00:00", "09:01:00", "09:10:00", "09:20:00", "09:15:00"),
			"created/1 (created) confirmed/2 assigned/3 at_pickup/4 picked_up/5 delivered/6", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := planOf(t, 4, tc.row)
			require.Equal(t, tc.story, story(p.want))
			require.Equal(t, tc.byHand, p.byHand)
			last := p.want.entries[len(p.want.entries)-1]
			require.Equal(t, p.arrived, last.occurred, "a person's time is kept as it is")
			require.Equal(t, last.version, p.want.version)
			require.Len(t, p.want.changes(), int(p.want.version))
		})
	}
}

func TestRepeatsAndOtherOrdersChangeOnlyTheNotes(t *testing.T) {
	seen := map[string]bool{}
	for index := range 400 {
		p := planOf(t, index, ordinary(1))
		h := p.want
		require.Equal(t, client.StatusDelivered, h.status)
		doubled, shuffled := index%4 == 1, index%8 >= 6
		if doubled {
			require.Len(t, p.before, 4)
		} else {
			require.Len(t, p.before, 2)
		}
		require.Len(t, p.after, len(p.before))
		reports := map[string]int{}
		for _, e := range h.entries {
			if e.reported {
				reports[string(e.status)]++
			}
		}
		require.Equal(t, map[string]int{"created": 1, "confirmed": 1, "at_pickup": 1, "picked_up": 1}, reports,
			"each report enters the history once")
		if !shuffled {
			require.Equal(t, "created/1 (created) confirmed/2 assigned/3 at_pickup/4 picked_up/5 delivered/6", story(h))
		}
		seen[story(h)] = true
	}
	require.Equal(t, map[string]bool{
		"created/1 (created) confirmed/2 assigned/3 at_pickup/4 picked_up/5 delivered/6": true,
		"created/1 confirmed/2 (created) assigned/3 at_pickup/4 picked_up/5 delivered/6": true,
		"created/1 (created) confirmed/2 assigned/3 picked_up/4 (at_pickup) delivered/5": true,
		"created/1 confirmed/2 (created) assigned/3 picked_up/4 (at_pickup) delivered/5": true,
	}, seen)
}

func TestWaits(t *testing.T) {
	p := planOf(t, 0, ordinary(1))
	require.Equal(t, wait{version: 2}, p.wantBefore, "confirmed is published")
	require.Equal(t, wait{version: 5}, p.wantAfter)
	p = planOf(t, 0, line(1, "09:00:00", "08:59:00", "09:10:00", "09:09:00", "09:40:00"))
	require.Equal(t, wait{version: 1, entries: 3}, p.wantBefore, "notes are not published")
	require.Equal(t, wait{version: 3, entries: 6}, p.wantAfter)
}

func TestThePlanOfARowIsTheSameEveryTime(t *testing.T) {
	for index := range 16 {
		require.Equal(t, planOf(t, index, ordinary(1)), planOf(t, index, ordinary(1)))
	}
	a, b := planOf(t, 0, ordinary(1)), planOf(t, 0, ordinary(1))
	b.run = "other"
	require.NotEqual(t, newPlan("other", a.row).externalID, a.externalID, "runs do not meet")
}

func TestLeads(t *testing.T) {
	for _, c := range []struct {
		from, to client.Status
		want     bool
	}{
		{client.StatusCreated, client.StatusDelivered, true},
		{client.StatusCreated, client.StatusCreated, false},
		{client.StatusAssigned, client.StatusConfirmed, true},
		{client.StatusConfirmed, client.StatusConfirmed, true},
		{client.StatusPickedUp, client.StatusAtPickup, false},
		{client.StatusDelivered, client.StatusPickedUp, false},
	} {
		require.Equal(t, c.want, leads(c.from, c.to), "%s to %s", c.from, c.to)
	}
}

func TestRowsAreRead(t *testing.T) {
	rows, err := readRows(strings.NewReader(csvHeader+ordinary(0)+ordinary(1)+ordinary(2)), 2)
	require.NoError(t, err)
	require.Len(t, rows, 2)
	r := rows[1]
	require.Equal(t, 1, r.index)
	require.Equal(t, "Order_1", r.id)
	require.Equal(t, client.Point{Lat: -1.25, Lon: 36.5}, r.pickup)
	require.Equal(t, client.Point{Lat: -1.5, Lon: 36.75}, r.dropoff)
	local := r.placed.In(zone)
	require.Equal(t, "09:00:00", local.Format(time.TimeOnly))
	require.Equal(t, time.Thursday, local.Weekday())
	require.Equal(t, 9, local.Day())
	first := local.AddDate(0, 0, -8)
	require.Equal(t, time.Wednesday, first.Weekday())
	require.Less(t, local.Year(), 2026)
}

func TestBadRowsAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no rows":          csvHeader,
		"no column":        "id,user_id\n1,2\n",
		"twice the same":   csvHeader + ordinary(1) + ordinary(1),
		"not a time":       csvHeader + line(1, "x", "09:01:00", "09:10:00", "09:20:00", "09:40:00"),
		"not that weekday": csvHeader + strings.Replace(ordinary(1), ",9,4,", ",9,5,", 1),
		"no such day":      csvHeader + strings.Replace(ordinary(1), ",9,4,", ",32,4,", 1),
		"not a coordinate": csvHeader + strings.Replace(ordinary(1), "36.5,", "east,", 1),
		"no rider":         csvHeader + strings.Replace(ordinary(1), "Rider_1", "", 1),
		"a field too few":  csvHeader + "Order_1,User_1\n",
	} {
		_, err := readRows(strings.NewReader(text), 0)
		require.Error(t, err, name)
	}
}

func TestEveryDayOfADataSetHasItsWeekday(t *testing.T) {
	for block := range 7 {
		for dom := 1; dom <= 31; dom++ {
			weekday := (block+dom-1)%7 + 1
			day, err := date(fmt.Sprint(block), fmt.Sprint(dom), fmt.Sprint(weekday))
			require.NoError(t, err)
			require.Equal(t, dom, day.Day())
			require.Equal(t, weekday-1, mondayBased(day))
			require.Less(t, day.Year(), 2026)
		}
	}
}
