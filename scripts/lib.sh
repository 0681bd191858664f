# shellcheck shell=bash
# Shared by the other scripts: source it, do not run it. Finds the compiler, installs what is missing, builds.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root
cd "$root"

say() { printf '%s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

# Prints the head comment of the running script.
usage() { awk 'NR > 1 && !/^#/ { exit } NR > 1 { sub(/^# ?/, ""); print }' "$0"; }
# For scripts without options: prints the help when asked for it, and refuses anything else that starts with a dash.
only_help() {
  case ${1:-} in
    -h | --help)
      usage
      exit
      ;;
    -*) die "$0 knows no option $1; see $0 --help." ;;
  esac
}

# Is $1 a compiler that can build Troupe? GCC before 13 miscompiles coroutines.
usable_compiler() {
  command -v "$1" >/dev/null || return 1
  local major
  major=$("$1" -dumpversion | cut -d. -f1)
  case $("$1" --version | head -n 1) in
    *clang*) ((major >= 18)) ;;
    *) ((major >= 13)) ;;
  esac
}

# Prints the first usable compiler: the user's choice in CXX, else the one Troupe is developed with, else any.
find_compiler() {
  local candidate
  for candidate in ${CXX:-clang++-19 g++ clang++ clang++-20 clang++-21 clang++-18 g++-15 g++-14 g++-13}; do
    if usable_compiler "$candidate"; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  return 1
}

installed() { [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }
offered() { installed "$1" || [[ -n $(apt-cache madison "$1" 2>/dev/null) ]]; }

# Prints the packages of the given roles that are not installed yet, one a line.
missing_packages() {
  local roles=" $* " role choices package
  while read -r role choices; do
    [[ $role != '#'* && $roles == *" $role "* ]] || continue
    local chosen=''
    for package in ${choices//|/ }; do
      chosen=${chosen:-$package}  # when none is offered, say the preferred name and let apt complain
      if offered "$package"; then
        chosen=$package
        break
      fi
    done
    installed "$chosen" || printf '%s\n' "$chosen"
  done <scripts/packages.txt | sort -u
}

# Makes sure that all packages of the given roles are there. Says first what is missing; without root it prints the
# command that installs it.
require_packages() {
  local roles=("$@") missing
  if [[ " $* " == *' build '* ]] && ! find_compiler >/dev/null; then
    roles+=(compiler)
  fi
  if ! command -v dpkg-query >/dev/null; then
    say "Not a Debian or Ubuntu system: install what scripts/packages.txt names by hand."
    return
  fi

  missing=$(missing_packages "${roles[@]}")
  [[ -n $missing ]] || return 0
  say "Missing packages: ${missing//$'\n'/ }"
  if ((EUID != 0)); then
    die "Install them, then run this script again:
  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing//$'\n'/ }"
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  missing=$(missing_packages "${roles[@]}")  # with fresh lists another alternative may be the first on offer
  # shellcheck disable=SC2086 # one word a package
  apt-get install -y -qq --no-install-recommends $missing >&2
}

# configure <preset> [<cmake argument>...], in build/<preset>, afresh when the compiler has changed. A warning is an
# error only where TROUPE_WERROR=ON asks for it, as .ci/run does: a compiler that we have not met may warn of more.
configure() {
  local preset=$1 compiler cache
  shift
  compiler=$(find_compiler) || die "No compiler for Troupe${CXX:+: CXX is $CXX}. It takes GCC 13, Clang 18, or newer."
  compiler=$(command -v "$compiler")
  cache=build/$preset/CMakeCache.txt
  if [[ -f $cache ]] && ! grep -qxF "CMAKE_CXX_COMPILER:FILEPATH=$compiler" "$cache" &&
    ! grep -qxF "CMAKE_CXX_COMPILER:STRING=$compiler" "$cache"; then
    set -- --fresh "$@"
  fi
  cmake --preset "$preset" "-DCMAKE_CXX_COMPILER=$compiler" "-DTROUPE_WERROR=${TROUPE_WERROR:-OFF}" "$@" >&2
}
