#!/usr/bin/env bash
# Looks after the pages. They run as they are; this only checks them, and fetches what
# they are made of:
#
#   scripts/web.sh vendor   makes web/vendor and docs/licences.md from the pinned packages
#   scripts/web.sh verify   says whether those are what vendor would make
#   scripts/web.sh lint     format, lint and types; the API's types come from /openapi.json
#   scripts/web.sh format   formats, and mends what can be mended without a thought
#   scripts/web.sh test     the tests of what needs no browser
#   scripts/web.sh modules  says where the packages are
#
# It needs Node 20 and npm. Packages are kept outside of the tree.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
for program in node npm; do
  command -v $program >/dev/null || { echo "scripts/web.sh needs Node 20 and npm" >&2; exit 1; }
done

# modules installs the pinned packages once for each lock file and prints their folder.
modules() {
  local lock dir
  lock=$(cat tools/web/package.json tools/web/package-lock.json | sha256sum | cut -c 1-12)
  dir=${XDG_CACHE_HOME:-$HOME/.cache}/order-tracking/npm-$lock
  if [ ! -e "$dir/complete" ]; then
    rm -rf "$dir"
    mkdir -p "$dir"
    cp tools/web/package.json tools/web/package-lock.json tools/web/.npmrc "$dir"
    npm ci --prefix "$dir" --ignore-scripts --no-audit --no-fund --loglevel=error >&2
    touch "$dir/complete"
  fi
  printf '%s\n' "$dir/node_modules"
}

# document asks a server for its description of the API.
document() {
  local work=$1 pid addr=
  go build -o "$work/server" ./cmd
  : >"$work/log"
  (cd "$work" && exec ./server --http-addr=127.0.0.1:0 --grpc-addr=127.0.0.1:0 --kafka-listen=127.0.0.1:0) 2>"$work/log" >&2 &
  pid=$!
  for _ in $(seq 100); do
    addr=$(sed -n 's/.*"serving".*"http":"\([^"]*\)".*/\1/p' "$work/log")
    if [ -n "$addr" ]; then break; fi
    sleep 0.1
  done
  [ -n "$addr" ] || { cat "$work/log" >&2; exit 1; }
  curl -sSf "http://$addr/openapi.json" >"$work/openapi.json"
  kill "$pid"
  wait "$pid" || true
}

# types checks JSDoc types, with those of the API as the server describes it today.
types() {
  local found=$1 work
  work=$(mktemp -d)
  # shellcheck disable=SC2064 # the folder's name is known now
  trap "rm -rf '$work'" EXIT
  document "$work"
  node "$found/openapi-typescript/bin/cli.js" "$work/openapi.json" -o "$work/api.d.ts" >/dev/null
  cat >"$work/tsconfig.json" <<JSON
{ "extends": "$root/tools/web/tsconfig.json",
  "include": ["$root/web/**/*.js", "$root/web/**/*.d.ts", "$work/api.d.ts"], "exclude": ["$root/web/vendor/*.js", "$root/web/**/*.test.js"],
  "compilerOptions": { "typeRoots": ["$found/@types"], "paths": { "#api": ["$work/api.d.ts"], "*": ["$found/@types/*", "$found/*"] } } }
JSON
  node "$found/typescript/bin/tsc" -p "$work/tsconfig.json"
}

found=$(modules)
biome() { node "$found/@biomejs/biome/bin/biome" "$1" --colors=off --error-on-warnings "${@:2}"; }
case ${1-} in
  modules) echo "$found" ;;
  vendor) node tools/web/vendor.mjs "$found" web ;;
  verify) node tools/web/vendor.mjs "$found" web --check ;;
  format) biome check --write ;;
  lint)
    biome ci
    types "$found"
    ;;
  test) node --test tools/web/test/ ;;
  *) sed -n '2,12p' "$0" >&2; exit 2 ;;
esac
