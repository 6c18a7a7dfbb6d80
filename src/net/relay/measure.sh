#!/bin/bash
# Processor time of the relay per transaction, io_uring against epoll, in the same rounds:
#   src/net/relay/measure.sh path/to/net_relay [rounds] [seconds] [clients...]
# Starts a PostgreSQL of its own in a temporary folder, on a unix socket, and stops it at the end.
set -euo pipefail
relay=$1; rounds=${2:-3}; seconds=${3:-5}; shift $(($# < 3 ? $# : 3))
clients=("${@:-8}"); [ $# -eq 0 ] && clients=(1 8 32 128)
bin=${PG_BIN:-/usr/lib/postgresql/15/bin}
dir=$(mktemp -d); chmod 755 "$dir"
as() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
[ "$(id -u)" = 0 ] && chown postgres "$dir"
cleanup() {
  [ -n "${relay_pid:-}" ] && kill "$relay_pid" 2>/dev/null || true
  as "$bin/pg_ctl" -D "$dir/data" -m immediate -s stop || true
  rm -rf "$dir"
}
trap cleanup EXIT
as "$bin/initdb" -D "$dir/data" -A trust -U bench --no-sync >/dev/null
as "$bin/pg_ctl" -D "$dir/data" -s -w -l "$dir/log" -o "-k $dir -c listen_addresses= -p 5432 -c max_connections=300 -c fsync=off" start
pgbench -h "$dir" -p 5432 -U bench -i -s 5 -q postgres >/dev/null 2>&1
printf '%-8s %-7s %8s %12s %10s\n' engine clients tps us_per_tx round
for n in "${clients[@]}"; do for ((round = 1; round <= rounds; ++round)); do for engine in epoll uring; do
  port=$((5500 + RANDOM % 1000))
  "$relay" "$engine" "$dir" "$port" "$dir" 5432 >"$dir/cpu" 2>"$dir/relay.log" & relay_pid=$!
  until [ -S "$dir/.s.PGSQL.$port" ]; do sleep 0.05; done
  out=$(pgbench -h "$dir" -p "$port" -U bench -S -n -c "$n" -j 1 -T "$seconds" postgres 2>&1)
  kill -TERM "$relay_pid"; wait "$relay_pid" || true; relay_pid=
  echo "$out" | awk -v e="$engine" -v n="$n" -v r="$round" -v cpu="$(tail -1 "$dir/cpu")" '
    /actually processed/ {tx=$6} /^tps/ {tps=$3} END {printf "%-8s %-7s %8.0f %12.2f %10s\n", e, n, tps, cpu/tx, r}'
done; done; done | tee "$dir/out"
awk '{s[$1" "$2]+=$4; c[$1" "$2]++; n[$2]} END {for (k in n) printf "%s clients: uring/epoll = %.3f\n", k, (s["uring "k]/c["uring "k])/(s["epoll "k]/c["epoll "k])}' "$dir/out" | sort -n
