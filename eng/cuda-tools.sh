#!/usr/bin/env bash
# Fetches CUDA 12.4's command-line tools into a folder of their own: Debian 13's packages, unpacked and not installed. They need neither
# a GPU nor root, and run on Debian 12 and 13. Prints one line, "FOLDER/bin/TOOL: CUDA VERSION"; what has been fetched stays as it is.
#   eng/cuda-tools.sh ptxas [FOLDER]   ptxas, cuobjdump, nvdisasm: assemble PTX, look at SASS (downloads 87 MB, takes 78 MB)
#   eng/cuda-tools.sh nvcc [FOLDER]    these, the compiler, its headers, cudart and cuBLASLt (downloads 1.2 GB, takes 0.6 GB)
# FOLDER                by default LUFFY_CUDA_TOOLS, and without that build/cuda12; an existing CUDA installation will do
# LUFFY_DEBIAN_MIRROR   the address of a Debian mirror (default: the one that this machine's apt uses)
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
. "$root/eng/build-lib.sh"
if [ $# -lt 1 ] || [ $# -gt 2 ]; then sed -n '2,7p' "$0" >&2; exit 2; fi
tool=$1
folder=$(realpath -m "${2:-${LUFFY_CUDA_TOOLS:-$root/build/cuda12}}")
stage=$folder/.new

case "$tool" in
  ptxas) packages=(nvidia-cuda-toolkit) components=non-free ;;
  nvcc)
    packages=(nvidia-cuda-toolkit nvidia-cuda-dev libcudart12 libcublaslt12 libcu++-dev libcub-dev libthrust-dev)
    components="main non-free"
    ;;
  *) fail "there is no level '$tool' of CUDA tools; choose ptxas or nvcc" ;;
esac

answer() {
  local version
  version=$("$folder/bin/$tool" --version | sed -n 's/.*, V\([0-9.]*\)$/\1/p')
  [ -n "$version" ] || fail "$folder/bin/$tool does not tell its version; delete $folder and run this again"
  echo "$folder/bin/$tool: CUDA $version"
}

# The address of this machine's own Debian mirror.
mirror() {
  local codename
  if [ -n "${LUFFY_DEBIAN_MIRROR:-}" ]; then echo "$LUFFY_DEBIAN_MIRROR"; return; fi
  codename=$(. /etc/os-release && [ "$ID" = debian ] && echo "${VERSION_CODENAME:-sid}") || return 0
  apt-get indextargets --no-release-info --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 'Component: main' |
    awk -v codename="$codename" '!found && ($2 == codename || $2 ~ /^(stable|testing|unstable|sid)$/) { print $1; found = 1 }'
}

# Has apt check signatures and checksums, with state and cache of its own, so that nothing changes on this machine.
download() {
  local keyring=/usr/share/keyrings/debian-archive-keyring.gpg address
  mkdir -p "$root/build"
  [ -e "$keyring" ] || install_packages debian-archive-keyring ||
    fail "the keys of Debian's archive are needed (Debian, Ubuntu: apt-get install debian-archive-keyring)"
  address=$(mirror)
  [ -n "$address" ] || fail "no Debian mirror is known to this machine's apt; put the address of one into LUFFY_DEBIAN_MIRROR"
  mkdir -p "$stage/apt/state/lists/partial" "$stage/apt/cache/archives/partial" "$stage/debs"
  : >"$stage/apt/status"
  echo "deb [arch=$(dpkg --print-architecture) signed-by=$keyring target=Packages] $address trixie $components" >"$stage/apt/sources.list"
  local options=(-q -o Dir::Etc::SourceList="$stage/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::Etc::Preferences=/dev/null
    -o Dir::Etc::PreferencesParts=/dev/null -o Dir::State="$stage/apt/state" -o Dir::State::Status="$stage/apt/status"
    -o Dir::Cache="$stage/apt/cache" -o APT::Sandbox::User="$(id -un)" -o Acquire::Retries=3)
  apt-get "${options[@]}" --error-on=any update >"$stage/log" 2>&1 &&
    (cd "$stage/debs" && apt-get "${options[@]}" download "${packages[@]}") >>"$stage/log" 2>&1 && return
  cat "$stage/log" >&2
  fail "CUDA's packages could not be downloaded from $address; put the address of another Debian mirror into LUFFY_DEBIAN_MIRROR"
}

