#!/usr/bin/env bash
# Packs what checks and measures Luffy on a machine with an NVIDIA GPU that has neither .NET nor a network: luffy and the kernels' tests, both
# with one copy of .NET's runtime, what the tests read, and gpu-check.sh, which runs all of it there.
# Usage: eng/gpu-bundle.sh [FOLDER]     (default artifacts/gpu-bundle; makes FOLDER/luffy-gpu and FOLDER/luffy-gpu.tar.gz, at most 60 MB)
# On the other machine: tar -xzf luffy-gpu.tar.gz && luffy-gpu/gpu-check.sh [RESULTS]
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
. "$root/eng/build-lib.sh"
output=${1:-$root/artifacts/gpu-bundle}
mkdir -p "$root/build" "$output"
output=$(cd "$output" && pwd)
bundle=$output/luffy-gpu
rm -rf "$bundle"
mkdir -p "$bundle"
build_native "${LUFFY_CMAKE_PRESET:-release}"
need_dotnet

# Into one folder, so that the runtime is there once.
for project in src/Luffy.Cli tests/Luffy.Kernels.Tests; do
  quietly "$root/build/gpu-bundle.log" dotnet publish "$root/$project" -c Release -r linux-x64 --self-contained -p:IsPublishable=true \
    -p:PublishDocumentationFiles=false -p:DebugType=embedded -o "$bundle/bin" --nologo -v quiet
done
rm -rf "$bundle/bin/Microsoft.CodeCoverage"
find "$bundle/bin" \( -name '*.pdb' -o -name '*.xml' \) -delete
cp "$(native_library)" "$bundle/bin/"
mkdir -p "$bundle/tests/oracles" "$bundle/eng"
cp -r "$root/tests/fixtures" "$bundle/tests/"
cp "$root/tests/oracles/luffy_oracle.py" "$root/tests/oracles/parity.py" "$bundle/tests/oracles/"
cp "$root/eng/parity-torch.sh" "$bundle/eng/"
cp "$root/eng/gpu-check.sh" "$root/perf/peers/torch_ceilings.py" "$bundle/"
echo "luffy $(git -C "$root" describe --always --dirty 2>/dev/null || echo unknown)" >"$bundle/version.txt"

# Classes with tests on a backend, in a file of its name; shapes of real models last, because they take longest.
"$bundle/bin/Luffy.Kernels.Tests" --list-tests json --filter 'FullyQualifiedName~"ilgpu"' >"$root/build/gpu-tests.json"
sed -n 's/.*"typeName": "\([A-Za-z]*\)(\\"ilgpu.*/\1/p' "$root/build/gpu-tests.json" | sort -u | sed '/^RealShapeTests$/d' >"$bundle/tests/ilgpu.txt"
[ -s "$bundle/tests/ilgpu.txt" ] || fail "no test runs on the backend for any GPU; see build/gpu-tests.json"
echo RealShapeTests >>"$bundle/tests/ilgpu.txt"

tar -czf "$output/luffy-gpu.tar.gz" -C "$output" luffy-gpu
bytes=$(stat -c %s "$output/luffy-gpu.tar.gz")
[ "$bytes" -le 60000000 ] || fail "$output/luffy-gpu.tar.gz has $bytes bytes, more than 60 MB"
ls -l "$output/luffy-gpu.tar.gz"
