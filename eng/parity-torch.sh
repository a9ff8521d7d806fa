#!/usr/bin/env bash
# Holds `luffy score` and `luffy replay` against PyTorch on random Qwen2, Llama and Qwen3 checkpoints and scaled rotary positions, for every
# shaping and ratio. In f32 log-probs are within 1e-5 in the mean and 1e-4 at most, and every tensor's gradient within 1e-4 relative; in bf16
# within what such roundings make of them, and probabilities within 1% in the mean where weights are as Transformers initialises them
# (tests/oracles/parity.py). Needs a Python with torch; takes a few minutes.
# Usage: eng/parity-torch.sh [--self | --bf16] [LUFFY_OPTION…]      options such as --backend cpu go to every luffy command
#   --self         PyTorch in float32 answers in luffy's place: checks the comparison, and shows what float32 can reach
#   --bf16         luffy computes in bf16; PyTorch in float64 from the same weights, rounded to bf16
#   LUFFY_PARITY_SETTINGS  names of settings, of those that parity.py lists   (default: all)
#   LUFFY_PARITY_JOBS      luffy commands at once                             (default: 1)
#   LUFFY_COMMAND  the luffy to test                                    (default: the launcher of this repository)
#   LUFFY_PYTHON   the Python command, several words allowed            (default: python3)
#   LUFFY_PARITY_FOLDER          working folder, emptied of nothing     (default: a fresh temporary one, removed at the end)
#   LUFFY_PARITY_FOLDER_PYTHON   the same folder as that Python sees it (default: the same path), for a Python in a container
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
self= dtype=f32
case ${1:-} in
  --self) self=1; shift ;;
  --bf16) dtype=bf16; shift ;;
esac
luffy=${LUFFY_COMMAND:-$root/luffy}
read -r -a python <<<"${LUFFY_PYTHON:-python3}"
if [ -z "${LUFFY_PARITY_FOLDER:-}" ]; then
  LUFFY_PARITY_FOLDER=$(mktemp -d)
  trap 'rm -rf "$LUFFY_PARITY_FOLDER"' EXIT
fi
folder=$LUFFY_PARITY_FOLDER
inside=${LUFFY_PARITY_FOLDER_PYTHON:-$folder}

mkdir -p "$folder"
rm -f "$folder/failed"
cp "$root/tests/oracles/luffy_oracle.py" "$root/tests/oracles/parity.py" "$folder/"
"${python[@]}" "$inside/parity.py" make "$inside"
if [ -n "${LUFFY_PARITY_SETTINGS:-}" ]; then
  for name in $LUFFY_PARITY_SETTINGS; do
    grep -qP "^\Q$name\E\t" "$folder/qwen2/settings.txt" || { echo "parity-torch.sh: there is no setting '$name'" >&2; exit 2; }
  done
  while read -r model; do
    mv "$folder/$model/settings.txt" "$folder/$model/settings-all.txt"
    for name in $LUFFY_PARITY_SETTINGS; do grep -P "^\Q$name\E\t" "$folder/$model/settings-all.txt" || true; done >"$folder/$model/settings.txt"
  done <"$folder/models.txt"
fi

# begin FILE COMMAND…: the command's output goes to FILE, once there is room among those that run. One that fails leaves its mark.
begin() {
  local file=$1
  shift
  while [ "$(jobs -rp | wc -l)" -ge "${LUFFY_PARITY_JOBS:-1}" ]; do wait -n || true; done
  { "$@" >"$file" </dev/null || touch "$folder/failed"; } &
}

if [ -n "$self" ]; then
  "${python[@]}" "$inside/parity.py" answer "$inside"
else
  while read -r model <&4; do
    at=$folder/$model
    begin "$at/scores.jsonl" "$luffy" score --model "$at" --input "$at/ids.jsonl" --dtype $dtype "$@"
    while IFS=$'\t' read -r name settings; do
      arguments=()
      for setting in $settings; do arguments+=(--set "$setting"); done
      begin "$at/$name.json" "$luffy" replay --model "$at" --batch "$at/batch.jsonl" --gradients "$at/$name.safetensors" --dtype $dtype \
        "${arguments[@]}" "$@"
    done <"$at/settings.txt"
  done 4<"$folder/models.txt"
  wait
  if [ -e "$folder/failed" ]; then exit 1; fi
fi
"${python[@]}" "$inside/parity.py" compare "$inside" $dtype
