#!/usr/bin/env bash
# The first five minutes of a stranger, without the stranger: start the product with
# "go run cmd/main.go" on nothing but Go, create an order, move it, stop the server,
# start it again and find everything there. Ports are spare ones and the data is
# temporary, so that it can run beside a server in use.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

dir=$(mktemp -d)
go='' server=''
say() { printf 'smoke: %s\n' "$*"; }
die() {
  printf 'smoke: %s\n' "$*" >&2
  cat "$dir/log" >&2 2>/dev/null || true
  exit 1
}
cleanup() {
  [ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true
  [ -z "$go" ] || kill -KILL "$go" 2>/dev/null || true
  rm -rf "$dir"
}
trap cleanup EXIT

# Everything of the environment that would configure the product is left out.
for name in $(compgen -e); do
  case $name in
    DATABASE_URL | REDIS_URL | KAFKA_* | HTTP_ADDR | GRPC_ADDR | LOG_LEVEL | BOOTSTRAP_ADMIN_KEY* | OT_*) unset "$name" ;;
  esac
done
export DATABASE_URL=sqlite://$dir/order-tracking.db OT_KAFKA__DIR=$dir/kafka
export HTTP_ADDR=127.0.0.1:0 GRPC_ADDR=127.0.0.1:0 KAFKA_LISTEN=127.0.0.1:0

start() {
  : >"$dir/log"
  go run cmd/main.go >"$dir/log" 2>&1 </dev/null &
  go=$!
  local end=$((SECONDS + 600)) # the first time everything is compiled
  until url=$(sed -n 's|.*\(http://127\.0\.0\.1:[0-9]*\).*|\1|p' "$dir/log" | head -n 1) && [ -n "$url" ] &&
    curl -fsS -m 5 -o /dev/null "$url/readyz" 2>/dev/null; do
    kill -0 "$go" 2>/dev/null || die "the server ended by itself"
    [ $SECONDS -lt $end ] || die "the server is not ready"
    sleep 0.1
  done
  # "go run" does not pass signals on, so that the server itself is told to stop.
  server=$(cat /proc/"$go"/task/*/children | tr -d ' ')
  [ -n "$server" ] || die "no server below go run"
}

stop() {
  local status=0
  kill -TERM "$server"
  wait "$go" || status=$?
  go='' server=''
  [ $status = 0 ] || die "the server stopped with exit code $status"
}

# call WANT METHOD PATH [BODY]: the answer is in $answer, the status must be WANT.
call() {
  local got
  got=$(curl -sS -m 10 -X "$2" "$url$3" -H 'Content-Type: application/json' ${4:+-d "$4"} -o "$dir/answer" -w '%{http_code}') || die "$2 $3 was not answered"
  answer=$(cat "$dir/answer")
  [ "$got" = "$1" ] || die "$2 $3 answered $got instead of $1: $answer"
}

has() { [[ $answer == *"$1"* ]] || die "the answer lacks $1: $answer"; }

start
say "up on $url"
call 201 POST /order '{"customer":{"name":"Анна"},"dropoff":{"address":"Main St 1"},"external_id":"smoke-1"}'
id=$(sed -n 's/.*"id": *"\([0-9a-f-]\{36\}\)".*/\1/p' "$dir/answer")
[ -n "$id" ] || die "no id in $answer"
call 200 GET "/order/$id"
has '"external_id":"smoke-1"'
has '"name":"Анна"'
call 200 PATCH "/order/$id/status" '{"status":"confirmed"}'
has '"status":"confirmed"'
call 409 PATCH "/order/$id/status" '{"status":"delivered"}'
has '"allowed_transitions"'
call 404 GET /order/01890000-0000-7000-8000-000000000000
stop
say "stopped when told to, with exit code 0"

start
call 200 GET "/order/$id"
has '"status":"confirmed"'
call 200 GET "/order/$id/events"
has '"type":"order.created"'
has '"type":"order.status_changed"'
stop
say "PASS: order $id was created, moved and found again after a restart"
