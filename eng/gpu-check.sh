#!/usr/bin/env bash
# Checks and measures the kernels for GPUs on a machine with an NVIDIA one: builds libluffy_cuda there, runs every operation's tests on the
# device, a model beside PyTorch and short training runs beside the cpu backend, and measures operations and whole models beside PyTorch and
# what the card can do at best. eng/gpu-bundle.sh puts it beside the programs it needs; it asks for no .NET and no network; for cuda it asks
# for CUDA's compiler and CMake, for the comparisons for a Python with PyTorch (and transformers). Each step has a time limit of its own, so
# that one that fails or hangs does not take the rest with it; what matters most comes first. One table and one line at the end sum up; the
# exit code is 0 where every step passed.
# Usage: ./gpu-check.sh [--backend NAME] [--rehearse] [--only TEXT] [FOLDER]
#   --backend NAME   cuda or ilgpu                            (default: cuda, and then ilgpu in the time that is left)
#   --rehearse       no GPU: tests on emulators, everything else on the cpu backend and small, to try the script itself
#   --only TEXT      only steps whose name holds TEXT, whatever its case, as rope or bench-train
#   FOLDER           takes summary.txt, table.md and results.tar.gz, everything that the steps printed; brought up to date after each step
#                    (default: $OUT where that is set, else gpu-check-results here)
#   LUFFY_CHECK_SECONDS   time for all steps together; those that would begin later are left out
#                           (default: 520, to rehearse 1800)
#   LUFFY_CUDA_BUILD      a folder with libluffy_cuda.so (to rehearse, libluffy_cuda_emulated.so), which is then not built
#   LUFFY_PYTHON          the Python with PyTorch             (default: python3)
set -uo pipefail
here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
backends=(cuda ilgpu) rehearse= only=
while [ $# -gt 0 ]; do
  case $1 in
    --backend) backends=("${2:-}"); shift 2 || exit 2 ;;
    --only) only=${2:-}; shift 2 || exit 2 ;;
    --rehearse) rehearse=1; shift ;;
    -*) echo "gpu-check: there is no option '$1'; see the top of $0" >&2; exit 2 ;;
    *) break ;;
  esac
done
for name in "${backends[@]}"; do
  if [ ! -s "$here/tests/$name.txt" ]; then
    echo "gpu-check: there are no tests of a backend '$name' here; choose cuda or ilgpu" >&2
    exit 2
  fi
done
budget=${LUFFY_CHECK_SECONDS:-$([ -z "$rehearse" ] && echo 520 || echo 1800)}
out=${1:-${OUT:-$PWD/gpu-check-results}}
work=$(mktemp -d)
results=$work/results
luffy=$here/bin/luffy
# Where CUDA's tools are when nobody has put them on the PATH.
PATH=$PATH:/usr/local/cuda/bin
read -r -a python <<<"${LUFFY_PYTHON:-python3}"
# Steps at once where none is timed.
at_once=$(($(nproc) / 3)) at_once=$((at_once < 1 ? 1 : at_once > 5 ? 5 : at_once))
monitor=
trap '[ -z "$monitor" ] || kill "$monitor"; rm -rf "$work"' EXIT
mkdir -p "$out" "$results"
: >"$out/summary.txt"
. "$here/gpu-check-lib.sh"

# What stands for what in a rehearsal: emulators for devices in tests, and the cpu backend for GPUs in everything else.
if [ -z "$rehearse" ]; then
  library=cuda native_tests=native/cuda/luffy_cuda_tests cuda_tests=device ilgpu_tests=device tokens=16384 repeat=5 jobs=8 tests_most=90 tiny=() large=(--large)
else
  library=cuda_emulated native_tests=native/cuda/emulation/luffy_cuda_emulated_tests cuda_tests=emulated ilgpu_tests=emulator tokens=1024 repeat=1 jobs=1 tests_most=600 tiny=(--tiny) large=()
