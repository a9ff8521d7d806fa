#!/usr/bin/env bash
# Installs a peer into a folder of its own with debootstrap (root, Debian or Ubuntu; 1 to 3 GB, a few minutes). A folder that already
# has it is left as it is.
#   perf/peers/setup.sh torch FOLDER     PyTorch 2.6, from Debian 13
#   perf/peers/setup.sh llama FOLDER     llama.cpp with its benchmarks, from Debian unstable
set -euo pipefail
if [ $# -ne 2 ]; then sed -n '2,5p' "$0" >&2; exit 2; fi
peer=$1 root=$(realpath -m "$2")

case "$peer" in
  torch) suite=trixie packages="python3-torch python3-numpy libopenblas0-pthread" present="python3 -c 'import torch, numpy'" ;;
  llama) suite=sid packages="llama.cpp llama.cpp-tools llama.cpp-tools-extra" present="command -v llama-bench llama-batched-bench" ;;
  *) echo "setup.sh: there is no peer '$peer'; choose torch or llama" >&2; exit 2 ;;
esac

here() { chroot "$root" sh -c "$1"; }

# Where this machine gets its Debian packages from; nothing where it does not say, and debootstrap then takes its own mirror.
mirror() {
  local found=
  if [ -e /etc/apt/sources.list.d/debian.sources ]; then found=$(awk '/^URIs/ { print $2; exit }' /etc/apt/sources.list.d/debian.sources); fi
  echo "$found"
}

if ! { [ -x "$root/bin/sh" ] && here "$present" >/dev/null 2>&1; }; then
  command -v debootstrap >/dev/null || { apt-get update -q; apt-get install -y -q debootstrap; }
  debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" $(mirror)
  # What this machine needs to reach the mirror.
  for path in /etc/apt/apt.conf.d /etc/ssl/certs; do
    if [ -d "$path" ]; then mkdir -p "$root$path" && cp -r "$path/." "$root$path/"; fi
  done
  cp /etc/resolv.conf /etc/hosts "$root/etc/"
  here "apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $packages"
fi
# Without it libraries cannot tell the processor, and run at half their speed.
mountpoint -q "$root/proc" || mount -t proc proc "$root/proc"
echo "$peer is in $root"
