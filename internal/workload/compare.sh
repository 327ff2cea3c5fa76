#!/usr/bin/env bash
# compare.sh [SIZE [ROUNDS]]: imwatch against tools that only count or match the same patterns,
# whole processes, all in one run, in turns. SIZE in millions of bytes (default 568), ROUNDS 5.
# Needs ripgrep; grep, mtail and rsyslogd are compared where they are installed.
# Prints medians of CPU seconds (user and system), which other work on the machine disturbs least.
# The files are read from the page cache of a disk, as logs are; TMPDIR chooses it.
set -euo pipefail
cd "$(dirname "$0")/../.."
size=${1:-568} rounds=${2:-5}
dir=$(mktemp -d -p "${TMPDIR:-/var/tmp}")
trap 'rm -rf "$dir"' EXIT
CGO_ENABLED=0 go build -o "$dir/imwatch" ./cmd/imwatch
go build -o "$dir/generate" ./internal/workload/generate
go run ./internal/workload/patterns >"$dir/patterns"
go run ./internal/workload/patterns -fixed >"$dir/fixed"
for hits in 0 1 10 1000; do
  mb=$size; [ $hits = 1000 ] && mb=$((size / 8))
  "$dir/generate" -size "$mb" -hits $hits >"$dir/$hits.log" 2>"$dir/$hits.count"