fi
computes() { [ -z "$rehearse" ] && echo "$1" || echo cpu; }
has_torch=
if "${python[@]}" -c "import torch; assert '${rehearse:+cpu}' or torch.cuda.is_available()" 2>/dev/null; then has_torch=1; fi
uses() { [[ " ${backends[*]} " == *" $1 "* ]]; }

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
quote <"$results/machine.txt"
if command -v nvidia-smi >/dev/null; then
  nvidia-smi --query-gpu=timestamp,memory.used,utilization.gpu,clocks.sm,power.draw --format=csv,noheader,nounits -l 1 >"$results/device.csv" 2>/dev/null &
  monitor=$!
fi

# --- libluffy_cuda, from the sources beside this script; meanwhile what does not need it
# The GPU's own architecture; Hopper's has the suffix that wgmma asks for.
architecture() {
  local capability
  capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n 1 | tr -d .)
  case $capability in
    90) echo 90a ;;
    "") echo 80 ;;
    *) echo "$capability" ;;
  esac
}

build() {
  local generator=()
  command -v ninja >/dev/null && generator=(-G Ninja)
  cmake -S "$here/source" -B "$work/build" "${generator[@]}" -DCMAKE_BUILD_TYPE=Release -DLUFFY_CUDA="$([ -z "$rehearse" ] && echo ON || echo OFF)" \
    -DLUFFY_CUDA_ARCHITECTURES="$(architecture)" && cmake --build "$work/build" --parallel --target luffy_$library luffy_${library}_tests
}
# Functions run in a shell of their own, where timeout can end them.
export here work rehearse library
export -f architecture build

if uses cuda && [ -z "${LUFFY_CUDA_BUILD:-}" ]; then
  LUFFY_CUDA_BUILD=$work/build
  chosen=$only only=
  begin $((rehearse ? 900 : 240)) build.txt bash -c build
  only=$chosen
fi
train=(train --quiet --set eval_items_per_family=4 --set eval_samples=2)
begin 90 cpu/train-f32.txt "$luffy" "${train[@]}" --backend cpu --dtype f32 --set max_steps=3 --output "$results/cpu/train-f32"
begin 60 cpu/sft-f32.txt "$luffy" "${train[@]}" --backend cpu --dtype f32 --set method=sft --set max_steps=10 --output "$results/cpu/sft-f32"
batch=$results/cpu/train-f32/rollouts/step-000001.jsonl
peer() { step "$1" "torch/$2.json" "${python[@]}" "$here/peers/torch_gpu.py" "${tiny[@]}" "${@:3}"; }
if [ -n "$has_torch" ]; then
  peer 40 ceilings ceilings
  peer 60 operations operations
  peer 60 loss-eager loss eager
fi
settle
begin 40 cpu/replay.json "$luffy" replay --model builtin --batch "$batch" --backend cpu --dtype f32 --json
if uses cuda && ! cp "$LUFFY_CUDA_BUILD/libluffy_$library.so" "$here/bin/" 2>/dev/null; then
  say "             there is no libluffy_$library.so, so that every step of cuda will fail"
fi
if step 40 devices.txt "$luffy" devices; then quote <"$results/devices.txt"; fi
if uses cuda && [ -x "$LUFFY_CUDA_BUILD/$native_tests" ]; then begin 120 cuda/native-tests.txt "$LUFFY_CUDA_BUILD/$native_tests"; fi

# tests BACKEND CLASS: the tests of one class on the device, in a process of their own.
kernel_tests=("$here/bin/Luffy.Kernels.Tests" --no-ansi --progress off --output Detailed)
tests() {
  local name="\"$1\""
  # Its tests with products by mma.sync, too.
  [ "$1" = ilgpu ] || name="\"$1"
  begin $tests_most "$1/tests-$2.txt" env LUFFY_TEST_ILGPU=$ilgpu_tests LUFFY_TEST_CUDA=$cuda_tests "${kernel_tests[@]}" --filter "FullyQualifiedName~.$2&FullyQualifiedName~$name"
}

