#!/usr/bin/env bash
# Reads the product's topics with kafka-python and KafkaJS as they come from their
# registries, with no codec added, from the broker in the process and, where
# TEST_KAFKA_BROKERS names one, from Apache Kafka.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

orders=25
dir=$(mktemp -d)
server=''
cleanup() {
  [ -z "$server" ] || kill -KILL "$server" 2>/dev/null || true
  rm -rf "$dir"
}
trap cleanup EXIT

python3 -m venv "$dir/python"
"$dir/python/bin/pip" install --quiet --disable-pip-version-check kafka-python==3.0.12
npm install --silent --no-audit --no-fund --prefix "$dir" kafkajs@2.2.4
go build -o "$dir/order-tracking" ./cmd

# walk [FLAG...]: starts the product, makes orders, moves them and reads the topics.
walk() {
  local url brokers id
  HTTP_ADDR=127.0.0.1:0 GRPC_ADDR=127.0.0.1:0 "$dir/order-tracking" --kafka-listen=127.0.0.1:0 \
    --database-url="sqlite://$dir/orders-$RANDOM.db" --set=kafka.dir="$dir/kafka-$RANDOM" "$@" >"$dir/log" 2>&1 &
  server=$!
  until url=$(sed -n 's|.*"http":"\([^"]*\)".*|http://\1|p' "$dir/log") && [ -n "$url" ]; do
    kill -0 "$server" || { cat "$dir/log" >&2; exit 1; }
    sleep 0.1
  done
  brokers=$(sed -n 's|.*"kafka":\["\([^]]*\)"\].*|\1|p' "$dir/log" | sed 's/","/,/g')
  : >"$dir/ids"
  for _ in $(seq "$orders"); do
    id=$(curl -fsS "$url/order" -H 'Content-Type: application/json' \
      -d '{"customer":{"name":"Анна"},"dropoff":{"address":"Main St 1"}}' | sed 's/^{"id":"\([^"]*\)".*/\1/')
    echo "$id" >>"$dir/ids"
    curl -fsS -o "$dir/answer" -X PATCH "$url/order/$id/status" -H 'Content-Type: application/json' -d '{"status":"confirmed"}'
  done
  "$dir/python/bin/python" scripts/kafka/read.py "$brokers" "$dir/ids"
  (cd "$dir" && node "$OLDPWD/scripts/kafka/read.mjs" "$brokers" ids)
  kill -TERM "$server"
  wait "$server"
  server=''
}

echo "from the broker in the process:"
walk
if [ -n "${TEST_KAFKA_BROKERS:-}" ]; then
  echo "from Apache Kafka:"
  walk --kafka-brokers="$TEST_KAFKA_BROKERS"
fi
