#!/usr/bin/env bash
# program.sh SEARCH TRAIN FASHION-MNIST [KILLS]: the programs search and train are stopped by each signal at each kind of instant, killed,
# and left without room, and go on with --resume; what they leave is what an uninterrupted run leaves, but for wall time.
set -euo pipefail
search=$1
train=$2
data=$3
kills=${4:-10}
work=$(mktemp -d)
child=
cleanup() {
  [ -z "$child" ] || kill -9 "$child" 2>/dev/null || true
  if mountpoint -q "$work/small"; then umount "$work/small"; fi
  rm -rf "$work"
}
trap cleanup EXIT

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

fail() {
  echo "FAILED: $*"
  exit 1
}
# What is run: `program`, `flags` and where the images are; what it leaves beside metrics and summary: `files`.
program=$search
flags=()
files=(genotype.txt accuracy.svg supernet.safetensors weights.csv)
images=(--data "$work/data")
run() {  # run OUT [flags]
  local out=$1
  shift
  "$program" "${images[@]}" "${flags[@]}" --out "$work/$out" --quiet "$@" >"$work/out" 2>"$work/said"
}
fails() {  # fails CODE PATTERN OUT [flags]: run ends so, and says so
  local wanted=$1 pattern=$2 code=0
  shift 2
  run "$@" || code=$?
  [ "$code" = "$wanted" ] || fail "run $*: exit code $code instead of $wanted; $(cat "$work/said")"
  says "$pattern" "run $*"
}
start() {  # start OUT [flags]: in the background, its number in child
  local out=$1
  shift
  # A shell starts its background processes with SIGINT ignored; env gives it its meaning back.
  env --default-signal=INT "$program" "${images[@]}" "${flags[@]}" --out "$work/$out" --quiet "$@" >"$work/out" 2>"$work/said" &
  child=$!
}
await() {  # await COMMAND...: until it succeeds, while the program runs
  until "$@"; do
    kill -0 "$child" 2>/dev/null || fail "it ended before $*; $(cat "$work/said")"
    sleep 0.005
  done
}
ended() {  # ended CODES WHAT: the program ends with one of them
  local code=0
  wait "$child" || code=$?
  child=
  [[ "$code" =~ ^($1)$ ]] || fail "$2: exit code $code instead of $1; $(cat "$work/said")"
}
dies() {  # by kill -9
  kill -9 "$child" 2>/dev/null || true
  wait "$child" 2>/dev/null || true
  child=
}
says() {  # says PATTERN WHAT
  grep -q "$1" "$work/said" "$work/out" || fail "$2: $(cat "$work/said")"
}
# What is waited for. generation OUT N: it has been saved; epochs OUT N: so many rows are written; writes OUT: a checkpoint is half
# written; taken: no signal waits any more.
generation() { [ -e "$work/$1/checkpoints/ckpt-00000$2" ]; }
epochs() { [ -e "$work/$1/metrics.csv" ] && [ "$(wc -l <"$work/$1/metrics.csv")" -gt "$2" ]; }
writes() { compgen -G "$work/$1/checkpoints/.tmp-ckpt-*" >/dev/null; }
taken() { ! grep -q "^S[ih][gd]Pnd:.*[1-9a-f]" "/proc/$child/status"; }
timeless() {  # the files of a run without its wall times; of events, whose wall times are within, the length
  (cd "$work/$1" && cat "${files[@]}" && sed 's/,[^,]*$//' metrics.csv && grep -v '"seconds"' summary.json &&
    if [ "$program" = "$search" ]; then wc -c <events.out.tfevents.crispnas; fi) | sha256sum
}
same() {  # same OUT AS WHAT: and nothing but results is left
  [ "$(timeless "$1")" = "$2" ] || fail "$3: the results differ"
  [ -z "$(find "$work/$1" -name 'ckpt-*' -o -name '.tmp-*')" ] || fail "$3: left are $(ls -A "$work/$1" "$work/$1/checkpoints")"
}

