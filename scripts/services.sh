#!/usr/bin/env bash
# Real PostgreSQL, Redis and Apache Kafka for the tests, without Docker, and a browser for
# the page tests. Everything listens on spare loopback ports and keeps its data in one
# temporary folder, so that nothing of the machine's own is touched.
#
#   scripts/services.sh up              start what does not run yet, wait until it answers
#   scripts/services.sh env             print export lines: eval "$(scripts/services.sh env)"
#   scripts/services.sh down            stop everything and delete the data
#   scripts/services.sh stop  SERVICE   stop one (postgres, redis, redis-cluster, kafka), keep its data
#   scripts/services.sh start SERVICE   start it again, on the same port
#   scripts/services.sh pid   SERVICE   print its process id
#
# As root on Debian it installs what is missing; otherwise it says what to install.
# SERVICES names a second set beside the default one: SERVICES=faults scripts/services.sh up
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# One state file for a checkout and set, so that two checkouts don't stop each other's servers.
set_id=$(printf '%s' "$root" | cksum | cut -d ' ' -f 1)-${SERVICES:-default}
state_dir=${XDG_STATE_HOME:-$HOME/.local/state}/order-tracking
state=$state_dir/services-$set_id
cache=${XDG_CACHE_HOME:-$HOME/.cache}/order-tracking
servers=(postgres redis redis-cluster kafka)

say() { printf 'services: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# ---- programs ---------------------------------------------------------------

pg_bin() { # the folder of initdb and postgres: Debian keeps them out of PATH
  local dir
  for dir in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV) "$(pg_config --bindir 2>/dev/null || true)" \
    "$(dirname "$(command -v postgres || echo /-/-)")"; do
    [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ] && { printf '%s' "$dir"; return; }
  done
  return 1
}

browser() {
  local name
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    command -v "$name" && return
  done
  return 1
}

has_java() { # Kafka 4 needs Java 17
  local version
  version=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
  [ "${version:-0}" -ge 17 ]
}

install_missing() {
  local missing=()
  pg_bin >/dev/null || missing+=(postgresql)
  command -v redis-server >/dev/null && command -v redis-cli >/dev/null || missing+=(redis-server)
  has_java || missing+=(default-jre-headless)
  [ -f "$(jars)/complete" ] || command -v mvn >/dev/null || missing+=(maven)
  browser >/dev/null || missing+=(chromium fonts-dejavu-core)
  # No service needs it: with it the README's tour is tested further.
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then command -v kcat >/dev/null || missing+=(kcat); fi
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then die "please install: ${missing[*]}"; fi
  say "installing ${missing[*]}"
  # The packages would start servers of their own on the usual ports: not wanted here.
  local policy=/usr/sbin/policy-rc.d mine=
  if [ ! -e "$policy" ]; then
    mine=1
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  local log status=0
  log=$(mktemp)
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } \
    >"$log" 2>&1 </dev/null || status=$?
  [ -z "$mine" ] || rm -f "$policy"
  [ $status = 0 ] || { tail -n 20 "$log" >&2; die "apt-get failed"; }
  rm -f "$log"
}

# ---- state ------------------------------------------------------------------
# Lines of name=value that only this script writes: the data folder, the ports, the
# password, and of each server its pid and the moment it started.

get() { [ -f "$state" ] && sed -n "s|^$1=||p" "$state" | tail -n 1; }
put() { printf '%s=%s\n' "$1" "$2" >>"$state"; }

# started_at tells one process from a later one with the same pid.
started_at() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }

running() { # running SERVICE: the very process that was started here lives
  local pid
  pid=$(get "$1_pid") && [ -n "$pid" ] && [ -n "$(started_at "$pid")" ] &&
    [ "$(started_at "$pid")" = "$(get "$1_started")" ] && ! grep -q '^State:[[:space:]]*Z' "/proc/$pid/status"
}

remember() { put "$1_pid" "$2"; put "$1_started" "$(started_at "$2")"; }

spare_port() { # below the range from which the system gives out ports
  local port
  for _ in $(seq 200); do
    port=$((15000 + RANDOM % 15000))
    grep -qs "_port=$port\$" "$state" && continue
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { printf '%s' "$port"; return; }
  done
  die "no spare port found"
}

first_time() {
  local dir name port
  dir=$(mktemp -d "${TMPDIR:-/tmp}/order-tracking.XXXXXX")
  chmod 711 "$dir" # the postgres user has to pass
  : >"$state"
  put dir "$dir"
  put password "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
  for name in "${servers[@]}" redis-bus kafka-controller; do
    port=$(spare_port)
    put "${name}_port" "$port"
  done
}

# launch NAME COMMAND...: in the background, in a session of its own, free of the lock.
launch() {
  local name=$1
  shift
  setsid "$@" >>"$dir/$name.log" 2>&1 </dev/null 9>&- &
  remember "$name" $!
  disown $!
}

# ---- PostgreSQL -------------------------------------------------------------

