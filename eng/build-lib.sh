# Functions that ./luffy, ./test.sh, .ci/run and eng/publish.sh share. Sourced, not run; `root` is the repository's root.
# Everything said here goes to stderr, so that stdout stays the program's own.

say() { printf '%s\n' "$*" >&2; }
fail() { say "luffy: $*"; exit 1; }

# Installs Debian packages where that needs no password; otherwise returns 1.
install_packages() {
  local as_root=()
  command -v apt-get >/dev/null || return 1
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null && sudo -n true 2>/dev/null || return 1
    as_root=(sudo -n)
  fi
  say "luffy: installing $* (once)"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q "$@" >"$root/build/apt.log" 2>&1 && return 0
  # A fresh image has no package lists yet.
  "${as_root[@]}" apt-get update -q >"$root/build/apt.log" 2>&1 &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q "$@" >>"$root/build/apt.log" 2>&1
}

# need COMMAND PACKAGE HOW: makes sure that COMMAND exists, or ends with how to get it.
need() {
  command -v "$1" >/dev/null && return 0
  install_packages "$2" && command -v "$1" >/dev/null && return 0
  fail "$1 is needed to build and could not be installed by itself. $3"
}

sdk_wanted() { sed -n 's/.*"version": *"\([0-9]*\.[0-9]*\).*/\1/p' "$root/global.json" | head -n 1; }
sdk_present() { command -v dotnet >/dev/null && (cd "$root" && dotnet --version >/dev/null 2>&1); }

need_dotnet() {
  sdk_present && return 0
  local band
  band=$(sdk_wanted)
  install_packages "dotnet-sdk-$band" && sdk_present && return 0
  fail "the .NET SDK $band ($(sed -n 's/.*"version": *"\([^"]*\)".*/\1/p' "$root/global.json" | head -n 1) or a later feature band)" \
    "is needed to build and could not be installed by itself. Get it from https://dotnet.microsoft.com/download/dotnet/$band and put" \
    "'dotnet' on the PATH."
}

need_native_tools() {
  need cmake cmake "Install CMake 3.22 or later (Debian, Ubuntu: apt-get install cmake)."
  if ! command -v ninja >/dev/null; then
    need make make "Install make or ninja (Debian, Ubuntu: apt-get install ninja-build)."
  fi
  command -v c++ >/dev/null || need g++ g++ "Install a C++20 compiler (Debian, Ubuntu: apt-get install g++)."
}

# stale STAMP PATH…: true when a file or folder under a PATH is newer than STAMP, or STAMP is missing.
stale() {
  local stamp=$1
  shift
  [ -e "$stamp" ] || return 0
  [ -n "$(cd "$root" && find "$@" -newer "$stamp" -print -quit 2>/dev/null)" ]
}

# quietly LOG COMMAND…: runs the command; shows its output only when it fails.
quietly() {
  local log=$1
  shift
  "$@" >"$log" 2>&1 && return 0
  tail -n 60 "$log" >&2
  fail "'$*' failed; the whole output is in ${log#"$root"/}"
}

native_library() {
  case "$(uname -s)" in
    Darwin) echo "$root/build/native/libluffy_cpu.dylib" ;;
    *) echo "$root/build/native/libluffy_cpu.so" ;;
  esac
}

# build_native [PRESET [TARGET]]: the native libraries and what tests them into build/native; with the target `libraries`, the former alone.
build_native() {
  local preset=${1:-release} target=${2:-all}
  need_native_tools
  # A build folder remembers its generator, so only a new one may choose.
  if [ ! -e "$root/build/native/CMakeCache.txt" ] && command -v ninja >/dev/null; then export CMAKE_GENERATOR=Ninja; fi
  mkdir -p "$root/build"
  (cd "$root" && quietly "$root/build/native-configure.log" cmake --preset "$preset" &&
    quietly "$root/build/native-build.log" cmake --build --preset "$preset" --target "$target" --parallel) || exit 1
}

# The mtime of a stamp is the moment *before* its build began, so that an edit during the build counts as newer.
begin_stamp() { mkdir -p "$root/build"; touch "$1.new"; }
finish_stamp() { mv -f "$1.new" "$1"; }

native_sources=(native CMakeLists.txt CMakePresets.json)
managed_sources=(src recipes assets Directory.Build.props Directory.Packages.props global.json .editorconfig)