small=(--budget 4 --channels 8 --cells 2 --tensorboard)
flags=("${small[@]}" --epochs 6 --batch 8)
run whole --checkpoint-every 1 steps
wanted=$(timeless whole)
same whole "$wanted" "a run that has ended"

for signal in TERM:143 INT:130 USR1:138 HUP:129; do
  start stopped --checkpoint-every 1 epochs
  await epochs stopped 1
  kill -s "${signal%:*}" "$child"
  ended "${signal#*:}" "$signal"
  says "stopped by SIG${signal%:*} at epoch .*: go on with --resume" "$signal"
  if [ "$signal" = TERM:143 ]; then
    fails 2 "did not end. Give --resume" stopped
    fails 1 "weight_rate: 0.025 there, 0.05 here" stopped --resume --weight-rate 0.05
  fi
  run stopped --resume
  says "goes on from epoch" "$signal"
  same stopped "$wanted" "$signal"
  rm -rf "$work/stopped"
done
echo "4 of 4 signals: documented exit code, resumed bit-equal"

# A signal of the keyboard ends the reader of its messages, too; so does one that has had enough. Neither ends the run, nor its save.
start unread --checkpoint-every 1 epochs
await epochs unread 1
dies
env --default-signal=INT,PIPE "$program" "${images[@]}" "${flags[@]}" --out "$work/unread" --resume >"$work/out" 2> >(head -c 1 >/dev/null) &
child=$!
await epochs unread 3
kill -s INT "$child"
ended 130 "without a reader"
run unread --resume
says "goes on from epoch" "without a reader"
same unread "$wanted" "without a reader"
echo "without a reader of its messages: stopped, saved, resumed bit-equal"

# A file that may not grow is an error like a full disk.
(ulimit -f 100; fails 1 "File too large" limited --checkpoint-every 1 steps)
run limited --resume
same limited "$wanted" "after a limit on files"
echo "a limit on the length of files: a message, then resumed bit-equal"

# While a checkpoint is written: the process is held there, so that the signals meet it. One waits until it is written; two do not, and the
# generation before is gone on from.
for signals in "TERM" "TERM INT"; do
  start saving --checkpoint-every 1 steps
  await generation saving 3
  until writes saving && kill -s STOP "$child" && writes saving; do
    kill -s CONT "$child" || fail "it ended before it was held while saving"
  done
  for signal in $signals; do kill -s "$signal" "$child"; done
  kill -s CONT "$child"
  # Which of two that wait is taken first, the system decides.
  if [ "$signals" = TERM ]; then ended 143 "while saving"; else ended "130|143" "twice while saving"; fi
  [ "$signals" = TERM ] || [ ! -s "$work/said" ] || fail "twice while saving: $(cat "$work/said")"
  run saving --resume
  says "goes on from epoch" "$signals while saving"
  same saving "$wanted" "$signals while saving"
  rm -rf "$work/saving"
done

# While images are read, here all of Fashion-MNIST: nothing can be saved yet, and the signal ends it at once. While an epoch is measured,
# here on many images: that is finished, and nothing follows it. After the last epoch a signal is ignored.
images=(--data "$data" --images 16 --held-out 1000)
flags=("${small[@]}" --epochs 2 --batch 8)
run measured
expected=$(timeless measured)
rm -rf "$work/measured"
start measured
await grep -qs libtorch_cpu "/proc/$child/maps"
sleep 0.3
kill -s TERM "$child"
ended 143 "while images are read"
if [ -e "$work/measured/checkpoints" ]; then
  echo "images were read too fast to be interrupted"
  rm -rf "$work/measured"
fi
# An epoch has one step: when that is saved, the epoch is measured.
start measured --resume --checkpoint-every 1 steps
await generation measured 2
kill -s TERM "$child"
ended 143 "while an epoch is measured"
says "stopped by SIGTERM at epoch 2 of 2, step 0; saved" "while an epoch is measured"
start measured --resume --checkpoint-every 1 steps
await generation measured 4
kill -s TERM "$child"
ended 143 "while the last epoch is measured"
says "stopped by SIGTERM at the end; saved" "while the last epoch is measured"
start measured --resume
await grep -q "goes on from the end" "$work/out"
kill -s TERM "$child"
ended 0 "after the last epoch"
same measured "$expected" "after the last epoch"
images=(--data "$work/data")
echo "signals while saving, while images are read, while measuring, after the last epoch: documented exit code, resumed bit-equal"

