#!/usr/bin/env bash
# Prepares a runner of Gitea Actions for this repository: what `make` itself needs; the tests install what they need. Safe to run twice.
set -euo pipefail

wanted=()
for program in git make python3; do
  command -v "$program" >/dev/null || wanted+=("$program")
done
python3 -c 'import ensurepip' 2>/dev/null || python3 -m pip --version >/dev/null 2>&1 || command -v uv >/dev/null || wanted+=(python3-venv)

if [[ ${#wanted[@]} -gt 0 ]]; then
  export DEBIAN_FRONTEND=noninteractive
  as_root=()
  if [[ $EUID -ne 0 ]]; then
    # sudo takes these out of the environment. Their values are kept off its command line: a proxy's may hold a password.
    as_root=(sudo -n "--preserve-env=DEBIAN_FRONTEND,http_proxy,https_proxy,no_proxy,HTTP_PROXY,HTTPS_PROXY,NO_PROXY")
    "${as_root[@]}" true 2>/dev/null || as_root=(sudo -n) # where its rules do not allow that
  fi
  if ! command -v apt-get >/dev/null || ! "${as_root[@]}" true 2>/dev/null; then
    echo "setup-runner: this runner lacks ${wanted[*]} and may not install packages: add them to its image." >&2
    exit 1
  fi
  # Jobs of one host take turns: apt-get update does not wait for another's. What a package starts does not keep the lock.
  if command -v flock >/dev/null; then
    exec 9<"$(command -v apt-get)"
    flock 9
  fi
  "${as_root[@]}" apt-get update -qq 9<&-
  "${as_root[@]}" apt-get install -qq --yes --no-install-recommends "${wanted[@]}" 9<&-
  exec 9<&-
fi

# What was fetched stays for the next run where the runner keeps its tool cache; where it keeps none, nothing is lost.
if [[ -n ${GITHUB_ENV-} && -n ${RUNNER_TOOL_CACHE-} && -z ${XDG_CACHE_HOME-} ]] && mkdir -p "$RUNNER_TOOL_CACHE/cache" 2>/dev/null \
  && [[ -w $RUNNER_TOOL_CACHE/cache ]]; then
  echo "XDG_CACHE_HOME=$RUNNER_TOOL_CACHE/cache" >>"$GITHUB_ENV"
fi
