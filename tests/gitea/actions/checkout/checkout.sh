#!/usr/bin/env bash
# Makes the workspace a clone with the wanted commit checked out, under the names of references that the real action gives.
set -euo pipefail
cd "$GITHUB_WORKSPACE"
git init --quiet --initial-branch main .
git remote add origin "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY"

key=http.$GITHUB_SERVER_URL/.extraheader
header="AUTHORIZATION: basic $(printf 'x-access-token:%s' "$TOKEN" | base64 -w 0)"
fetch() { # the token is for nobody's list of processes
  GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=$key GIT_CONFIG_VALUE_0=$header git fetch --quiet --no-recurse-submodules "$@"
}
has() { GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=$key GIT_CONFIG_VALUE_0=$header git ls-remote --exit-code origin "$1" >/dev/null; }

options=(--depth "$DEPTH")
[[ $DEPTH != 0 ]] || options=()
if [[ $TAGS == true || $DEPTH == 0 ]]; then options+=(--tags); else options+=(--no-tags); fi

reference=$GITHUB_REF commit=$GITHUB_SHA
if [[ -n $REF ]]; then
  commit=
  if [[ $REF == refs/* ]]; then reference=$REF
  elif has "refs/heads/$REF"; then reference=refs/heads/$REF
  elif has "refs/tags/$REF"; then reference=refs/tags/$REF
  else reference='' commit=$REF
  fi
fi
source=${commit:-$reference}
case $reference in
  refs/heads/*) specification=+$source:refs/remotes/origin/${reference#refs/heads/} ;;
  refs/tags/*) specification=+$source:$reference ;;
  refs/pull/*) specification=+$source:refs/remotes/pull/${reference#refs/pull/} ;;
  *) specification=$source ;;
esac
wanted=("$specification")
[[ $DEPTH != 0 ]] || wanted+=('+refs/heads/*:refs/remotes/origin/*')
fetch "${options[@]}" origin "${wanted[@]}"

if [[ -n $SPARSE ]]; then
  [[ $CONE == true ]] && mode=--cone || mode=--no-cone
  git sparse-checkout set "$mode" --stdin <<<"$SPARSE"
fi
case $reference in
  refs/heads/*) git checkout --quiet --force -B "${reference#refs/heads/}" "refs/remotes/origin/${reference#refs/heads/}" ;;
  refs/tags/*) git checkout --quiet --force --detach "$reference" ;;
  refs/pull/*) git checkout --quiet --force --detach "refs/remotes/pull/${reference#refs/pull/}" ;;
  *) git checkout --quiet --force --detach "$commit" ;;
esac
if [[ $PERSIST == true ]]; then
  git config "$key" "$header"
fi
git log -1 --format='%H'
