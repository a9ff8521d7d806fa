#!/usr/bin/env bash
# Publishes luffy as one self-contained, compressed file that needs neither .NET nor this repository on the target machine.
# Usage: eng/publish.sh [OUTPUT_FOLDER]     (default artifacts/publish-single)
set -euo pipefail
root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.." && pwd)
. "$root/eng/build-lib.sh"
output=${1:-$root/artifacts/publish-single}
mkdir -p "$root/build"
build_native release libraries
need_dotnet
case "$(uname -m)" in aarch64 | arm64) arch=arm64 ;; *) arch=x64 ;; esac
case "$(uname -s)" in Darwin) os=osx ;; *) os=linux ;; esac
dotnet publish "$root/src/Luffy.Cli" -c Release -r "$os-$arch" --self-contained -p:PublishSingleFile=true \
  -p:DebugType=embedded -p:PublishDocumentationFiles=false -o "$output" --nologo -v quiet
ls -l "$output/luffy"
