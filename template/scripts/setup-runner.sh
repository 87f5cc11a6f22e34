#!/usr/bin/env bash
# Prepares a runner of Gitea Actions: make, Python, the packages of system-packages.txt, and uv. Safe to run twice.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

wanted=()
command -v make >/dev/null || wanted+=(make)
command -v git >/dev/null || wanted+=(git)
command -v python3 >/dev/null || wanted+=(python3)
python3 -c 'import ensurepip' 2>/dev/null || python3 -m pip --version >/dev/null 2>&1 || command -v uv >/dev/null || wanted+=(python3-venv)
while read -r package; do
  [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || wanted+=("$package")
done < <(sed 's/#.*//' system-packages.txt | grep -o '[^[:space:]]\+' || true)

if [[ ${#wanted[@]} -gt 0 ]]; then
  if ! command -v apt-get >/dev/null; then
    echo "setup-runner: this runner lacks ${wanted[*]} and has no apt-get: add them to its image." >&2
    exit 1
  fi
  as_root=()
  if [[ $EUID -ne 0 ]]; then
    if ! sudo -n true 2>/dev/null; then
      echo "setup-runner: this runner lacks ${wanted[*]} and may not install packages: add them to its image." >&2
      exit 1
    fi
    as_root=(sudo -n)
  fi
  export DEBIAN_FRONTEND=noninteractive
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" apt-get install -qq --yes --no-install-recommends "${wanted[@]}"
fi

# What was fetched stays for the next run where the runner keeps its tool cache; where it keeps none, nothing is lost.
if [[ -n ${GITHUB_ENV-} && -n ${RUNNER_TOOL_CACHE-} && -z ${XDG_CACHE_HOME-} ]] && mkdir -p "$RUNNER_TOOL_CACHE/cache" 2>/dev/null \
  && [[ -w $RUNNER_TOOL_CACHE/cache ]]; then
  export XDG_CACHE_HOME=$RUNNER_TOOL_CACHE/cache
  {
    echo "XDG_CACHE_HOME=$XDG_CACHE_HOME"
    echo "npm_config_cache=$XDG_CACHE_HOME/npm"
  } >>"$GITHUB_ENV"
fi

scripts/uv.sh --version