# right BACKEND: every test, training runs beside the cpu backend's, a model beside PyTorch.
right() {
  local class backend
  backend=$(computes "$1")
  # First what takes longest.
  if [ -n "$has_torch" ]; then
    begin 150 "$1/parity-torch-f32.txt" env LUFFY_COMMAND="$luffy" LUFFY_PARITY_JOBS=$jobs LUFFY_PARITY_SETTINGS="gamma_0.1 none on_gamma kl_k3 everything" \
      "$here/eng/parity-torch.sh" --backend "$backend"
    begin 150 "$1/parity-torch-bf16.txt" env LUFFY_COMMAND="$luffy" LUFFY_PARITY_JOBS=$jobs LUFFY_PARITY_SETTINGS="gamma_0.1 everything" \
      "$here/eng/parity-torch.sh" --bf16 --backend "$backend"
  fi
  while IFS= read -r class; do tests "$1" "$class"; done <"$here/tests/$1.txt"
  begin 60 "$1/train-f32.txt" "$luffy" "${train[@]}" --backend "$backend" --dtype f32 --set max_steps=3 --output "$results/$1/train-f32"
  begin 60 "$1/train-again.txt" "$luffy" "${train[@]}" --backend "$backend" --dtype f32 --set max_steps=3 --output "$results/$1/train-again"
  begin 60 "$1/sft-f32.txt" "$luffy" "${train[@]}" --backend "$backend" --dtype f32 --set method=sft --set max_steps=10 --output "$results/$1/sft-f32"
  # The quickstart's own job: what sampling and training say of a token must be equal to the bit.
  begin 90 "$1/train-bf16.txt" "$luffy" "${train[@]}" --backend "$backend" --dtype bf16 --set max_steps=10 --output "$results/$1/train-bf16"
  begin 40 "$1/replay.json" "$luffy" replay --model builtin --batch "$batch" --backend "$backend" --dtype f32 --json
  settle
  if wanted "$1/agreement.txt"; then
    agreement "$1" >"$results/$1/agreement.txt" 2>/dev/null
    finish "$1/agreement.txt" $? "with the cpu backend"
    quote <"$results/$1/agreement.txt"
  fi
}

# bench BACKEND SECONDS NAME COMMAND…: one measurement, with what it came to in tokens.
bench() {
  local file=$1/$3.json speed backend
  backend=$(computes "$1")
  step "$2" "$file" "$luffy" bench "${@:4}" --backend "$backend" --repeat $repeat --json || return 0
  speed=$(value "$results/$file" tokens_per_second)
  [ -z "$speed" ] || say "             $speed tokens/s"
}

# operation BACKEND DTYPE NAME…: operations alone.
operation() {
  local backend=$1 dtype=$2 name
  shift 2
  for name in "$@"; do bench "$backend" 40 "kernels-${name// /-}-$dtype" kernels "${large[@]}" --dtype "$dtype" --filter "$name" --tokens $tokens; done
}

# The table of whatever was measured so far.
table() {
  "${python[@]}" "$here/peers/gpu_results.py" --table "$results" >"$out/table.md" 2>"$results/table.log" && cp "$out/table.md" "$results/" && cat "$out/table.md"
}

fast_cuda() {
  local size=qwen1.5b length fast=(--fast)
  [ -z "$rehearse" ] || size=tiny fast=()
  local model=(--size "$size" --dtype bf16)
  bench cuda 60 bench-train-fast-1024 train "${model[@]}" --length $((rehearse ? 64 : 1024)) "${fast[@]}"
  bench cuda 60 bench-train-1024 train "${model[@]}" --length $((rehearse ? 64 : 1024))
  operation cuda bf16 "policy loss" attention
  if [ -n "$has_torch" ]; then peer 100 step-1024-compiled step $((rehearse ? 32 : 1024)) $([ -z "$rehearse" ] && echo compiled || echo eager); fi
  bench cuda 60 bench-rollout-128 rollout "${model[@]}" --batch $((rehearse ? 8 : 128)) --prompt 64 --new 128
  operation cuda bf16 adamw "rms norm" linear
  bench cuda 60 bench-train-fast-8192 train "${model[@]}" --length $((rehearse ? 128 : 8192)) "${fast[@]}"
  bench cuda 60 bench-train-8192 train "${model[@]}" --length $((rehearse ? 128 : 8192))
  operation cuda bf16 swiglu rope embedding
  operation cuda f32 sampling
  if [ -z "$rehearse" ]; then bench cuda 40 kernels-linear-bf16-fast kernels --large --dtype bf16 --filter linear --tokens $tokens --fast; fi
}

