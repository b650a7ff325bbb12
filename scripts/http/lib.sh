# shellcheck shell=bash
# What scripts/http-clients.sh and scripts/documents.sh share. $dir is their folder.
: "${dir:?}"

KEY=clients-clients-clients-clients-clients-1
export KEY

# cached PACKAGE...: the folder of packages that are installed once, outside of the tree.
cached() {
  printf '%s/order-tracking/%s\n' "${XDG_CACHE_HOME:-$HOME/.cache}" "$(echo "$*" | sha256sum | cut -c 1-12)"
}

# python PACKAGE==VERSION...: installs packages and prints the folder of their programs.
python() {
  local at
  at=$(cached python "$@")
  if [ ! -e "$at/complete" ]; then
    rm -rf "$at"
    python3 -m venv "$at"
    "$at/bin/pip" install --quiet --disable-pip-version-check "$@" >&2
    touch "$at/complete"
  fi
  echo "$at/bin"
}

# packages PACKAGE@VERSION...: installs packages and prints their folder.
packages() {
  local at
  at=$(cached node "$@")
  if [ ! -e "$at/complete" ]; then
    rm -rf "$at"
    mkdir -p "$at"
    npm install --prefix "$at" --ignore-scripts --no-audit --no-fund --loglevel=error "$@" >&2
    touch "$at/complete"
  fi
  echo "$at/node_modules"
}

# serve [FLAG...]: starts the product in a fresh database; $url is its address, $server its process.
serve() {
  go build -o "$dir/order-tracking" ./cmd
  BOOTSTRAP_ADMIN_KEY=$KEY HTTP_ADDR=127.0.0.1:0 GRPC_ADDR=127.0.0.1:0 "$dir/order-tracking" --kafka-listen=127.0.0.1:0 \
    --database-url="sqlite://$dir/orders.db" --set=kafka.dir="$dir/kafka" "$@" >"$dir/log" 2>&1 &
  server=$!
  until url=$(sed -n 's|.*"http":"\([^"]*\)".*|http://\1|p' "$dir/log") && [ -n "$url" ]; do
    kill -0 "$server" || { cat "$dir/log" >&2; exit 1; }
    sleep 0.1
  done
}
