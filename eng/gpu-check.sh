#!/usr/bin/env bash
# Checks and measures the kernels for any GPU on a machine with one: every operation's tests on the device, short training runs beside the
# cpu backend, and every operation's speed beside what the card can do at best. eng/gpu-bundle.sh puts it beside the programs it needs; it
# asks for no .NET, no network and no compiler. Each step has a time limit of its own, so that one that fails or hangs does not take the rest
# with it. The last line sums up; the exit code is 0 where every step passed.
# Usage: ./gpu-check.sh [--backend NAME] [--rehearse] [--only TEXT] [FOLDER]
#   --backend NAME   the backend to check, one of those that have a list of test classes in tests/NAME.txt   (default: ilgpu)
#   --rehearse       no GPU: tests on the emulator, everything else on the cpu backend and small, to try the script itself
#   --only TEXT      only steps whose name holds TEXT, whatever its case, as rope or bench-train
#   FOLDER           takes summary.txt and results.tar.gz, everything that the steps printed; both are brought up to date after each step
#                    (default: $OUT where that is set, else gpu-check-results here)
#   LUFFY_CHECK_SECONDS   time for all steps together; those that would begin later are left out
#                           (default: 360, to rehearse 900)
set -uo pipefail
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
tested=ilgpu rehearse= only=
while [ $# -gt 0 ]; do
  case $1 in
    --backend) tested=${2:-}; shift 2 || exit 2 ;;
    --only) only=${2:-}; shift 2 || exit 2 ;;
    --rehearse) rehearse=1; shift ;;
    -*) echo "gpu-check: there is no option '$1'; see the top of $0" >&2; exit 2 ;;
    *) break ;;
  esac
done
if [ ! -s "$here/tests/$tested.txt" ]; then
  echo "gpu-check: there are no tests of a backend '$tested' here; choose one of: $(cd "$here/tests" && ls *.txt | sed 's/[.]txt$//')" >&2
  exit 2
fi
backend=$tested device=device tokens=65536 repeat=5 sizes=(tiny small qwen0.5b)
operations=(linear attention "policy loss" "rms norm" swiglu rope embedding adamw)
if [ -n "$rehearse" ]; then
  backend=cpu device=emulator tokens=1024 repeat=1 sizes=(tiny) operations=("rms norm" swiglu rope embedding)
fi
budget=${LUFFY_CHECK_SECONDS:-$([ -z "$rehearse" ] && echo 360 || echo 900)}
out=${1:-${OUT:-$PWD/gpu-check-results}}
work=$(mktemp -d)
monitor=
trap '[ -z "$monitor" ] || kill "$monitor"; rm -rf "$work"' EXIT
mkdir -p "$out" "$work/results"
: >"$out/summary.txt"
luffy=$here/bin/luffy
results=$work/results
passed=0 failed=0 left_out=0 tests_passed=0 tests_failed=0

say() { printf '%s\n' "$*" | tee -a "$out/summary.txt"; }

# Packed aside and renamed: whoever ends this script early finds a whole archive.
keep() { tar -czf "$work/results.tar.gz" --exclude=checkpoints -C "$work" results && cp "$work/results.tar.gz" "$out/.results" && mv -f "$out/.results" "$out/results.tar.gz"; }

# finish NAME CODE DETAIL: counts and prints a step.
finish() {
  if [ "$2" -eq 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
  say "$(printf '%-8s %-34s %s' "$([ "$2" -eq 0 ] && echo ok || echo FAILED)" "$1" "$3")"
  keep
}

# run SECONDS FILE COMMAND…: the command's exit code; its output goes to FILE, its messages to FILE.log. A program that does not even die of
# being killed, because the driver holds it, is left behind.
run() {
  local most=$1 file=$results/$2 waited=0 child
  shift 2
  timeout --kill-after=5 "$most" "$@" >"$file" 2>"$file.log" </dev/null &
  child=$!
  while kill -0 "$child" 2>/dev/null; do
    if [ "$waited" -ge $((10 * (most + 8))) ]; then return 125; fi
    sleep 0.1
    waited=$((waited + 1))
  done
  wait "$child"
}

# wanted NAME: whether a step of this name was asked for.
wanted() { [ -z "$only" ] || [[ ${1,,} == *"${only,,}"* ]]; }

# memory LINES: the most memory of the device in use since the monitor had so many lines.
memory() { [ -z "$monitor" ] || tail -n +$(($1 + 1)) "$results/device.csv" | awk -F, '$2 + 0 > most {most = $2 + 0} END {if (most) printf ", %d MiB of the device in use", most}'; }

# step SECONDS FILE COMMAND…: one step, with the last message of one that failed.
step() {
  local most=$1 file=$2 left=$((budget - SECONDS)) begun=$SECONDS lines=0 code=0 detail
  shift 2
  wanted "$file" || return 1
  if [ "$left" -lt 5 ]; then
    left_out=$((left_out + 1))
    say "$(printf '%-8s %s' "left out" "$file")"
    return 1
  fi
  [ "$most" -le "$left" ] || most=$left
  [ -z "$monitor" ] || lines=$(wc -l <"$results/device.csv")
  run "$most" "$file" "$@" || code=$?
  detail="$((SECONDS - begun)) s$(memory "$lines")"
  case $code in
    0) ;;
    124 | 137) detail="$detail: stopped after $most s" ;;
    125) detail="$detail: hangs, and does not die" ;;
    *) detail="$detail: exit code $code: $(tail -n 1 "$results/$file.log" | cut -c 1-300)" ;;
  esac
  last=$detail
  [ -n "${quiet:-}" ] && return "$code"
  finish "$file" "$code" "$detail"
  return "$code"
}

