#!/usr/bin/env python3
"""Compares the product's tours with those of VROOM, which "pip install pyvroom" brings.

    go run ./tools/realdata dispatch --tours 100 | tools/realdata/dispatch/oracle.py

For each kind of made-up tour of 25 stops it prints how much more the product's cost, and fails where that is more
than 3 % on average."""
import collections, json, sys
import vroom

MOST, LATE = 1.03, 3


def cost(t, order):
    """A tour's length, a second of lateness being as bad as three of driving, or what is wrong with it."""
    if sorted(order) != list(range(len(order))):
        sys.exit("a stop is missing")
    now, at, late, seen = 0, len(order), 0, set()
    for stop in order:
        now, at = now + t["way"][at][stop], stop
        if t["before"][stop] >= 0 and t["before"][stop] not in seen:
            sys.exit("a drop-off comes before its pick-up")
        late += max(0, now - t["late"][stop]) if t["late"][stop] else 0
        seen.add(stop)
    return now + LATE * late


def oracle(t):
    """VROOM's order of the stops, none if it can't be on time everywhere."""
    n = len(t["order"])
    problem = vroom.Input()
    problem.set_durations_matrix("car", [row + [0] for row in t["way"]])
    problem.add_vehicle(vroom.Vehicle(1, start=n))
    windows = [[vroom.TimeWindow(0, late)] if late else [] for late in t["late"]]
    steps = [dict(id=i, location=i, time_windows=w) if w else dict(id=i, location=i) for i, w in enumerate(windows)]
    picked = {b: i for i, b in enumerate(t["before"]) if b >= 0}
    for i in range(n):
        if i in picked:
            problem.add_shipment(vroom.ShipmentStep(**steps[i]), vroom.ShipmentStep(**steps[picked[i]]))
        elif t["before"][i] < 0:
            problem.add_job(vroom.Job(**steps[i]))
    solution = problem.solve(exploration_level=5, nb_threads=1)
    if solution.summary.unassigned:
        return None
    routes = solution.routes
    return [int(i) for i, kind in zip(routes["id"], routes["type"]) if kind not in ("start", "end")]


def main():
    ratios, took = collections.defaultdict(list), []
    for t in (json.loads(line) for line in sys.stdin if line.startswith("{")):
        took.append(t["took_ms"])
        if best := oracle(t):
            ratios[t["kind"]].append(cost(t, t["order"]) / cost(t, best))
    for kind, r in ratios.items():
        r.sort()
        print(f"{kind}: {len(r)} tours, {sum(r) / len(r):.4f} of VROOM's cost on average, {r[len(r) // 2]:.4f} at the median, {r[-1]:.4f} at most")
    print(f"{sum(took) / max(1, len(took)):.1f} ms a tour")
    sys.exit(not ratios or any(sum(r) / len(r) > MOST for r in ratios.values()))


main()
