#!/usr/bin/env bash
# Runs uv: scripts/uv.sh run pytest
#
# The one on the PATH where it is new enough, else the version below, fetched from PyPI at the first call into a folder of its own. So a
# machine needs nothing but Python and a way to PyPI or to a mirror of it (pip's own settings tell where that is).
set -euo pipefail

version=0.13.8 # fetched
oldest=0.13    # good enough on the PATH

run_uv() {
  [[ ${2-} == lock || ${2-} == sync ]] || exec "$@"
  local status=0
  "$@" || status=$?
  # Taking pip's setting over unasked would write its address into uv.lock, where everybody else would meet it.
  if [[ $status -ne 0 && -z ${UV_DEFAULT_INDEX-}${UV_INDEX_URL-} ]] \
    && [[ $(python3 -m pip config list 2>/dev/null) == *.index-url=* ]]; then
    echo "uv.sh: pip takes packages from another index than PyPI, of which uv knows nothing: set UV_DEFAULT_INDEX to its address." >&2
  fi
  exit "$status"
}

if found=$(command -v uv) && has=$(uv --version 2>/dev/null); then
  has=${has#uv } && has=${has%% *}
  if [[ $(printf '%s\n' "$oldest" "$has" | sort -V | head -n 1) == "$oldest" ]]; then
    run_uv "$found" "$@"
  fi
fi

home="${XDG_CACHE_HOME:-${HOME:?is not set}/.cache}/uv-from-pypi/$version"
if [[ ! -x $home/bin/uv ]]; then
  command -v python3 >/dev/null || { echo "uv.sh: python3 is missing; install it (apt install python3), or install uv." >&2; exit 1; }
  mkdir -p "${home%/*}"
  partial=$(mktemp -d "$home.partial.XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  # Debian keeps venv and pip in packages of their own: either of them is enough. A venv because many systems let pip install nowhere else.
  if log=$(python3 -m venv "$partial/venv" 2>&1); then
    pip=("$partial/venv/bin/python" -m pip)
  elif python3 -m pip --version >/dev/null 2>&1; then
    pip=(python3 -m pip)
  else
    echo "uv.sh: neither uv, pip nor venv is here; install one of them (apt install python3-venv)." >&2
    exit 1
  fi
  if ! log=$("${pip[@]}" install --quiet --disable-pip-version-check --no-deps --target "$partial/uv" "uv==$version" 2>&1); then
    echo "uv.sh: uv $version could not be had from PyPI: $(tail -n 1 <<<"$log")" >&2
    exit 1
  fi
  rm -rf "$partial/venv"
  # In one step, so that a stopped call leaves no half of it; another call may have been first.
  python3 -c 'import os, sys; os.rename(*sys.argv[1:])' "$partial/uv" "$home" 2>/dev/null || [[ -x $home/bin/uv ]] || {
    echo "uv.sh: $home cannot be used: remove it; programs must be allowed to run there." >&2
    exit 1
  }
  rm -rf "$partial"
  trap - EXIT
fi
run_uv "$home/bin/uv" "$@"
