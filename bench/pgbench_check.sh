#!/usr/bin/env bash
# pgbench through the router, as an operator would do it: initialise at SCALE, distribute the tables with the rows that they
# hold, run the built-in scripts in each query mode without an error, and find every sum right, also on the shards
# themselves. A check, not a measurement: it prints rates, but fails only for wrong answers and errors.
#   usage: bench/pgbench_check.sh [SCALE]
#   SHERD_BIN       the program (build/release/bin/sherd)
#   CHECK_SECONDS   length of each run (3)
#   CHECK_CLIENTS   clients of each run (8)
set -euo pipefail

scale=${1:-10}
root=$(cd "$(dirname "$0")/.." && pwd)
sherd=$(realpath -m "${SHERD_BIN:-$root/build/release/bin/sherd}")
seconds=${CHECK_SECONDS:-3}
clients=${CHECK_CLIENTS:-8}
shards="shard1 shard2 shard3"
[ -x "$sherd" ] || { echo "pgbench_check: $sherd is not built" >&2; exit 1; }

dir=$(mktemp -d /tmp/sherd-pgbench.XXXXXX)
chmod 755 "$dir"  # run as root, the servers belong to another user
router_pid=

clean_up() {
  local status=$?
  trap - EXIT INT TERM
  if [ -n "$router_pid" ] && kill -TERM "$router_pid" 2>/dev/null; then
    wait "$router_pid" || true
  fi
  rm -rf "$dir"
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
  echo "pgbench_check: $1" >&2
  exit 1
}

export PGCONNECT_TIMEOUT=10 PGOPTIONS='' PSQLRC=/dev/null
ask() { timeout 120 psql -X -q -At -v ON_ERROR_STOP=1 "$router" -c "$1"; }
ask_shard() { timeout 120 psql -X -q -At -v ON_ERROR_STOP=1 -h "$dir/cluster/sockets/$1" -U app -d app -c "$2"; }
expect() {  # what, expected, found
  [ "$2" = "$3" ] || fail "$1: expected $2, found $3"
  echo "   $1: $3"
}

SHERD_DEV_NO_FSYNC=1 "$sherd" dev --dir "$dir/cluster" --shards 3 --port 0 >"$dir/sherd.log" 2>&1 &
router_pid=$!
router=
for _ in $(seq 600); do
  router=$(sed -n 's/^sherd ready: //p' "$dir/sherd.log")
  [ -z "$router" ] || break
  kill -0 "$router_pid" 2>/dev/null || { cat "$dir/sherd.log" >&2; fail "sherd did not start"; }
  sleep 0.1
done
[ -n "$router" ] || fail "sherd was not ready in time"

echo "== pgbench -i -s $scale"
timeout 600 pgbench -i -q -s "$scale" "$router" >"$dir/init.log" 2>&1 || { cat "$dir/init.log" >&2; fail "pgbench -i failed"; }
sed -n 's/^done/   done/p' "$dir/init.log"

echo "== distributing the tables with their rows"
ask "SELECT create_reference_table('pgbench_branches')" >/dev/null
ask "SELECT create_reference_table('pgbench_tellers')" >/dev/null
ask "SELECT create_distributed_table('pgbench_accounts', 'aid')" >/dev/null
ask "SELECT create_distributed_table('pgbench_history', 'aid', colocate_with => 'pgbench_accounts')" >/dev/null

counts() {
  expect "accounts" "$((scale * 100000))" "$(ask 'SELECT count(*) FROM pgbench_accounts')"
  local sum=0
  for shard in $shards; do
    rows=$(ask_shard "$shard" 'SELECT count(*) FROM pgbench_accounts')
    [ "$rows" -gt 0 ] || fail "$shard has no account"
    sum=$((sum + rows))
    expect "$shard has all tellers and branches" "$((scale * 10))|$scale" \
      "$(ask_shard "$shard" 'SELECT (SELECT count(*) FROM pgbench_tellers), (SELECT count(*) FROM pgbench_branches)')"
  done
  expect "accounts on the shards together" "$((scale * 100000))" "$sum"
}
counts

bench() {  # clients, mode, script
  if ! timeout $((seconds + 60)) pgbench -n $3 -M "$2" -c "$1" -j 2 -T "$seconds" "$router" >"$dir/run.log" 2>&1; then
    cat "$dir/run.log" >&2
    fail "pgbench $3 -M $2 failed"
  fi
  grep -q 'number of failed transactions: 0 ' "$dir/run.log" || { cat "$dir/run.log" >&2; fail "pgbench $3 -M $2: transactions failed"; }
  printf '   pgbench %-8s -M %-8s %3s clients  %s\n' "${3:-(TPC-B)}" "$2" "$1" \
    "$(sed -n 's/^tps = \([0-9]*\).*/\1 transactions per second, no error/p' "$dir/run.log")"
}

# The whole TPC-B script writes to several shards in each transaction, and its clients meet on the same branches.
for mode in simple extended prepared; do
  bench "$clients" "$mode" ""
done
for shard in $shards; do
  expect "tellers and branches of $shard have what the history says" "t" \
    "$(ask_shard "$shard" "SELECT (SELECT sum(tbalance) FROM pgbench_tellers) = d AND (SELECT sum(bbalance) FROM pgbench_branches) = d
       FROM (SELECT $(ask 'SELECT sum(delta) FROM pgbench_history') AS d) AS history")"
done

for mode in simple extended prepared; do
  for script in -S -N; do
    bench "$clients" "$mode" "$script"
  done
done
bench 40 prepared -N  # twice as many clients as server connections

echo "== sums"
counts
moved=$(ask 'SELECT sum(delta) FROM pgbench_history')
expect "sum of the balances is the sum of the history's deltas" "$moved" "$(ask 'SELECT sum(abalance) FROM pgbench_accounts')"
[ "$(ask 'SELECT count(*) FROM pgbench_history')" -gt 0 ] || fail "no history was written"
for shard in $shards; do
  expect "accounts of $shard that do not agree with their own history" 0 "$(ask_shard "$shard" \
    'SELECT count(*) FROM (SELECT aid, sum(delta) AS delta FROM pgbench_history GROUP BY aid) h
       FULL JOIN pgbench_accounts a USING (aid) WHERE coalesce(h.delta, 0) <> a.abalance OR a.aid IS NULL')"
  expect "prepared transactions left on $shard" 0 "$(ask_shard "$shard" 'SELECT count(*) FROM pg_prepared_xacts')"
done
echo "== pgbench at scale $scale: right"
