# Shared by the scripts in tools/ and .ci/: where the tree is, what it needs, how it is configured.
# Source it, it does nothing by itself.
# shellcheck shell=bash disable=SC2034

cove_root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

# One list a purpose. curl, socat and spin are found by Meson when it configures, so they belong to
# the build although only tests run them.
build_packages=(
  g++ meson ninja-build pkg-config cmake python3
  libspdlog-dev doctest-dev libcli11-dev nlohmann-json3-dev libhttp-parser-dev libbenchmark-dev
  liburing-dev zlib1g-dev
  curl socat spin
)
clang_packages=(clang-19 libclang-rt-19-dev)
check_packages=(clang-19 clang-format-19 clang-tidy-19 clang-tools-19)

# Each argument is a line.
say() { printf '%s\n' "$@"; }
die() {
  say "$@" >&2
  exit 1
}

# Prints those of the given Debian packages that are not installed.
missing_packages() {
  local package status
  for package in "$@"; do
    status=$(dpkg-query -W -f='${db:Status-Status} ' "$package" 2>/dev/null) || status=
    [[ " $status" == *" installed "* ]] || printf '%s\n' "$package"
  done
}

# Installs what is missing of the given packages, or ends the script with the one line that says
# what to install. Where there is no dpkg nobody can say what is missing: Meson will, then.
need_packages() {
  local -a missing
  local log
  if ! command -v dpkg-query >/dev/null; then
    command -v meson >/dev/null && command -v ninja >/dev/null && return 0
    die "cove needs: apt-get install $*"
  fi
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]} > 0)) || return 0
  if ! command -v apt-get >/dev/null || [[ $(id -u) -ne 0 ]]; then
    die "cove needs: apt-get install ${missing[*]}"
  fi
  say "installing: ${missing[*]}"
  log=$(mktemp)
  if ! { apt-get -q -o DPkg::Lock::Timeout=120 update &&
         DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 \
           install --no-install-recommends "${missing[@]}"; } </dev/null >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    die "cove needs: apt-get install ${missing[*]}"
  fi
  rm -f "$log"
}

# configure NAME COMPILER MESON_ARGUMENT...: makes build/NAME ready for ninja. It is set up once,
# and again when the arguments, the tree's place or the installed packages have changed (what Meson
# did not find before may be there now); changes of the meson.build files are ninja's business.
configure() {
  local name=$1 compiler=$2
  shift 2
  local dir=$cove_root/build/$name
  local -a how=()
  local CC=gcc CXX=g++ wanted
  [[ $compiler == gcc ]] || { CC=$compiler CXX=${compiler/clang/clang++}; }
  wanted=$(printf '%s\n' "$cove_root" "$compiler" "$@")

  if [[ -f $dir/meson-private/coredata.dat && -f $dir/build.ninja ]]; then
    if [[ $(cat "$dir/.configured" 2>/dev/null) != "$wanted" ]]; then
      # Meson cannot change the compiler or the tree's place of a folder, and keeps every option
      # that it is not told about: start anew rather than guess.
      rm -rf "$dir"
    elif [[ /var/lib/dpkg/status -nt $dir/.configured ]]; then
      meson configure --clearcache "$dir" >/dev/null
      how=(--reconfigure)
    else
      return 0
    fi
  else
    rm -rf "$dir"
  fi
  CC=$CC CXX=$CXX meson setup "${how[@]}" "$dir" "$cove_root" "$@" || return
  printf '%s\n' "$wanted" >"$dir/.configured"
}

# configure_as NAME: the configurations that have a name. Warnings are errors in CI only: a newer
# compiler with a new warning must not keep anybody from building.
configure_as() {
  local werror=false
  [[ -z ${CI:-} ]] || werror=true
  local -a common=("-Dwerror=$werror")
  # UBSan goes on after a finding unless it is told otherwise; -Db_lundef would forbid the symbols
  # that clang's sanitizer runtimes bring along. Reports need lines and no types: without them the
  # sanitizers' builds take a fifth less time. What is measured is measured without them.
  local sanitizers=(--optimization=2 -Ddebug=false -Db_lundef=false -Dbenchmarks=disabled
    "${common[@]}")
  local lines=-gline-tables-only
  case $1 in
    release) configure release gcc --buildtype=release "${common[@]}" ;;
    clang) configure clang clang-19 --buildtype=release "${common[@]}" ;;
    asan)
      configure asan clang-19 "${sanitizers[@]}" -Db_sanitize=address,undefined \
        "-Dcpp_args=$lines -fno-sanitize-recover=undefined" ;;
    tsan)
      configure tsan clang-19 "${sanitizers[@]}" -Db_sanitize=thread "-Dcpp_args=$lines" ;;
    clang-db)
      # Only a compile database: nothing is built here that would bring it up to date.
      configure clang-db clang-19 --buildtype=debugoptimized &&
        ninja -C "$cove_root/build/clang-db" build.ninja ;;
    *) die "no configuration is called \"$1\"; there are: release clang asan tsan" ;;
  esac
}

# Prints our own files that match the given patterns, one a line: those git does not ignore, or
# without git what is not under a build folder.
own_files() {
  (
    cd "$cove_root" || exit
    if git -c safe.directory='*' rev-parse --is-inside-work-tree >/dev/null 2>&1; then
      git -c safe.directory='*' ls-files -co --exclude-standard -- "$@" ':!subprojects' |
        while read -r file; do [[ ! -f $file ]] || printf '%s\n' "$file"; done
    else
      local pattern
      for pattern in "$@"; do
        find . \( -path './.*' -o -path './build*' -o -path './subprojects' \) -prune -o \
          -type f -name "$pattern" -print
      done | sed 's|^\./||' | sort -u
    fi
  )
}

# Prints our own .cpp files that the compile database in the given build folder names.
database_files() {
  python3 - "$cove_root" "$1/compile_commands.json" <<'TEXT'
import json, os, sys
root, database = os.path.realpath(sys.argv[1]), sys.argv[2]
with open(database) as commands:
    files = {os.path.realpath(os.path.join(c['directory'], c['file'])) for c in json.load(commands)}
for file in sorted(files):
    path = os.path.relpath(file, root)
    if path.endswith('.cpp') and not path.startswith(('..', 'build', 'subprojects')):
        print(path)
TEXT
}

# each_in_parallel FUNCTION FOLDER FILE...: calls the exported FUNCTION with each file, as many at
# once as there are processors. What one call says goes to a file of its own in FOLDER, so that
# lines do not mix.
each_in_parallel() {
  local function=$1 folder=$2
  shift 2
  # shellcheck disable=SC2016  # The inner shell expands it.
  printf '%s\0' "$@" | xargs -0 -n 1 -P "$(nproc)" \
    bash -c '"$0" "$2" >"$1/${2//\//_}.out" 2>&1' "$function" "$folder"
}