# unpack PACKAGE PATTERN…: the files of a package that match.
unpack() {
  local package=$1
  shift
  dpkg-deb --fsys-tarfile "$stage/debs/${package}"_*.deb | tar -x -C "$stage" --no-same-owner --wildcards "$@" ||
    fail "$package of Debian 13 does not hold what is expected of it ($*)"
}

arrange_ptxas() {
  unpack nvidia-cuda-toolkit ./usr/bin/ptxas ./usr/bin/cuobjdump ./usr/bin/nvdisasm
  parts=(bin)
  mv "$stage/usr/bin" "$stage/bin"
}

# Everything where NVIDIA's own installation has it, as CMake expects it, but for nvcc: it calls "gcc", so it has a folder, compiler, which
# also holds Debian's gcc and g++, that choose the newest of the machine's compilers that this nvcc takes.
arrange_nvcc() {
  unpack nvidia-cuda-toolkit './usr/bin/*' './usr/lib/nvidia-cuda-toolkit/bin/*' './usr/lib/nvidia-cuda-toolkit/libdevice/*' \
    --exclude=./usr/bin/compute-sanitizer --exclude=./usr/bin/nvcc --exclude=./usr/lib/nvidia-cuda-toolkit/bin/nvcc.profile
  unpack nvidia-cuda-dev './usr/include/*' './usr/lib/*/libcudart_static.a' './usr/lib/*/libcudadevrt.a' './usr/lib/*/libcudart.so' \
    './usr/lib/*/libcublasLt.so' './usr/lib/*/stubs/libcuda.so'
  unpack libcudart12 './usr/lib/*/libcudart.so.*'
  unpack libcublaslt12 './usr/lib/*/libcublasLt.so.*'
  for package in libcu++-dev libcub-dev libthrust-dev; do unpack "$package" './usr/include/*'; done
  parts=(compiler include lib64 nvvm bin)
  mkdir "$stage/nvvm"
  mv "$stage/usr/bin" "$stage/bin"
  mv "$stage/usr/include" "$stage/include"
  mv "$stage"/usr/lib/*-linux-gnu "$stage/lib64"
  mv "$stage/usr/lib/nvidia-cuda-toolkit/bin" "$stage/compiler"
  mv "$stage/usr/lib/nvidia-cuda-toolkit/libdevice" "$stage/nvvm/libdevice"
  cat >"$stage/compiler/nvcc.profile" <<'END'
TOP = $(_HERE_)/..
NVVMIR_LIBRARY_DIR = $(TOP)/nvvm/libdevice
PATH += $(TOP)/bin:$(_HERE_):
INCLUDES += "-isystem" "$(TOP)/include" $(_SPACE_)
LIBRARIES =+ $(_SPACE_) "-L$(TOP)/lib64/stubs" "-L$(TOP)/lib64"
END
  cat >"$stage/bin/nvcc" <<'END'
#!/bin/sh
top=$(dirname "$(dirname "$(readlink -f "$0")")")
PATH=$top/compiler:$PATH
export PATH
exec "$top/compiler/nvcc" "$@"
END
  chmod +x "$stage/bin/nvcc"
}

if [ -x "$folder/bin/$tool" ]; then answer; exit; fi
command -v apt-get >/dev/null ||
  fail "the CUDA tools come from Debian's packages, and this machine has no apt-get; put a folder with CUDA 12.4 into LUFFY_CUDA_TOOLS"
# What is there is replaced, so it must have come from here.
if [ -n "$(ls -A "$folder" 2>/dev/null)" ] && [ ! -e "$folder/.luffy-cuda-tools" ]; then
  fail "$folder has no bin/$tool and holds something else; choose an empty folder for the CUDA tools"
fi
mkdir -p "$folder"
touch "$folder/.luffy-cuda-tools"
exec 9>"$folder/.lock"
flock 9
# Another call may have fetched it meanwhile.
if [ ! -x "$folder/bin/$tool" ]; then
  say "luffy: fetching $tool of CUDA 12.4 into $folder (once)"
  rm -rf "$stage"
  trap 'rm -rf "$stage"' EXIT
  mkdir -p "$stage"
  # The lock is this shell's alone: were it killed, a download left behind must not hold it.
  download 9>&-
  "arrange_$tool" 9>&-
  # bin comes last: a folder that has the tool has everything.
  for part in "${parts[@]}"; do
    rm -rf "${folder:?}/$part"
    mv "$stage/$part" "$folder/$part"
  done
fi
answer