as_postgres() { # PostgreSQL refuses to run as root
  if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

# forget_killed_postgres removes the pid file of a server that was killed, once its last
# process has gone: PostgreSQL itself would be stopped by it while the dead server is a zombie.
forget_killed_postgres() {
  local process
  [ -f "$dir/postgres/postmaster.pid" ] || return 0
  for _ in $(seq 100); do
    for process in /proc/[0-9]*; do
      [ "$(readlink "$process/cwd" 2>/dev/null)" = "$dir/postgres" ] || continue
      sleep 0.1
      continue 2
    done
    rm -f "$dir/postgres/postmaster.pid"
    return
  done
  die "processes of a killed postgres still run in $dir/postgres"
}

start_postgres() {
  local bin data=$dir/postgres port
  bin=$(pg_bin) && port=$(get postgres_port)
  if [ ! -f "$data/PG_VERSION" ]; then
    mkdir -p "$data"
    [ "$(id -u)" != 0 ] || chown postgres: "$data"
    local password_file=$data.password
    (umask 077 && get password >"$password_file")
    [ "$(id -u)" != 0 ] || chown postgres: "$password_file"
    as_postgres "$bin/initdb" --pgdata="$data" --username=postgres --pwfile="$password_file" --auth=scram-sha-256 \
      --encoding=UTF8 --locale=C.UTF-8 >"$data.log" 2>&1 || { tail -n 20 "$data.log" >&2; die "initdb failed"; }
    rm -f "$password_file"
    # Everything that has to do with durability stays as it ships.
    as_postgres tee -a "$data/postgresql.conf" >/dev/null <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = ''
max_connections = 300
CONF
  fi
  forget_killed_postgres
  as_postgres "$bin/pg_ctl" start --pgdata="$data" --log="$data/server.log" --no-wait >/dev/null 9>&-
  local pid=
  for _ in $(seq 100); do
    pid=$(head -n 1 "$data/postmaster.pid" 2>/dev/null || true)
    [ -n "$pid" ] && [ -n "$(started_at "$pid")" ] && break
    sleep 0.1
  done
  [ -n "$pid" ] || { tail -n 20 "$data/server.log" >&2; die "postgres did not start"; }
  remember postgres "$pid"
}

postgres_url() { printf 'postgres://postgres:%s@127.0.0.1:%s/%s?sslmode=disable' "$(get password)" "$(get postgres_port)" "$1"; }

psql_quiet() { "$(pg_bin)/psql" --no-psqlrc --quiet --tuples-only --no-align "$@"; }

answers_postgres() {
  psql_quiet -c 'SELECT 1' "$(postgres_url postgres)" >/dev/null 2>&1 || return 1
  [ -n "$(psql_quiet -c "SELECT 1 FROM pg_database WHERE datname = 'order_tracking'" "$(postgres_url postgres)")" ] ||
    psql_quiet -c 'CREATE DATABASE order_tracking' "$(postgres_url postgres)" >/dev/null
}

# ---- Redis: one alone, and one that is a whole cluster -----------------------

start_redis() {
  mkdir -p "$dir/redis"
  launch redis redis-server --bind 127.0.0.1 --port "$(get redis_port)" --dir "$dir/redis" --save '' --appendonly no
}

answers_redis() { [ "$(redis-cli -p "$(get redis_port)" ping 2>/dev/null)" = PONG ]; }

start_redis-cluster() {
  mkdir -p "$dir/redis-cluster"
  launch redis-cluster redis-server --bind 127.0.0.1 --port "$(get redis-cluster_port)" --dir "$dir/redis-cluster" \
    --save '' --appendonly no --cluster-enabled yes --cluster-announce-ip 127.0.0.1 \
    --cluster-port "$(get redis-bus_port)"
}

answers_redis-cluster() {
  local cli=(redis-cli -p "$(get redis-cluster_port)")
  [ "$("${cli[@]}" ping 2>/dev/null)" = PONG ] || return 1
  if "${cli[@]}" cluster info | grep -q '^cluster_slots_assigned:0'; then
    "${cli[@]}" cluster addslotsrange 0 16383 >/dev/null
  fi
  "${cli[@]}" cluster info | grep -q '^cluster_state:ok'
}

# ---- Kafka: one node, broker and controller in one process --------------------

jars() { printf '%s/kafka-%s' "$cache" "$(sed -n 's|.*<kafka.version>\(.*\)</kafka.version>.*|\1|p' "$root/scripts/kafka/pom.xml")"; }

fetch_jars() {
  local to
  to=$(jars)
  [ ! -f "$to/complete" ] || return 0
  say "fetching Kafka's jars into $to"
  mkdir -p "$to"
  mvn --batch-mode --no-transfer-progress -Dstyle.color=never --file "$root/scripts/kafka/pom.xml" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$to" </dev/null >"$to/maven.log" 2>&1 ||
    { tail -n 20 "$to/maven.log" >&2; die "maven failed"; }
  touch "$to/complete"
}

kafka_java() { # kafka_java CLASS ARGUMENTS...: its command line, one word a line
  printf '%s\n' java -Xms256m -Xmx512m -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError -Djava.awt.headless=true \
    -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.showDateTime=true \
    -Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info -cp "$(jars)/*" "$@"
}

start_kafka() {
  local properties=$dir/kafka.properties command
  if [ ! -f "$dir/kafka/meta.properties" ]; then
    # Topics are not made by themselves, so that the product's own creation of them is tested.
    cat >"$properties" <<CONF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$(get kafka-controller_port)
listeners=PLAINTEXT://127.0.0.1:$(get kafka_port),CONTROLLER://127.0.0.1:$(get kafka-controller_port)
advertised.listeners=PLAINTEXT://127.0.0.1:$(get kafka_port)
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$dir/kafka
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=16777216
CONF
    mapfile -t command < <(kafka_java kafka.tools.StorageTool format --ignore-formatted \
      --cluster-id "$(head -c 16 /dev/urandom | base64 | tr '+/' 'ab' | cut -c 1-22)" --config "$properties")
    "${command[@]}" >"$dir/kafka.log" 2>&1 </dev/null 9>&- || { tail -n 20 "$dir/kafka.log" >&2; die "kafka: format failed"; }
  fi
  mapfile -t command < <(kafka_java kafka.Kafka "$properties")
  launch kafka "${command[@]}"
}

answers_kafka() { # an ApiVersions request is answered once the broker takes part in its cluster
  local reply
  reply=$( { exec 3<>"/dev/tcp/127.0.0.1/$(get kafka_port)" &&
    printf '\x00\x00\x00\x0a\x00\x12\x00\x00\x00\x00\x00\x2a\xff\xff' >&3 &&
    timeout 2 head -c 8 <&3 | od -An -tx1 | tr -d ' \n'; } 2>/dev/null) || return 1
  [ "${reply:8:8}" = 0000002a ]
}

# ---- all of them --------------------------------------------------------------

wait_for() { # wait_for SERVICE SECONDS
  local end=$((SECONDS + $2))
  until "answers_$1"; do
    running "$1" || { tail -n 20 "$dir/$1.log" "$dir/$1/server.log" >&2 2>/dev/null || true; die "$1 stopped by itself"; }
    [ $SECONDS -lt $end ] || { tail -n 20 "$dir/$1.log" >&2; die "$1 does not answer after $2 s"; }
    sleep 0.1
  done
}

stop_one() { # politely, and after 20 s not so
  running "$1" || return 0
  local pid signal=TERM
  pid=$(get "$1_pid")
  [ "$1" != postgres ] || signal=INT # the fast shutdown, which does not wait for clients
  kill -CONT "$pid" 2>/dev/null || true
  kill -s $signal "$pid" 2>/dev/null || true
  for _ in $(seq 200); do
    running "$1" || return 0
    sleep 0.1
  done
  say "$1 does not stop, killing it"
  kill -KILL "$pid" 2>/dev/null || true
  for _ in $(seq 50); do
    running "$1" || return 0
    sleep 0.1
  done
  die "$1 (pid $pid) can't be stopped"
}

up() {
  install_missing
  fetch_jars
  dir=$(get dir || true)
  [ -d "$dir" ] || first_time
  dir=$(get dir)
  local name
  for name in kafka postgres redis redis-cluster; do # the slowest first; they start side by side
    running "$name" || "start_$name"
  done
  for name in "${servers[@]}"; do wait_for "$name" 90; done
  say "up after $SECONDS s: PostgreSQL $(get postgres_port), Redis $(get redis_port), Redis Cluster $(get redis-cluster_port), Kafka $(get kafka_port); data and logs in $dir"
}

down() {
  dir=$(get dir || true)
  [ -n "$dir" ] || { say "nothing is up"; return 0; }
  local name
  for name in "${servers[@]}"; do stop_one "$name"; done
  case $dir in
    */order-tracking.??????) rm -rf -- "$dir" ;;
    *) say "left alone: $dir" ;;
  esac
  rm -f -- "$state"
}

