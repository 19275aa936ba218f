#!/usr/bin/env bash
# Commits build/release-tree on top of the current commit, without touching any branch, tags it VERSION and moves the
# major tag to it, unless a newer version of the same major is already out.
# usage: release-tags.sh v1.2.3 REMOTE
set -euo pipefail
version=$1 remote=$2
major=${version%%.*}
root=$(git rev-parse --show-toplevel)

# An index of its own: the tree holds what .gitignore keeps off main.
GIT_INDEX_FILE=$(mktemp -u)
export GIT_INDEX_FILE
trap 'rm -f "$GIT_INDEX_FILE"' EXIT
git -C "$root/build/release-tree" --git-dir="$(git rev-parse --absolute-git-dir)" --work-tree=. add --all --force .
commit=$(git -c user.name=github-actions -c user.email=github-actions@users.noreply.github.com \
  commit-tree "$(git write-tree)" -p HEAD -m "release: $version")

# Refused by the remote when the version exists: a released version does not change.
git push "$remote" "$commit:refs/tags/$version"

newest=$(git ls-remote --tags --refs "$remote" "$major.*" | sed 's,.*refs/tags/,,' | sort --version-sort | tail -n 1)
if [ "$newest" = "$version" ]; then
  git push --force "$remote" "$commit:refs/tags/$major"
else
  echo "$major stays at $newest"
fi