# Two signals in a step that takes a second: the second one does not wait for it.
flags=(--budget 4 --channels 32 --cells 3 --tensorboard --epochs 1 --batch 64)
run twice
expected=$(timeless twice)
start twice
await generation twice 1
sleep 0.1
kill -s TERM "$child"
await taken
kill -s INT "$child"
ended 130 "two signals"
[ ! -s "$work/said" ] || fail "two signals: $(cat "$work/said")"
run twice --resume
says "goes on from the beginning" "two signals"
same twice "$expected" "two signals"
echo "a second signal ends at once"

# A second run in a folder, with another seed: stopped before its files have a row, then killed after the first one, it has no rows of the
# first run, and no row twice.
flags=("${small[@]}" --epochs 2 --batch 4 --seed 1)
run again
expected=$(timeless again)
rm -rf "$work/again"
cp -r "$work/whole" "$work/again"
start again --checkpoint-every 9 steps  # of 16 in an epoch
await generation again 1
kill -s TERM "$child"
ended 143 "a second run"
says "stopped by SIGTERM at epoch 1 of 2" "a second run"
start again --resume --checkpoint-every 9 steps
await epochs again 1
touch "$work/again/.tmp-$child-0"  # as a kill while a file is written leaves it
dies
run again --resume
same again "$expected" "a second run"
echo "a second run in the folder of another one, stopped and killed in its first epoch: resumed bit-equal"

# A disk that fills up, with the checkpoints on another one.
mkdir "$work/small" "$work/elsewhere"
if mount -t tmpfs -o size=40k tmpfs "$work/small" 2>/dev/null; then
  flags=("${small[@]}" --epochs 6 --batch 8)
  ln -s ../elsewhere "$work/small/checkpoints"
  fails 1 "file '$work/small/.*' cannot be written (No space left on device); free there: [0-9.]* [a-zA-Z]*\.$" small
  says "The last checkpoint, epoch [2-6] of 6, step 0, is in '$work/small/checkpoints': go on with --resume" "a full disk"
  mount -o remount,size=10m "$work/small"
  run small --resume
  same small "$wanted" "a full disk"
  echo "a full disk: says so, and once there is room, resumed bit-equal"
else
  echo "a full disk is NOT TESTED: no tmpfs can be mounted here"
fi

# The program train: stopped within an epoch, killed, gone on with.
program=$train
files=(weights.safetensors)
flags=(--genotype darts_v2 --dataset fashion-mnist --channels 4 --cells 3 --no-auxiliary --epochs 3 --batch 8)
run trained
expected=$(timeless trained)
rm -rf "$work/trained"
start trained --checkpoint-every 5 steps  # of 16 in an epoch
await generation trained 5
kill -s TERM "$child"
ended 143 "train"
says "stopped by SIGTERM at epoch [23] of 3, step .*: go on with --resume" "train"
start trained --resume --checkpoint-every 5 steps
await generation trained 7
dies
run trained --resume
says "goes on from epoch [23] of 3, step" "train"
same trained "$expected" "train"
echo "train, stopped and killed: resumed bit-equal"

program=$search
files=(genotype.txt accuracy.svg supernet.safetensors weights.csv)
flags=("${small[@]}" --epochs 6 --batch 8)
RANDOM=1
for i in $(seq "$kills"); do
  for _ in 1 2 3; do
    start killed --resume --checkpoint-every $((i % 3 + 1)) steps
    sleep "$((RANDOM % 2)).$((RANDOM % 700 + 300))"
    dies
  done
  run killed --resume || fail "run $i: $(cat "$work/said")"
  same killed "$wanted" "run $i"
  rm -rf "$work/killed"
done
echo "$kills of $kills runs end bit-equal after three kill -9 each"