# Memory and races, as CUDA's own tool sees them: the device's primitives, and operations at the emulator's shapes.
sanitize() {
  local tool class
  command -v compute-sanitizer >/dev/null || { say "             no compute-sanitizer here"; return; }
  for tool in memcheck racecheck; do
    [ ! -x "$LUFFY_CUDA_BUILD/$native_tests" ] ||
      begin 60 "cuda/sanitizer-$tool-native.txt" compute-sanitizer --tool $tool --error-exitcode 9 "$LUFFY_CUDA_BUILD/$native_tests"
    for class in LinearTests AttentionTests PolicyLossTests RmsNormTests EmbeddingTests SamplingTests; do
      begin 60 "cuda/sanitizer-$tool-$class.txt" env LUFFY_TEST_CUDA=device-small compute-sanitizer --tool $tool --error-exitcode 9 \
        "${kernel_tests[@]}" --filter "FullyQualifiedName~.$class&FullyQualifiedName~\"cuda"
    done
  done
  settle
}

more_cuda() {
  local size=qwen1.5b length
  if [ -n "$has_torch" ]; then
    peer 60 loss-compiled loss $([ -z "$rehearse" ] && echo compiled || echo eager)
    peer 100 step-8192-compiled step $((rehearse ? 64 : 8192)) $([ -z "$rehearse" ] && echo compiled || echo eager)
  fi
  [ -z "$rehearse" ] || return 0
  for length in 2048 4096; do
    bench cuda 40 bench-train-fast-$length train --size $size --dtype bf16 --length $length --fast
    bench cuda 40 bench-train-$length train --size $size --dtype bf16 --length $length
  done
  operation cuda f32 linear attention "policy loss" "rms norm" swiglu rope embedding adamw
  if [ -n "$has_torch" ]; then peer 60 step-1024-eager step 1024 eager; fi
}

fast_ilgpu() {
  local size sizes=(tiny small qwen0.5b)
  [ -z "$rehearse" ] || sizes=(tiny)
  large=() tokens=$((rehearse ? 1024 : 65536))
  operation ilgpu bf16 "rms norm" swiglu rope embedding
  [ -n "$rehearse" ] || operation ilgpu bf16 linear attention "policy loss" adamw
  for size in "${sizes[@]}"; do bench ilgpu 40 "bench-train-$size" train --size "$size" --dtype bf16; done
  bench ilgpu 40 bench-rollout-tiny rollout --size tiny --dtype bf16 --batch 8
  bench ilgpu 40 bench-prefill-tiny prefill --size tiny --dtype bf16
}

if uses cuda; then
  right cuda
  fast_cuda
  table >/dev/null
  if [ -z "$rehearse" ]; then sanitize; fi
  more_cuda
fi
if uses ilgpu; then
  right ilgpu
  fast_ilgpu
fi
settle

if uses cuda; then
  [ -z "$rehearse" ] || say "rehearsed: what follows are the cpu backend's figures at tiny shapes, which mean nothing"
  table
fi
keep
say "$passed steps passed, $failed failed, $left_out left out; $tests_passed tests passed, $tests_failed failed; $SECONDS s"
[ "$failed" -eq 0 ] && [ "$left_out" -eq 0 ] && [ "$passed" -gt 0 ] && { [ -n "$only" ] || [ "$tests_passed" -gt 0 ]; }
