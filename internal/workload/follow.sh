#!/usr/bin/env bash
# follow.sh [SECONDS [LINES A SECOND]]: the CPU that the daemon takes to follow a file that grows,
# the store and a file sink included, in MB for a CPU second. 1 % of the lines carry a code.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-20} rate=${2:-20000}
dir=$(mktemp -d)
trap 'kill $daemon 2>/dev/null || true; wait; rm -rf "$dir"' EXIT
CGO_ENABLED=0 go build -o "$dir/imwatch" ./cmd/imwatch
go build -o "$dir/generate" ./internal/workload/generate
mkdir "$dir/log"
: >"$dir/log/app.log"
cat >"$dir/imwatch.yaml" <<CONF
version: 1
state_dir: $dir/state
listen: ""
sources:
  - {name: app, paths: ["$dir/log/*.log"]}
sinks:
  - {type: file, path: $dir/events.ndjson}
CONF
# As the unit does (TimerSlackNSec); PR_SET_TIMERSLACK is 29.
slack='syscall(157, 29, 1000000, 0, 0, 0) == 0 or die "prctl: $!"; exec @ARGV'
GOMAXPROCS=1 perl -e "$slack" "$dir/imwatch" run -c "$dir/imwatch.yaml" 2>"$dir/err" & daemon=$!
until [ -d "$dir/state" ]; do read -rt 0.1 <> <(:) || true; done
read -rt 2 <> <(:) || true
cpu() { cat /proc/$daemon/task/*/schedstat | awk '{s += $1} END {print s / 1e9}'; } # in seconds; the ticks of stat miss short turns
before=$(cpu)
"$dir/generate" -size $((seconds * rate * 175 / 1000000)) -hits 10 -rate "$rate" >>"$dir/log/app.log"
read -rt 3 <> <(:) || true # what is still on the way
after=$(cpu)
awk -v b="$(stat -c %s "$dir/log/app.log")" -v l="$(wc -l <"$dir/log/app.log")" -v from="$before" -v to="$after" -v e="$(wc -l <"$dir/events.ndjson")" \
  'BEGIN {printf "%.0f MB, %d lines, %d events in the file, %.2f CPU seconds: %.0f MB for a CPU second\n", b/1e6, l, e, to-from, b/1e6/(to-from)}'
grep RssAnon /proc/$daemon/status
