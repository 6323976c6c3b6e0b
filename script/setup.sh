# shellcheck shell=bash
# Sourced by the commands beside it: the virtual environment, what is installed in it, and programs from the system's
# package manager. Nothing here asks a question, and all of it can be run again.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
venv=$root/.venv
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

say() { printf '%s\n' "$*" >&2; }
die() { say "script/$(basename "$0"): $*"; exit 1; }

# --- Python and the virtual environment

find_python() { # prints the first Python that is new enough; PYTHON=/path/to/python overrides
  local candidate
  for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      command -v "$candidate"
      return
    fi
  done
  die "Hermes needs Python 3.11 or newer, and ${PYTHON:-python3} is not. Install it (Debian, Ubuntu:" \
    "apt-get install python3 python3-venv), or name one with PYTHON=/path/to/python."
}

make_venv() { # makes .venv unless it is there, works, and was made for this folder
  if [[ -f $venv/.root && $(<"$venv/.root") == "$root" ]] && "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    return
  fi
  local python package
  python=$(find_python)
  say "Making the virtual environment .venv with $("$python" --version) ..."
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then # Debian keeps these in a package of their own
    package=python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv
    if can_install; then install_packages "$package" || true; fi
  fi
  if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    "$python" -m venv --clear "$venv"
  elif "$python" -c 'import pip, venv' 2>/dev/null; then
    "$python" -m venv --clear --without-pip "$venv"
    "$python" -m pip --python "$venv/bin/python" install --quiet pip
  else
    die "Python's venv module cannot make an environment here. Install it once:" \
      "sudo apt-get install ${package:-python3-venv} - then run this again."
  fi
  "$venv/bin/python" -m pip install --quiet --upgrade 'pip>=25.1' # the first with --group
  printf '%s' "$root" >"$venv/.root"
}

# install_hermes [test]: Hermes, editable, and the named dependency group; again only when pyproject.toml changed.
install_hermes() {
  local group=${1:-} stamp
  exec 9<"$root/script" # two commands started together take turns
  if command -v flock >/dev/null; then flock 9; fi
  make_venv
  stamp=$venv/.installed${group:+-$group}
  if ! cmp -s "$root/pyproject.toml" "$stamp"; then
    say "Installing Hermes${group:+ and what its $group group names} into .venv ..."
    "$venv/bin/python" -m pip install --quiet --editable "$root" ${group:+--group "$root/pyproject.toml:$group"} </dev/null
    cp "$root/pyproject.toml" "$stamp"
    cp "$root/pyproject.toml" "$venv/.installed"
  fi
  exec 9<&-
}

# --- Programs from the system's package manager

as_root() {
  if [[ $(id -u) == 0 ]]; then "$@"; else sudo -n "$@"; fi
}

can_install() {
  command -v apt-get >/dev/null || return 1
  [[ $(id -u) == 0 ]] || sudo -n true 2>/dev/null
}

# install_packages NAME...: by apt-get, without starting the services that come with them: they would take the ports
# of the person at this machine, and no test uses them.
install_packages() (
  policy=/usr/sbin/policy-rc.d
  if [[ ! -e $policy ]]; then
    trap 'as_root rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
  fi
  say "Installing $* ..."
  apt=(as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300)
  log=$(mktemp)
  if ! { "${apt[@]}" update && "${apt[@]}" install --yes --no-install-recommends "$@"; } </dev/null >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
)

is_there() { # is_there NAME|/FILE: a program that can be run, or a file such as another program's module
  if [[ $1 == /* ]]; then [[ -e $1 ]]; else PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null; fi
}

# ensure_programs: reads lines "binary package..." and installs those whose binary is missing. Where it cannot, it says
# what is missing and goes on: the tests that need it say so too, and fail under CI.
ensure_programs() {
  local binary packages missing=() wanted=()
  while read -r binary packages; do
    [[ -z $binary || $binary == '#'* ]] && continue
    if ! is_there "$binary"; then
      missing+=("$binary")
      read -ra packages <<<"$packages"
      wanted+=("${packages[@]}")
    fi
  done
  [[ ${#missing[@]} == 0 ]] && return
  if can_install; then
    install_packages "${wanted[@]}" || say "script/$(basename "$0"): ${missing[*]} could not be installed; see above."
  else
    say "script/$(basename "$0"): missing ${missing[*]}, and this user may not install packages. Once, by hand:" \
      "sudo apt-get install ${wanted[*]}"
  fi
}
