#!/usr/bin/env bash
# Drives real orders through a server that is killed with -9 at random moments and
# started again. Run it in the project's root:
#
#   tools/realdata/with-kills.sh --file FILE [--limit N] [--concurrency N] …
#
# Everything after the name goes to `realdata orders`; the addresses are set here.
# Exit code: the driver's; 3 when it was done before the last kill, so that fewer kills
# than asked for never look like a success.
#
#   KILLS=3         how often
#   EVERY=4-12      seconds between a start and the next kill, from-to
#   HTTP_ADDR, GRPC_ADDR, KAFKA_LISTEN   where the server listens
#   WORK            where binaries, data and logs go; a new temporary directory when not
#                   set, which is kept when something failed
#   DATABASE_URL, REDIS_URL, KAFKA_BROKERS and others are passed on as they are.
set -euo pipefail

kills=${KILLS:-3}
every=${EVERY:-4-12}
from=${every%-*} to=${every#*-}
export HTTP_ADDR=${HTTP_ADDR:-127.0.0.1:18080}
export GRPC_ADDR=${GRPC_ADDR:-127.0.0.1:19090}
export KAFKA_LISTEN=${KAFKA_LISTEN:-127.0.0.1:19092}
kept=${WORK:-}
work=${WORK:-$(mktemp -d)}
mkdir -p "$work"
export DATABASE_URL=${DATABASE_URL:-sqlite://$work/orders.db}
export OT_KAFKA__DIR=${OT_KAFKA__DIR:-$work/kafka}
kafka=${KAFKA_BROKERS:-$KAFKA_LISTEN}

server='' driver=''
# shellcheck disable=SC2317 # called by the trap
finish() {
  code=$?
  [ -z "$driver" ] || kill "$driver" 2>/dev/null || true
  [ -z "$server" ] || kill -9 "$server" 2>/dev/null || true
  if [ "$code" = 0 ] && [ -z "$kept" ]; then rm -rf "$work"; else echo "logs and data: $work" >&2; fi
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM

start() {
  "$work/server" >>"$work/server.log" 2>&1 &
  server=$!
  for _ in $(seq 300); do
    curl -fsS -o /dev/null --max-time 1 "http://$HTTP_ADDR/readyz" 2>/dev/null && return
    kill -0 "$server" 2>/dev/null || { echo "the server ended by itself:" >&2; tail -5 "$work/server.log" >&2; exit 1; }
    sleep 0.1
  done
  echo "the server was not ready within 30 s" >&2
  exit 1
}

go build -o "$work/server" ./cmd
go build -o "$work/realdata" ./tools/realdata
start
"$work/realdata" orders --http "$HTTP_ADDR" --grpc "$GRPC_ADDR" --kafka "${kafka%%,*}" "$@" &
driver=$!
done_kills=0
while [ "$done_kills" -lt "$kills" ]; do
  sleep "$(awk -v a="$from" -v b="$to" -v r="$RANDOM" 'BEGIN { printf "%.2f", a + (b - a) * r / 32768 }')"
  kill -0 "$driver" 2>/dev/null || break
  kill -9 "$server"
  wait "$server" 2>/dev/null || true
  done_kills=$((done_kills + 1))
  sleep "$(awk -v r="$RANDOM" 'BEGIN { printf "%.2f", 1.5 * r / 32768 }')"
  start
  echo "kill $done_kills of $kills: the server is back"
done
code=0
wait "$driver" || code=$?
driver=
if [ "$code" = 0 ] && [ "$done_kills" -lt "$kills" ]; then
  echo "the driver was done after $done_kills of $kills kills; give it more rows or a smaller EVERY" >&2
  code=3
fi
exit "$code"