# count NAME FILE: a number of the test runner's summary.
count() { sed -n "s/^ *$1: *\([0-9][0-9]*\).*/\1/p" "$2" | tail -n 1 | grep . || echo 0; }

# tests CLASS: the tests of one class on the device, in a process of their own.
tests() {
  local file=tests-$1.txt code=0 good bad most=60
  [ "$1" != RealShapeTests ] || most=100
  [ "$device" != emulator ] || most=300
  quiet=1 step $most "$file" env LUFFY_TEST_ILGPU=$device "$here/bin/Luffy.Kernels.Tests" --no-ansi --progress off --output Detailed \
    --filter "FullyQualifiedName~.$1&FullyQualifiedName~\"$tested\"" || code=$?
  [ -s "$results/$file" ] || return 0
  good=$(count succeeded "$results/$file") bad=$(count failed "$results/$file")
  tests_passed=$((tests_passed + good)) tests_failed=$((tests_failed + bad))
  finish "$file" "$code" "$good passed, $bad failed, $last"
  if [ "$bad" -gt 0 ]; then grep -A 1 '^failed ' "$results/$file" | grep -v '^--' | cut -c 1-250 | head -n 20 | while IFS= read -r line; do say "             $line"; done; fi
}

# value FILE KEY [LINE]: a number of a JSON object, or of a line of JSON objects.
value() { sed -n "${3:-1,\$}p" "$1" | grep -o "\"$2\": *[^,}]*" | head -n 1 | sed 's/.*: *//'; }

# near NAME A B RELATIVE ABSOLUTE: prints both; false where they differ by more, or one is missing.
near() {
  awk -v name="$1" -v a="$2" -v b="$3" -v relative="$4" -v absolute="$5" 'BEGIN {
    size = a < 0 ? -a : a + 0; error = a - b; if (error < 0) error = -error
    good = a ~ /^-?[0-9]/ && b ~ /^-?[0-9]/ && error <= relative * size + absolute
    printf "%-40s %24s %24s  %s\n", name, a, b, good ? "ok" : "DIFFERENT"
    exit !good }'
}

# What a step of training must have in common with the cpu backend's: in f32 both draw the same tokens but for rare ties. Rounding differs.
same_step() {
  local code=0 line=$1
  near "step $line reward" "$(value "$results/train-cpu/metrics.jsonl" reward "$line")" "$(value "$results/train-f32/metrics.jsonl" reward "$line")" 0 0.02 || code=1
  near "step $line loss" "$(value "$results/train-cpu/metrics.jsonl" loss "$line")" "$(value "$results/train-f32/metrics.jsonl" loss "$line")" 0.02 0.002 || code=1
  near "step $line entropy" "$(value "$results/train-cpu/metrics.jsonl" entropy "$line")" "$(value "$results/train-f32/metrics.jsonl" entropy "$line")" 0.02 0 || code=1
  near "step $line grad_norm" "$(value "$results/train-cpu/metrics.jsonl" actor/grad_norm "$line")" "$(value "$results/train-f32/metrics.jsonl" actor/grad_norm "$line")" 0.05 0 || code=1
  return $code
}

# Metrics that are not of time.
timeless() { sed -E 's/"(perf\/[a-z_]+|timing_s\/[a-z_]+|step_time)": *[^,}]*,?//g' "$1"; }

agreement() {
  local code=0 key
  echo "                                                            cpu                  $backend"
  for key in loss entropy actor/grad_norm actor/on_policy_logprob actor/off_policy_logprob actor/off_ratio_mean; do
    near "replay $key" "$(value "$results/replay-cpu.json" "$key")" "$(value "$results/replay.json" "$key")" 0.0002 0.000001 || code=1
  done
  for line in 1 2 3; do same_step "$line" || code=1; done
  for run in train-f32 train-bf16; do
    near "$run: sampled and learnt log-probs differ" 0 "$(value "$results/$run/summary.json" max_sampling_logp_difference)" 0 0 || code=1
  done
  if cmp -s <(timeless "$results/train-f32/metrics.jsonl") <(timeless "$results/train-again/metrics.jsonl"); then
    echo "a second run has the same metrics"
  else
    echo "a second run has OTHER metrics"
    code=1
  fi
  return $code
}

