#!/usr/bin/env bash
# Holds `luffy score` and `luffy replay` (f32) against PyTorch on random Qwen2 and Llama checkpoints: log-probs within 1e-5 in the mean
# and 1e-4 at most, and every tensor's gradient within 1e-4 relative, for every shaping. Needs a Python with torch; takes a minute or two.
# Usage: eng/parity-torch.sh [--self] [LUFFY_OPTION…]      options such as --backend cpu go to every luffy command
#   --self         PyTorch in float32 answers in luffy's place: checks the comparison, and shows what float32 can reach
#   LUFFY_COMMAND  the luffy to test                                    (default: the launcher of this repository)
#   LUFFY_PYTHON   the Python command, several words allowed            (default: python3)
#   LUFFY_PARITY_FOLDER          working folder, emptied of nothing     (default: a fresh temporary one, removed at the end)
#   LUFFY_PARITY_FOLDER_PYTHON   the same folder as that Python sees it (default: the same path), for a Python in a container
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
self=
if [ "${1:-}" = --self ]; then self=1; shift; fi
luffy=${LUFFY_COMMAND:-$root/luffy}
read -r -a python <<<"${LUFFY_PYTHON:-python3}"
if [ -z "${LUFFY_PARITY_FOLDER:-}" ]; then
  LUFFY_PARITY_FOLDER=$(mktemp -d)
  trap 'rm -rf "$LUFFY_PARITY_FOLDER"' EXIT
fi
folder=$LUFFY_PARITY_FOLDER
inside=${LUFFY_PARITY_FOLDER_PYTHON:-$folder}

mkdir -p "$folder"
cp "$root/tests/oracles/luffy_oracle.py" "$root/tests/oracles/parity.py" "$folder/"
"${python[@]}" "$inside/parity.py" make "$inside"
if [ -n "$self" ]; then
  "${python[@]}" "$inside/parity.py" answer "$inside"
else
  for model in qwen2 llama; do
    at=$folder/$model
    "$luffy" score --model "$at" --input "$at/ids.jsonl" --dtype f32 "$@" >"$at/scores.jsonl"
    while IFS=$'\t' read -r name settings; do
      arguments=()
      for setting in $settings; do arguments+=(--set "$setting"); done
      "$luffy" replay --model "$at" --batch "$at/batch.jsonl" --gradients "$at/$name.safetensors" --dtype f32 \
        "${arguments[@]}" "$@" >"$at/$name.json" </dev/null
    done <"$folder/settings.txt"
  done
fi
"${python[@]}" "$inside/parity.py" compare "$inside"
