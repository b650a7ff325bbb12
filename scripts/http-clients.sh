#!/usr/bin/env bash
# Calls the product with clients of other languages, directly and through nginx as Debian ships
# it (only client_max_body_size raised): refusals of bodies that are not read can be read, an
# import is answered once it is there, events pass a buffering proxy, and clients generated
# from /openapi.json lead an order through its life.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

dir=$(mktemp -d)
server='' proxy=''
cleanup() {
  for process in $proxy $server; do
    kill "$process" || continue
    wait "$process" || true
  done
  rm -rf "$dir"
}
trap cleanup EXIT
# shellcheck source=scripts/http/lib.sh
. scripts/http/lib.sh

python=$(python requests==2.34.2 openapi-python-client==0.29.1)
modules=$(packages eventsource@4.1.0 openapi-fetch@0.17.0 openapi-typescript@7.13.0 typescript@5.9.3)

# through_nginx: starts nginx before the product; $through is its address.
through_nginx() {
  local port
  command -v nginx >/dev/null || { echo "scripts/http-clients.sh needs nginx" >&2; exit 1; }
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  mkdir "$dir/nginx"
  [ "$(id -u)" != 0 ] || chown www-data "$dir/nginx"
  chmod 755 "$dir"
  sed -e "s|^pid .*|pid $dir/nginx/pid;|" -e "s|/var/log/nginx|$dir/nginx|" -e '/modules-enabled/d' -e '/conf.d/d' \
    -e "s|include /etc/nginx/sites-enabled.*|include $dir/nginx/site;|" /etc/nginx/nginx.conf >"$dir/nginx/conf"
  cat >"$dir/nginx/site" <<SITE
server {
  listen 127.0.0.1:$port;
  client_max_body_size 64m;
  client_body_temp_path $dir/nginx/body;
  proxy_temp_path $dir/nginx/proxy;
  location / { proxy_pass $url; include /etc/nginx/proxy_params; }
}
SITE
  nginx -c "$dir/nginx/conf" -e "$dir/nginx/error.log" -g 'daemon off;' &
  proxy=$!
  through=http://127.0.0.1:$port
  until curl -fsS -o /dev/null "$through/readyz" 2>/dev/null; do
    kill -0 "$proxy" || exit 1
    sleep 0.1
  done
}

# refused ADDRESS SIZE...: curl reads the refusal of a body of that many bytes.
refused() {
  local address=$1 size got
  shift
  for size in "$@"; do
    head -c "$size" /dev/zero | tr '\0' x >"$dir/body"
    got=$(curl -sS -o "$dir/answer" -w '%{http_code}' --data-binary "@$dir/body" -H "Authorization: Bearer $KEY" \
      -H 'Content-Type: application/json' -H 'Expect:' "$address/order") || true
    if [ "$got" != 413 ] || ! grep -q '"code":"too_large"' "$dir/answer"; then
      echo "curl: a body of $size bytes was answered $got" >&2
      exit 1
    fi
  done
  echo "curl: $# of $# refusals read"
}

serve "$@"
through_nginx
order=$(curl -fsS "$url/order" -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' \
  -d '{"customer":{"name":"Анна"},"dropoff":{"address":"Main St 1"}}' | sed 's/^{"id":"\([^"]*\)".*/\1/')
for address in "$url" "$through"; do
  echo "at $address:"
  refused "$address" 1100000 5000000 20000000
  "$python/python" scripts/http/refusals.py "$address" "$KEY" "$order"
  node scripts/http/refusals.mjs "$address" "$KEY" "$order"
  "$python/python" scripts/http/imports.py "$address" "$KEY"
  NODE_MODULES=$modules node scripts/http/events.mjs "$address" "$KEY"
done

echo "clients generated from /openapi.json:"
curl -fsS "$url/openapi.json" >"$dir/openapi.json"
"$python/openapi-python-client" generate --path "$dir/openapi.json" --meta none --output-path "$dir/generated" >"$dir/generator.log" 2>&1 || { cat "$dir/generator.log" >&2; exit 1; }
PYTHONPATH=$dir "$python/python" scripts/http/life.py "$url" "$KEY"
ln -s "$modules" "$dir/node_modules"
cp scripts/http/life.ts "$dir"
echo '{"type":"module"}' >"$dir/package.json"
node "$modules/openapi-typescript/bin/cli.js" "$dir/openapi.json" -o "$dir/api.d.ts" >/dev/null
node "$modules/typescript/bin/tsc" --strict --target es2022 --module nodenext --moduleResolution nodenext --skipLibCheck \
  --lib es2022,dom --outDir "$dir/life" "$dir/life.ts"
node "$dir/life/life.js" "$url" "$KEY"
