#!/usr/bin/env bash
# program.sh SEARCH FASHION-MNIST [KILLS]: the program search is stopped by each signal, and killed, and goes on with --resume; what it
# leaves is what an uninterrupted run leaves, but for wall time.
set -euo pipefail
search=$1
data=$2
kills=${3:-10}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A few images, so that reading them takes no time: the first ones of Fashion-MNIST, under a header of their own.
mkdir "$work/data"
few() {  # few NAME HEADER COUNT BYTES-OF-AN-IMAGE HEADER-BYTES
  local from=(cat "$data/$1")
  [ -e "$data/$1" ] || from=(gzip -dc "$data/$1.gz")
  # head ends as soon as it has enough, which the others take for a failure.
  { printf '%b' "$2"; "${from[@]}" | tail -c "+$(($5 + 1))" | head -c $(($3 * $4)) || true; } >"$work/data/$1" 2>/dev/null
}
few train-images-idx3-ubyte '\0\0\010\03\0\0\0\0200\0\0\0\034\0\0\0\034' 128 784 16
few train-labels-idx1-ubyte '\0\0\010\01\0\0\0\0200' 128 1 8
few t10k-images-idx3-ubyte '\0\0\010\03\0\0\0\0040\0\0\0\034\0\0\0\034' 32 784 16
few t10k-labels-idx1-ubyte '\0\0\010\01\0\0\0\0040' 32 1 8

flags=(--data "$work/data" --budget 4 --channels 8 --cells 2 --epochs 6 --batch 8 --quiet)
run() {  # run OUT [flags]
  local out=$1
  shift
  "$search" "${flags[@]}" --out "$work/$out" "$@"
}
timeless() {  # the files of a run without its wall times
  (cd "$work/$1" && cat genotype.txt accuracy.svg supernet.safetensors && sed 's/,[^,]*$//' metrics.csv && grep -v '"seconds"' summary.json) |
    sha256sum
}
fail() {
  echo "FAILED: $*"
  exit 1
}

run whole --checkpoint-every 1 steps >/dev/null
[ ! -e "$work/whole/checkpoints/ckpt-000001" ] || fail "a run that has ended keeps no checkpoints"
wanted=$(timeless whole)

for signal in TERM:143 INT:130 USR1:138 HUP:129; do
  code=0
  # A shell starts its background processes with SIGINT ignored; env gives it its meaning back.
  env --default-signal=INT "$search" "${flags[@]}" --out "$work/stopped" --checkpoint-every 1 epochs >/dev/null 2>"$work/said" &
  child=$!
  for _ in $(seq 2000); do [ -s "$work/stopped/metrics.csv" ] && break || sleep 0.01; done
  kill -s "${signal%:*}" "$child"
  wait "$child" || code=$?
  [ "$code" = "${signal#*:}" ] || fail "$signal: exit code $code; $(cat "$work/said")"
  grep -q "stopped by SIG${signal%:*} at epoch .*: go on with --resume" "$work/said" || fail "$signal: $(cat "$work/said")"
  code=0
  run stopped >/dev/null 2>"$work/said" || code=$?
  [ "$code" = 2 ] && grep -q "did not end. Give --resume" "$work/said" || fail "without --resume: $code $(cat "$work/said")"
  code=0
  run stopped --resume --weight-rate 0.05 >/dev/null 2>"$work/said" || code=$?
  [ "$code" = 1 ] && grep -q "weight_rate: 0.025 there, 0.05 here" "$work/said" || fail "other rate: $code $(cat "$work/said")"
  run stopped --resume >"$work/said"
  grep -q "goes on from epoch" "$work/said" || fail "$signal: $(cat "$work/said")"
  [ "$(timeless stopped)" = "$wanted" ] || fail "$signal: the results differ"
  rm -rf "$work/stopped"
done
echo "4 of 4 signals: documented exit code, resumed bit-equal"

# Two signals: the second one does not wait for the step.
code=0
"$search" --data "$work/data" --out "$work/twice" --budget 4 --channels 32 --cells 8 --epochs 3 --batch 64 --quiet >/dev/null 2>&1 &
child=$!
sleep 2
kill -s TERM "$child"
sleep 0.2
kill -s TERM "$child" 2>/dev/null || true
wait "$child" || code=$?
[ "$code" = 143 ] || fail "two signals: exit code $code"

RANDOM=1
for i in $(seq "$kills"); do
  for _ in 1 2 3; do
    # Not through run: a function in the background is a shell of its own, and killing that would leave the program.
    "$search" "${flags[@]}" --out "$work/killed" --resume --checkpoint-every $((i % 3 + 1)) steps >/dev/null 2>&1 &
    child=$!
    sleep "$((RANDOM % 3)).$((RANDOM % 1000 + 1000))"
    kill -9 "$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
  done
  run killed --resume >/dev/null 2>"$work/said" || fail "run $i: $(cat "$work/said")"
  [ "$(timeless killed)" = "$wanted" ] || fail "run $i: the results differ"
  rm -rf "$work/killed"
done
echo "$kills of $kills runs end bit-equal after three kill -9 each"