done
head -c $((size * 100000)) "$dir/10.log" >"$dir/tenth.log"
echo END-OF-LOG >>"$dir/tenth.log"
sync "$dir"/*.log

one="taskset -c 0 env GOMAXPROCS=1"
# run NAME FILE COMMAND…: CPU seconds, wall seconds and the peak of anonymous memory.
run() {
  local name=$1 file=$2 cpu; shift 2
  exec 3>&2 2>/dev/null
  local TIMEFORMAT='%U %S %R'
  cpu=$({ time "$@" >/dev/null 2>/dev/null || true; } 2>&1)
  exec 2>&3 3>&-
  echo "$name $file $cpu" >>"$dir/times"
}
twice() { # COMMAND…: two of them at once, each by one thread on its own processor: no two threads can do better
  taskset -c 0 env GOMAXPROCS=1 "$@" &
  taskset -c 1 env GOMAXPROCS=1 "$@" &
  wait
}
memory() { # COMMAND…: peak RssAnon in MiB
  "$@" >/dev/null 2>&1 &
  local pid=$! peak=0 now
  while now=$(awk '/RssAnon/{print $2}' /proc/$pid/status 2>/dev/null) && [ -n "$now" ]; do
    [ "$now" -gt "$peak" ] && peak=$now
    read -rt 0.02 <> <(:) || true
  done
  wait $pid || true
  echo $((peak / 1024))
}
mkdir "$dir/mtail"
cat >"$dir/mtail/codes.mtail" <<'PROGRAM'
counter codes by code
/"type":(?P<code>-?\d+)/ {
  codes[$code]++
}
PROGRAM
rsyslog() { # reads the file with imfile, keeps lines by one regex, ends at the last line
  rm -rf "$dir/rsyslog"; mkdir "$dir/rsyslog"
  cat >"$dir/rsyslog.conf" <<CONF
global(workDirectory="$dir/rsyslog" maxMessageSize="64k")
module(load="imfile")
input(type="imfile" file="$dir/tenth.log" tag="t" ruleset="r")
ruleset(name="r") { if re_match(\$msg, '"type":-?[0-9]|END-OF-LOG') then action(type="omfile" file="$dir/rsyslog/out") }
CONF
  rsyslogd -n -f "$dir/rsyslog.conf" -i "$dir/rsyslog/pid" &
  local pid=$!
  until grep -q END-OF-LOG "$dir/rsyslog/out" 2>/dev/null; do read -rt 0.1 <> <(:) || true; done
  kill $pid; wait $pid
}
for _ in $(seq "$rounds"); do
  for hits in 0 1 10 1000; do
    run "rg-1-thread" $hits taskset -c 0 rg -j1 -c -f "$dir/patterns" "$dir/$hits.log"
    run "imwatch-1-thread" $hits $one "$dir/imwatch" scan -o ndjson "$dir/$hits.log"
    run "imwatch-2-threads" $hits env GOMAXPROCS=2 "$dir/imwatch" scan -o ndjson "$dir/$hits.log"
    run "imwatch-twice" $hits twice "$dir/imwatch" scan -o ndjson "$dir/$hits.log"
  done
  # Through a pipe: into /dev/null grep stops at the first line.
  run "grep-F-symbols" 10 taskset -c 0 bash -c "grep -F -c -f '$dir/fixed' '$dir/10.log' | cat"
done
for _ in 1 2 3; do
  command -v mtail >/dev/null && run "mtail-one-counter" tenth $one mtail --one_shot --logtostderr --progs "$dir/mtail" --logs "$dir/tenth.log"
  command -v rsyslogd >/dev/null && run "rsyslog-one-regex" tenth rsyslog
done

rg --version | sed -n 1p
echo "patterns given to rg: $(wc -l <"$dir/patterns"), by go run ./internal/workload/patterns; sha256 $(sha256sum "$dir/patterns" | cut -c1-16)"
median() { sort -n | awk '{v[NR]=$1} END {print v[int((NR+1)/2)]}'; }
printf '%-20s %6s %8s %8s %8s %10s %8s\n' program hits CPU wall MB/CPUs lines/CPUs 'rg = 1'
sort -u -k1,2 "$dir/times" | awk '$1 != "imwatch-twice" {print $1, $2}' | sort -u -k2,2 -k1,1 | while read -r name file; do
  cpu=$(awk -v n="$name" -v f="$file" '$1==n && $2==f {print $3+$4}' "$dir/times" | median)
  wall=$(awk -v n="$name" -v f="$file" '$1==n && $2==f {print $5}' "$dir/times" | median)
  rg=$(awk -v f="$file" '$1=="rg-1-thread" && $2==f {print $3+$4}' "$dir/times" | median)
  bytes=$(stat -c %s "$dir/$file.log") lines=$(wc -l <"$dir/$file.log")
  awk -v n="$name" -v f="$file" -v c="$cpu" -v w="$wall" -v b="$bytes" -v l="$lines" -v r="${rg:-0}" \
    'BEGIN {h = f=="tenth" ? "1%" : f/10 "%"; if (c < 0.01) c = 0.01; printf "%-20s %6s %8.2f %8.2f %8.0f %10.0f %8s\n", n, h, c, w, b/c/1e6, l/c, r ? sprintf("%.2f", c/r) : "-"}'
done
wall() { awk -v n="$1" -v f="$2" '$1==n && $2==f {print $5}' "$dir/times"; }
# ratio A B HITS [K]: the median of K times A's wall seconds by B's of the same round, and the quartiles.
ratio() {
  paste <(wall "$1" "$3") <(wall "$2" "$3") | awk -v k="${4:-1}" '{print k * $1 / $2}' | sort -n |
    awk '{v[NR]=$1} END {printf "%.2f (%.2f to %.2f)", v[int((NR+1)/2)], v[int((NR+3)/4)], v[int((3*NR+3)/4)]}'
}
for hits in 0 1 10 1000; do
  echo "at $hits of 1,000 two threads are $(ratio imwatch-1-thread imwatch-2-threads $hits) times as fast as one; two scans at once, $(ratio imwatch-1-thread imwatch-twice $hits 2) times"
done
for hits in 10 1000; do
  echo "RssAnon at $hits of 1,000: $(memory $one "$dir/imwatch" scan -o ndjson "$dir/$hits.log") MiB by one thread, $(memory env GOMAXPROCS=2 "$dir/imwatch" scan -o ndjson "$dir/$hits.log") MiB by two"
done
head -c 1G /dev/zero | tr '\0' x >"$dir/line.log"
echo "RssAnon on one line of 1 GiB: $(memory env GOMAXPROCS=2 "$dir/imwatch" scan -o ndjson "$dir/line.log") MiB"
