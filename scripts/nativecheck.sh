#!/usr/bin/env bash
# Compares Debian packages with the lock file: nativecheck.sh LOCK ARCHITECTURE PACKAGES
#
# LOCK has lines "ARCHITECTURE NAME VERSION SHA256", PACKAGES has lines "NAME VERSION SHA256" of the .deb files that were
# fetched. apt has checked that Debian signed them. In addition:
#   - A package of the version in the lock must have its checksum.
#   - An older one is refused: the mirror is a snapshot that lacks later fixes.
#   - A newer one, or one that is not in the lock, is accepted with a message. Debian removes a version from its mirrors when
#     there is a newer one, so whoever has only the lock could not build any more. MG_NATIVE_LOCK=exact refuses it.
# Exit status 1: refused.
set -euo pipefail

lock=$1 architecture=$2 packages=$3
say() { echo "native: $*" >&2; }

declare -A version=() sum=()
while read -r arch name v s; do
	[ "$arch" = "$architecture" ] || continue
	version[$name]=$v sum[$name]=$s
done < <(grep -v '^#' "$lock")
[ ${#version[@]} -gt 0 ] || say "${lock##*/} has no versions for $architecture: only Debian's signatures were checked"

changed=() older=() newer=()
while read -r name v s; do
	known=${version[$name]:-}
	if [ -z "$known" ]; then
		[ ${#version[@]} = 0 ] || newer+=("$name $v (not in the lock)")
	elif [ "$v" = "$known" ]; then
		[ "$s" = "${sum[$name]}" ] || changed+=("$name $v: sha256 $s, expected ${sum[$name]}")
	elif dpkg --compare-versions "$v" lt "$known"; then
		older+=("$name $v (lock: $known)")
	else
		newer+=("$name $v (lock: $known)")
	fi
done <"$packages"

if [ ${#changed[@]} -gt 0 ]; then
	say "these packages are not the files that ${lock##*/} names:"
	printf '  %s\n' "${changed[@]}" >&2
	say "the mirror or a proxy changed them. Name another mirror of Debian in MG_DEBIAN_MIRROR"
	exit 1
fi
if [ ${#older[@]} -gt 0 ]; then
	say "these packages are older than those in ${lock##*/}:"
	printf '  %s\n' "${older[@]}" >&2
	say "the mirror is an old snapshot, which may lack security fixes. Name a current mirror of Debian in MG_DEBIAN_MIRROR. If you want these versions, record them with: make lock"
	exit 1
fi
[ ${#newer[@]} -gt 0 ] || exit 0
if [ "${MG_NATIVE_LOCK:-newer}" = exact ]; then
	say "these packages are newer than those in ${lock##*/}, and MG_NATIVE_LOCK=exact allows none:"
	printf '  %s\n' "${newer[@]}" >&2
	say "record them with: make lock"
	exit 1
fi
say "${#newer[@]} packages are newer than in ${lock##*/}. Debian signed them; \"make lock\" records them:"
printf '  %s\n' "${newer[@]}" >&2