# --- the machine
{
  date -u '+%Y-%m-%d %H:%M UTC'
  [ -r "$here/version.txt" ] && cat "$here/version.txt"
  uname -srm
  if command -v nvidia-smi >/dev/null; then
    nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap,clocks.max.sm,clocks.max.mem,power.limit --format=csv,noheader
    nvidia-smi | grep -o 'CUDA Version: *[0-9.]*'
  else
    echo "no nvidia-smi"
  fi 2>&1
} >"$results/machine.txt"
while IFS= read -r line; do say "$line"; done <"$results/machine.txt"
if command -v nvidia-smi >/dev/null; then
  nvidia-smi --query-gpu=timestamp,memory.used,utilization.gpu,clocks.sm,power.draw --format=csv,noheader,nounits -l 1 >"$results/device.csv" 2>/dev/null &
  monitor=$!
fi
if step 40 devices.txt "$luffy" devices; then while IFS= read -r line; do say "             $line"; done <"$results/devices.txt"; fi

# --- right
while IFS= read -r class; do tests "$class"; done <"$here/tests/$tested.txt"

# --- training beside the cpu backend
train=(train --quiet --set eval_items_per_family=4 --set eval_samples=2)
step 60 train-f32.txt "$luffy" "${train[@]}" --backend "$backend" --dtype f32 --set max_steps=3 --output "$results/train-f32"
step 60 train-again.txt "$luffy" "${train[@]}" --backend "$backend" --dtype f32 --set max_steps=3 --output "$results/train-again"
step 60 train-bf16.txt "$luffy" "${train[@]}" --backend "$backend" --dtype bf16 --set max_steps=10 --output "$results/train-bf16"
step 60 train-cpu.txt "$luffy" "${train[@]}" --backend cpu --dtype f32 --set max_steps=3 --output "$results/train-cpu"
batch=$results/train-cpu/rollouts/step-000001.jsonl
step 40 replay.json "$luffy" replay --model builtin --batch "$batch" --backend "$backend" --dtype f32 --json
step 40 replay-cpu.json "$luffy" replay --model builtin --batch "$batch" --backend cpu --dtype f32 --json
if wanted agreement.txt; then
  agreement >"$results/agreement.txt" 2>/dev/null
  finish agreement.txt $? "with the cpu backend"
  while IFS= read -r line; do say "             $line"; done <"$results/agreement.txt"
fi

# --- fast
if python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then step 40 ceilings-torch.json python3 "$here/torch_ceilings.py"; fi
for dtype in bf16 f32; do
  # Sampling reads logits, which are f32 whatever the model's storage.
  for operation in "${operations[@]}" $([ $dtype = bf16 ] || echo sampling); do
    step 30 "kernels-${operation// /-}-$dtype.json" "$luffy" bench kernels --backend "$backend" --dtype $dtype --filter "$operation" --tokens $tokens \
      --repeat $repeat --json
  done
done
for size in "${sizes[@]}"; do
  step 40 "bench-train-$size.json" "$luffy" bench train --backend "$backend" --size "$size" --dtype bf16 --repeat $((repeat / 2 + 1)) --json &&
    say "             $(value "$results/bench-train-$size.json" tokens_per_second) tokens/s in training"
done
size=${rehearse:+tiny} size=${size:-small}
step 40 bench-rollout-$size.json "$luffy" bench rollout --backend "$backend" --size $size --dtype bf16 --repeat $((repeat / 2 + 1)) --json &&
  say "             $(value "$results/bench-rollout-$size.json" tokens_per_second) tokens/s in decoding 64 sequences"
step 40 bench-prefill-$size.json "$luffy" bench prefill --backend "$backend" --size $size --dtype bf16 --repeat $((repeat / 2 + 1)) --json

# --- what takes long and may be left out
if python3 -c 'import torch' 2>/dev/null; then
  step 90 parity-torch.txt env LUFFY_COMMAND="$luffy" "$here/eng/parity-torch.sh" --backend "$backend"
  tail -n 1 "$results/parity-torch.txt" 2>/dev/null | while IFS= read -r line; do say "             $line"; done
fi
if command -v compute-sanitizer >/dev/null; then
  for tool in memcheck racecheck; do
    step 60 "sanitizer-$tool.txt" env LUFFY_TEST_ILGPU=$device compute-sanitizer --tool $tool --error-exitcode 9 "$here/bin/Luffy.Kernels.Tests" --no-ansi \
      --progress off --filter 'FullyQualifiedName~"ilgpu"&(FullyQualifiedName~.LinearTests|FullyQualifiedName~.AttentionTests|FullyQualifiedName~.PolicyLossTests|FullyQualifiedName~.EmbeddingTests)'
  done
fi

keep
say "$passed steps passed, $failed failed, $left_out left out; $tests_passed tests passed, $tests_failed failed; $SECONDS s"
[ "$failed" -eq 0 ] && [ "$left_out" -eq 0 ] && [ "$passed" -gt 0 ] && { [ -n "$only" ] || [ "$tests_passed" -gt 0 ]; }
