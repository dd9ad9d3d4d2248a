#!/usr/bin/env bash
# Pins the base image of the Dockerfile to what its registry has now: base-image.sh [DOCKERFILE]
#
# The digest is that of the index of all architectures, so it is the same wherever the image is built.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

file=${1:-Dockerfile}
tools=$(scripts/tools.sh crane)
export PATH=$tools:$PATH
image=$(sed -n 's/^ARG BASE=\([^@]*\).*/\1/p' "$file")
[ -n "$image" ] || { echo "base-image: $file has no line ARG BASE=IMAGE" >&2; exit 1; }
digest=$(crane digest "$image") || { echo "base-image: the registry of $image cannot be reached, so $file was not changed" >&2; exit 1; }
manifest=$(crane manifest "$image@$digest")
for architecture in amd64 arm64; do
	grep -Eq "\"architecture\": *\"$architecture\"" <<<"$manifest" ||
		{ echo "base-image: $image@$digest has no image for $architecture, so $file was not changed" >&2; exit 1; }
done
sed -i "s|^ARG BASE=.*|ARG BASE=$image@$digest|" "$file"
echo "base-image: $image is $digest"
