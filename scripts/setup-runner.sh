#!/usr/bin/env bash
# Prepares a runner of Gitea Actions for this repository: what `make` itself needs; the tests install what they need. Safe to run twice.
set -euo pipefail

wanted=()
for program in git make python3; do
  command -v "$program" >/dev/null || wanted+=("$program")
done
python3 -c 'import ensurepip' 2>/dev/null || python3 -m pip --version >/dev/null 2>&1 || command -v uv >/dev/null || wanted+=(python3-venv)

if [[ ${#wanted[@]} -gt 0 ]]; then
  as_root=()
  [[ $EUID -eq 0 ]] || as_root=(sudo -n)
  if ! command -v apt-get >/dev/null || ! "${as_root[@]}" true 2>/dev/null; then
    echo "setup-runner: this runner lacks ${wanted[*]} and may not install packages: add them to its image." >&2
    exit 1
  fi
  export DEBIAN_FRONTEND=noninteractive
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" apt-get install -qq --yes --no-install-recommends "${wanted[@]}"
fi

# What was fetched stays for the next run where the runner keeps its tool cache; where it keeps none, nothing is lost.
if [[ -n ${GITHUB_ENV-} && -n ${RUNNER_TOOL_CACHE-} && -z ${XDG_CACHE_HOME-} ]] && mkdir -p "$RUNNER_TOOL_CACHE/cache" 2>/dev/null \
  && [[ -w $RUNNER_TOOL_CACHE/cache ]]; then
  echo "XDG_CACHE_HOME=$RUNNER_TOOL_CACHE/cache" >>"$GITHUB_ENV"
fi
