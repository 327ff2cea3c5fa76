#!/usr/bin/env bash
# follow.sh [SECONDS [LINES A SECOND]]: the CPU that the daemon takes to follow a file that grows,
# the store and a file sink included, in MB for a CPU second. 1 % of the lines carry a code. The
# first five seconds are not counted: a daemon learns once. If fluent-bit is installed it is
# measured next, on less work: tail, a grep filter, a parser for what that lets pass, a file.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-20} rate=${2:-20000}
dir=$(mktemp -d)
daemon=
trap 'kill $daemon 2>/dev/null || true; wait; rm -rf "$dir"' EXIT
CGO_ENABLED=0 go build -o "$dir/imwatch" ./cmd/imwatch
go build -o "$dir/generate" ./internal/workload/generate
mkdir "$dir/log" "$dir/out"
cat >"$dir/imwatch.yaml" <<CONF
version: 1
state_dir: $dir/state
listen: ""
sources:
  - {name: app, paths: ["$dir/log/*.log"]}
sinks:
  - {type: file, path: $dir/out/events.ndjson}
CONF
cat >"$dir/parsers.conf" <<'CONF'
[PARSER]
    Name code
    Format regex
    Regex "type":(?<code>-?\d+)
CONF
cat >"$dir/fluent-bit.conf" <<CONF
[SERVICE]
    Flush 1
    Log_Level error
    Parsers_File $dir/parsers.conf
[INPUT]
    Name tail
    Path $dir/log/*.log
    Buffer_Max_Size 1M
[FILTER]
    Name grep
    Match *
    Regex log "type":-?\d+
[FILTER]
    Name parser
    Match *
    Key_Name log
    Parser code
    Reserve_Data On
[OUTPUT]
    Name file
    Match *
    Path $dir/out
CONF
pause() { read -rt "$1" <> <(:) || true; }
cpu() { cat /proc/$daemon/task/*/schedstat | awk '{s += $1} END {print s / 1e9}'; } # in seconds; the ticks of stat miss short turns
write() { "$dir/generate" -size $(($1 * rate * 175 / 1000000)) -hits 10 -rate "$rate" >>"$dir/log/app.log"; }
emitted() { cat "$dir"/out/* 2>/dev/null | wc -l; }
# follow NAME COMMAND…: what the command takes for the lines behind the first ones.
follow() {
  local name=$1 before after size lines events; shift
  : >"$dir/log/app.log"
  rm -f "$dir"/out/*
  "$@" 2>"$dir/err" >&2 & daemon=$!
  pause 3
  kill -0 $daemon 2>/dev/null || { cat "$dir/err" >&2; exit 1; }
  write 5
  pause 3
  before=$(cpu) size=$(stat -c %s "$dir/log/app.log") lines=$(wc -l <"$dir/log/app.log") events=$(emitted)
  write "$seconds"
  pause 3 # what is still on the way
  after=$(cpu)
  awk -v name="$name" -v b="$(($(stat -c %s "$dir/log/app.log") - size))" -v l="$(($(wc -l <"$dir/log/app.log") - lines))" -v from="$before" -v to="$after" -v e="$(($(emitted) - events))" \
    'BEGIN {printf "%s: %.0f MB, %d lines, %d events in the file, %.2f CPU seconds: %.0f MB for a CPU second\n", name, b/1e6, l, e, to-from, b/1e6/(to-from)}'
  grep RssAnon /proc/$daemon/status
  kill $daemon
  wait $daemon || true
  daemon=
}
# As the unit does (TimerSlackNSec); PR_SET_TIMERSLACK is 29.
slack='syscall(157, 29, 1000000, 0, 0, 0) == 0 or die "prctl: $!"; exec @ARGV'
follow imwatch env GOMAXPROCS=1 perl -e "$slack" "$dir/imwatch" run -c "$dir/imwatch.yaml"
if command -v fluent-bit >/dev/null; then
  follow fluent-bit fluent-bit -c "$dir/fluent-bit.conf"
fi
