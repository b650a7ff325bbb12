#!/usr/bin/env bash
# Checks /openapi.json and /asyncapi.yaml with redocly and spectral, and that the product does what
# /openapi.json says, with every check of schemathesis. SEED chooses its requests.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

dir=$(mktemp -d)
server=''
cleanup() {
  if [ -n "$server" ]; then
    kill "$server" || true
    wait "$server" || true
  fi
  rm -rf "$dir"
}
trap cleanup EXIT
# shellcheck source=scripts/http/lib.sh
. scripts/http/lib.sh

tools=$(packages @redocly/cli@2.7.0 @stoplight/spectral-cli@6.16.3)/.bin
python=$(python schemathesis==4.32.5)

serve --set=limits.key_rate=0 --set=limits.failed_rate=0
curl -fsS "$url/openapi.json" >"$dir/openapi.json"
curl -fsS "$url/asyncapi.yaml" >"$dir/asyncapi.yaml"
REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true "$tools/redocly" lint --config scripts/http/redocly.yaml --max-problems 20 "$dir/openapi.json"
"$tools/spectral" lint --ruleset scripts/http/spectral.yaml --fail-severity hint "$dir/openapi.json" "$dir/asyncapi.yaml"

# Streams do not end, and profiles take as long as is asked for.
streams=()
for id in watchOrder streamOrder watchMany profile; do streams+=(--exclude-operation-id "$id"); done
export SCHEMATHESIS_HOOKS=$PWD/scripts/http/schemathesis.py PYTHONDONTWRITEBYTECODE=1
config=$PWD/scripts/http/schemathesis.toml
cd "$dir" # where it keeps what it found
"$python/schemathesis" --config-file "$config" run "$dir/openapi.json" --url "$url" \
  --header "Authorization: Bearer $KEY" --checks all --seed "${SEED:-1}" --max-examples 8 "${streams[@]}"
