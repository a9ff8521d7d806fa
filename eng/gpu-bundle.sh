#!/usr/bin/env bash
# Packs what checks and measures Luffy on a machine with an NVIDIA GPU that has neither .NET nor a network: luffy and the kernels' tests, both
# with one copy of .NET's runtime, what the tests read, the sources of libluffy_cuda, which is built there, the peers in PyTorch, and
# gpu-check.sh, which runs all of it.
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
cp "$root/eng/gpu-check.sh" "$root/eng/gpu-check-lib.sh" "$bundle/"
mkdir -p "$bundle/peers" "$bundle/source"
cp "$root"/perf/peers/{torch_gpu,gpu_results,compare}.py "$bundle/peers/"
(cd "$root" && git ls-files -z native CMakeLists.txt CMakePresets.json | tar --null -T - -cf -) | tar -xf - -C "$bundle/source"
echo "luffy $(git -C "$root" describe --always --dirty 2>/dev/null || echo unknown)" >"$bundle/version.txt"

# Classes with tests on a backend, in a file of its name; shapes of real models first, because they take longest.
for backend in cuda ilgpu; do
  LUFFY_TEST_CUDA=device "$bundle/bin/Luffy.Kernels.Tests" --list-tests json --filter "FullyQualifiedName~\"$backend" >"$root/build/gpu-tests.json"
  echo RealShapeTests >"$bundle/tests/$backend.txt"
  sed -n "s/.*\"typeName\": \"\([A-Za-z]*\)(\\\\\"$backend\\\\.*/\1/p" "$root/build/gpu-tests.json" | sort -u | sed '/^RealShapeTests$/d' >>"$bundle/tests/$backend.txt"
  [ "$(wc -l <"$bundle/tests/$backend.txt")" -gt 9 ] || fail "too few tests run on $backend; see build/gpu-tests.json"
done

tar -czf "$output/luffy-gpu.tar.gz" -C "$output" luffy-gpu
bytes=$(stat -c %s "$output/luffy-gpu.tar.gz")
[ "$bytes" -le 60000000 ] || fail "$output/luffy-gpu.tar.gz has $bytes bytes, more than 60 MB"
ls -l "$output/luffy-gpu.tar.gz"
