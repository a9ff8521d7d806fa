#!/usr/bin/env bash
# Compares luffy's tokenizers and chat templates with Hugging Face's libraries (tests/oracles/text/README.md):
#
#   eng/parity-text.sh [--quick] [--only NAME,…] [--judge-only]
#
# Without --quick: more than 200,000 strings through every tokenizer, and @huggingface/transformers whole beside them; an hour or two
# (with --judge-only, without transformers, half an hour). With it: a part, in
# less than a minute, which is what .ci/run has. GSM8K, the benchmark files and Qwen2.5's own tokenizer come from LUFFY_SHARED, or ../shared
# where it is there; what is left out for want of them is said. Needs Node.js 18 or later, npm, and Jinja2 for Python, which judges templates.
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
. "$root/eng/build-lib.sh"
oracles=$root/tests/oracles/text
quick=() only=() judge=()
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=(--quick) ;;
    --only) only=(--only "${2:?--only needs names}") && shift ;;
    --judge-only) judge=(--judge-only) ;;
    *) fail "usage: eng/parity-text.sh [--quick] [--only NAME,…] [--judge-only]" ;;
  esac
  shift
done

need node nodejs "Install Node.js 18 or later (Debian: apt-get install nodejs)."
need npm npm "Install npm (Debian: apt-get install npm)."
# The first Python that has Jinja2; Debian's own gets it where none has.
find_python() {
  local candidate
  for candidate in python3 /usr/bin/python3; do
    if "$candidate" -c 'import jinja2' 2>/dev/null; then echo "$candidate" && return 0; fi
  done
  return 1
}
mkdir -p "$root/build"
python=$(find_python) || { install_packages python3-jinja2 && python=$(find_python); } ||
  fail "Jinja2 for Python is needed and could not be installed by itself. Install it (Debian: apt-get install python3-jinja2)."
"$root/luffy" --version >/dev/null
shared=${LUFFY_SHARED:-$root/../shared}
[ -d "$shared/data" ] || shared=
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The quick comparison needs neither transformers (with its runtime for networks, of which nothing is used) nor most of the tokenizers.
kind=full install=()
if [ ${#quick[@]} -gt 0 ]; then kind=quick install=(--omit=dev); fi
current() { [ -e "$oracles/node_modules/.$1.stamp" ] && [ ! "$oracles/package-lock.json" -nt "$oracles/node_modules/.$1.stamp" ]; }
if ! current full && ! current "$kind"; then
  (cd "$oracles" && npm ci "${install[@]}" --ignore-scripts --no-audit --no-fund --loglevel=error) >&2
  touch "$oracles/node_modules/.$kind.stamp"
fi

binary=$root/artifacts/bin/Luffy.Cli/release/luffy
code=0
if [ ${#only[@]} -eq 0 ]; then
  node "$oracles/templates.mjs" --luffy "$binary" --work "$work" --python "$python" "${quick[@]}" ${shared:+--qwen "$shared/data/qwen2.5-tokenizer"} || code=1
fi
node --max-old-space-size=6000 "$oracles/tokenizers.mjs" --luffy "$binary" --work "$work" --shared "$shared" "${quick[@]}" "${only[@]}" "${judge[@]}" || code=1
exit "$code"
