#!/usr/bin/env bash
# Holds `luffy export` against llama.cpp: its ids of a text are luffy's, and llama-perplexity of each file is what `luffy score` makes of the same
# weights. Random Qwen2, Llama (llama3 scaling, a begin token, other cutting) and Qwen3 checkpoints with Qwen2.5's vocabulary, on GSM8K's text, and two
# with other scalings; one that is trained on such text for two minutes; and the built-in model. Needs Python 3 and llama.cpp (llama-perplexity, llama-tokenize).
# Usage: eng/parity-llama.sh DATA       DATA holds gsm8k/{train,test}.jsonl and qwen2.5-tokenizer/
#   LUFFY_PARITY_MODELS       which of qwen2, llama, qwen3, yarn, linear, trained, builtin (default: all)
#   LUFFY_PARITY_STEPS        training steps                                  (default: 100)
#   LUFFY_COMMAND             the luffy to test                               (default: the launcher of this repository)
#   LUFFY_LLAMA               what comes before llama.cpp's commands, such as "chroot FOLDER"
#   LUFFY_PARITY_FOLDER       working folder, emptied of nothing              (default: a fresh temporary one, removed at the end)
#   LUFFY_PARITY_FOLDER_LLAMA the same folder as llama.cpp sees it            (default: the same path)
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
[ $# -eq 1 ] || { sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 2; }
data=$1
luffy=${LUFFY_COMMAND:-$root/luffy}
read -r -a llama <<<"${LUFFY_LLAMA:-}"
if [ -z "${LUFFY_PARITY_FOLDER:-}" ]; then
  LUFFY_PARITY_FOLDER=$(mktemp -d)
  trap 'rm -rf "$LUFFY_PARITY_FOLDER"' EXIT
fi
folder=$LUFFY_PARITY_FOLDER inside=${LUFFY_PARITY_FOLDER_LLAMA:-$LUFFY_PARITY_FOLDER}
context=256 chunks=40 failed=0
"${llama[@]}" llama-tokenize --help >/dev/null 2>&1 ||
  { echo "parity-llama.sh: '${LUFFY_LLAMA:+$LUFFY_LLAMA }llama-tokenize' does not run; install llama.cpp (Debian: llama.cpp), or say in LUFFY_LLAMA what comes before its commands" >&2; exit 2; }
oracle() { python3 "$root/tests/oracles/gguf_parity.py" "$@"; }

# perplexity MODEL FILE LIMIT NAME: llama.cpp on FILE against the scores that are there. Its cache is f16 unless told otherwise.
perplexity() {
  # Now and then it ends before its last lines are written, which come from a thread of their own.
  for _ in 1 2 3 4 5; do
    "${llama[@]}" llama-perplexity -m "$inside/$1/$2" -f "$inside/$1/text.txt" -c $context -b $context --chunks $chunks -ctk f32 -ctv f32 -fa off --no-escape \
      >"$folder/$1/perplexity.txt" 2>&1 </dev/null || tail -n 5 "$folder/$1/perplexity.txt" >&2
    if grep -q "Final estimate" "$folder/$1/perplexity.txt"; then break; fi
  done
  oracle compare "$4" "$folder/$1" "$3" || failed=1
}

# score WEIGHTS MODEL: luffy on the weights of one folder and the ids of another, in f32.
score() { "$luffy" score --model "$1" --input "$folder/$2/ids.jsonl" --dtype f32 >"$folder/$2/scores.jsonl"; }

for model in ${LUFFY_PARITY_MODELS:-qwen2 llama qwen3 yarn linear trained builtin}; do
  at=$folder/$model
  mkdir -p "$at"
  if [ "$model" = builtin ]; then
    weights=$root/assets/base-model
    cp "$weights"/* "$at/"
    "$luffy" train --output "$at/run" --set max_steps=1 --set prompts_per_step=100 --set num_generations=2 --set eval_on_start=false --set eval_after=[] --quiet >/dev/null
    oracle samples "$at/run/rollouts/step-000001.jsonl" "$at"
    oracle text "$at/samples.jsonl" "$at" 60000
  else
    oracle make "$model" "$data/qwen2.5-tokenizer" "$at"
    if [ "$model" = trained ] && [ ! -e "$folder/run/summary.json" ]; then
      "$luffy" train --config gsm8k-small --output "$folder/run" --set method=sft --set model_name_or_path="$at" --set dataset_name="$data/gsm8k/train.jsonl" \
        --set prompts_per_step=16 --set max_steps=${LUFFY_PARITY_STEPS:-100} --set learning_rate=5e-3 --set save_steps=0 --seed 1 --quiet >/dev/null
    fi
    if [ "$model" = trained ]; then cp "$folder"/run/checkpoints/*/model.safetensors "$folder"/run/checkpoints/*/config.json "$at/"; fi
    oracle text "$data/gsm8k/test.jsonl" "$at" 60000
  fi
  "$luffy" tokenize --tokenizer "$at" --jsonl --input "$at/text.jsonl" >"$at/tokenized.jsonl"
  oracle chunks "$at" $context $chunks

  for type in f32 bf16 q8_0; do "$luffy" export --model "$at" --output "$at/$type.gguf" --dtype $type; done
  "${llama[@]}" llama-tokenize -m "$inside/$model/f32.gguf" -f "$inside/$model/text.txt" --ids --no-parse-special --no-escape --log-disable >"$at/llama-ids.txt" 2>/dev/null
  oracle tokens "$at" || failed=1
  score "$at" "$model"
  perplexity "$model" f32.gguf 0.001 "$model f32"
  perplexity "$model" bf16.gguf 0.001 "$model bf16"
  # Eight bits cost what they cost; against the same eight bits, what is left is that llama.cpp rounds what they are multiplied by to eight bits too.
  perplexity "$model" q8_0.gguf 0.02 "$model q8_0 to f32"
  if [ "$model" = qwen2 ]; then
    oracle stored "$at" "$at/q8_0.gguf" "$folder/$model-stored"
    score "$folder/$model-stored" "$model"
    perplexity "$model" q8_0.gguf 0.01 "$model q8_0 to itself"
  fi
done
exit $failed
