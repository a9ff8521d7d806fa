# What gpu-check.sh runs its steps with. Sourced, not run; it has set here, work, out, results, budget, at_once and only.

passed=0 failed=0 left_out=0 tests_passed=0 tests_failed=0
pending=()

say() { printf '%s\n' "$*" | tee -a "$out/summary.txt"; }

# Lines of a file that belong to the step above them.
quote() { while IFS= read -r line; do say "             $line"; done; }

# Packed aside and renamed: whoever ends this script early finds a whole archive. Files that other steps are writing (code 1) are in it as far
# as they are written.
keep() {
  tar -czf "$work/results.tar.gz" --warning=no-file-changed --exclude=checkpoints -C "$work" results || [ $? -eq 1 ] || return
  cp "$work/results.tar.gz" "$out/.results" && mv -f "$out/.results" "$out/results.tar.gz"
}

# finish NAME CODE DETAIL: counts and prints a step.
finish() {
  if [ "$2" -eq 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
  say "$(printf '%-8s %-40s %s' "$([ "$2" -eq 0 ] && echo ok || echo FAILED)" "$1" "$3")"
  keep
}

# run SECONDS FILE COMMAND…: the command's exit code; its output goes to FILE, its messages to FILE.log. A program that does not even die of
# being killed, because the driver holds it, is left behind.
run() {
  local most=$1 file=$results/$2 waited=0 child
  shift 2
  mkdir -p "$(dirname "$file")"
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
memory() { [ ! -s "$results/device.csv" ] || tail -n +$(($1 + 1)) "$results/device.csv" | awk -F, '$2 + 0 > most {most = $2 + 0} END {if (most) printf ", %d MiB of the device in use", most}'; }

lines() { cat "$1" 2>/dev/null | wc -l; }

# state FILE: where a step that came to its end leaves its exit code and one line about it.
state() { echo "$work/states/${1//\//+}"; }

running() {
  local file count=0
  for file in "${pending[@]}"; do [ -e "$(state "$file")" ] || count=$((count + 1)); done
  echo "$count"
}

# begin SECONDS FILE COMMAND…: a step beside those that run already, of which there are at most at_once. False where it is left out.
begin() {
  local most=$1 file=$2 left begun code=0 before detail
  shift 2
  wanted "$file" || return 1
  while [ "$(running)" -ge "$at_once" ]; do sleep 0.1; done
  collect
  left=$((budget - SECONDS))
  if [ "$left" -lt 5 ]; then
    left_out=$((left_out + 1))
    say "$(printf '%-8s %s' "left out" "$file")"
    return 1
  fi
  [ "$most" -le "$left" ] || most=$left
  mkdir -p "$work/states"
  pending+=("$file")
  {
    begun=$SECONDS before=$(lines "$results/device.csv")
    run "$most" "$file" "$@" || code=$?
    detail="$((SECONDS - begun)) s$(memory "$before")"
    case $code in
      0) ;;
      124 | 137) detail="$detail: stopped after $most s" ;;
      125) detail="$detail: hangs, and does not die" ;;
      *) detail="$detail: exit code $code: $(tail -n 1 "$results/$file.log" | cut -c 1-300)" ;;
    esac
    printf '%s\n%s\n' "$code" "$detail" >"$work/state.$BASHPID"
    mv "$work/state.$BASHPID" "$(state "$file")"
  } &
}

# await FILE: waits for a step that was begun and reports it; its exit code. False, too, for one that was not begun.
await() {
  local file=$1 code detail other rest=()
  for other in "${pending[@]}"; do [ "$other" = "$file" ] || rest+=("$other"); done
  [ "${#rest[@]}" -lt "${#pending[@]}" ] || return 1
  pending=("${rest[@]}")
  while [ ! -e "$(state "$file")" ]; do sleep 0.1; done
  { read -r code; read -r detail; } <"$(state "$file")"
  case $file in
    */tests-*) finish_tests "$file" "$code" "$detail" ;;
    *) finish "$file" "$code" "$detail" ;;
  esac
  return "$code"
}