print_env() {
  local name
  for name in "${servers[@]}"; do running "$name" || die "$name does not run: scripts/services.sh up"; done
  cat <<ENV
export TEST_DATABASE_URL='$(postgres_url order_tracking)'
export TEST_REDIS_URL='redis://127.0.0.1:$(get redis_port)/0'
export TEST_REDIS_CLUSTER_URL='redis://127.0.0.1:$(get redis-cluster_port)'
export TEST_KAFKA_BROKERS='127.0.0.1:$(get kafka_port)'
export TEST_BROWSER='$(browser)'
ENV
}

known() {
  local name
  for name in "${servers[@]}"; do [ "$name" != "${1:-}" ] || return 0; done
  die "no service '${1:-}': ${servers[*]}"
}

mkdir -p "$state_dir"
exec 9>"$state.lock"
flock 9
case ${1:-} in
  up) up ;;
  down) down ;;
  env) print_env ;;
  pid) known "${2:-}"; running "$2" || die "$2 does not run"; get "$2_pid" ;;
  stop) known "${2:-}"; dir=$(get dir); stop_one "$2" ;;
  start)
    known "${2:-}"
    dir=$(get dir || true)
    [ -d "$dir" ] || die "nothing is up: scripts/services.sh up"
    running "$2" || "start_$2"
    wait_for "$2" 90
    ;;
  *) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