# collect: reports those steps that came to their end.
collect() {
  local file
  for file in "${pending[@]}"; do if [ -e "$(state "$file")" ]; then await "$file"; fi; done
}

# settle: waits for every step that was begun, and reports it.
settle() { while [ "${#pending[@]}" -gt 0 ]; do await "${pending[0]}"; done; }

# step SECONDS FILE COMMAND…: one step from begin to end; its exit code.
step() { begin "$@" && await "$2"; }

# count NAME FILE: a number of the test runner's summary.
count() { sed -n "s/^ *$1: *\([0-9][0-9]*\).*/\1/p" "$2" | tail -n 1 | grep . || echo 0; }

finish_tests() {
  local file=$results/$1 good bad
  good=$(count succeeded "$file") bad=$(count failed "$file")
  tests_passed=$((tests_passed + good)) tests_failed=$((tests_failed + bad))
  finish "$1" "$2" "$good passed, $bad failed, $3"
  if [ "$bad" -gt 0 ]; then grep -A 1 '^failed ' "$file" | grep -v '^--' | cut -c 1-250 | head -n 20 | quote; fi
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

# Metrics that are not of time.
timeless() { sed -E 's/"(perf\/[a-z_]+|timing_s\/[a-z_]+|step_time)": *[^,}]*,?//g' "$1"; }

# agreement BACKEND: training and replay beside the cpu backend's. In f32 both draw the same tokens but for rare ties; rounding differs, and
# imitation draws none.
agreement() {
  local code=0 key line run mine=$results/$1 theirs=$results/cpu
  echo "                                                              cpu                     $1"
  for key in loss entropy actor/grad_norm actor/on_policy_logprob actor/off_policy_logprob actor/off_ratio_mean; do
    near "replay $key" "$(value "$theirs/replay.json" "$key")" "$(value "$mine/replay.json" "$key")" 0.0002 0.000001 || code=1
  done
  for line in 1 2 3; do
    near "step $line reward" "$(value "$theirs/train-f32/metrics.jsonl" reward "$line")" "$(value "$mine/train-f32/metrics.jsonl" reward "$line")" 0 0.02 || code=1
    near "step $line loss" "$(value "$theirs/train-f32/metrics.jsonl" loss "$line")" "$(value "$mine/train-f32/metrics.jsonl" loss "$line")" 0.02 0.002 || code=1
    near "step $line entropy" "$(value "$theirs/train-f32/metrics.jsonl" entropy "$line")" "$(value "$mine/train-f32/metrics.jsonl" entropy "$line")" 0.02 0 || code=1
    near "step $line grad_norm" "$(value "$theirs/train-f32/metrics.jsonl" actor/grad_norm "$line")" "$(value "$mine/train-f32/metrics.jsonl" actor/grad_norm "$line")" 0.05 0 || code=1
  done
  for line in 1 2 3 4 5 6 7 8 9 10; do
    near "imitation, step $line loss" "$(value "$theirs/sft-f32/metrics.jsonl" loss "$line")" "$(value "$mine/sft-f32/metrics.jsonl" loss "$line")" 0.0005 0.00001 || code=1
    near "imitation, step $line grad_norm" "$(value "$theirs/sft-f32/metrics.jsonl" actor/grad_norm "$line")" "$(value "$mine/sft-f32/metrics.jsonl" actor/grad_norm "$line")" 0.005 0 || code=1
  done
  for run in train-f32 train-bf16; do
    near "$run: sampled and learnt log-probs differ" 0 "$(value "$mine/$run/summary.json" max_sampling_logp_difference)" 0 0 || code=1
  done
  if [ -s "$mine/train-f32/metrics.jsonl" ] && cmp -s <(timeless "$mine/train-f32/metrics.jsonl") <(timeless "$mine/train-again/metrics.jsonl"); then
    echo "a second run has the same metrics"
  else
    echo "a second run has OTHER metrics"
    code=1
  fi
  return $code
}
