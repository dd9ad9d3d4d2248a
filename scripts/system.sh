#!/usr/bin/env bash
# Makes sure that programs of the system are there, and installs the Debian packages of those that are
# missing; the only step beside scripts/native.sh that may need root.
#
#   system.sh git curl venv chromium …
set -euo pipefail

say() { echo "system: $*" >&2; }

# present NAME: whether it is there.
present() {
	case $1 in
	venv) python3 -c 'import ensurepip, venv' 2>/dev/null ;;
	# Voices of festival, where Debian puts them.
	festvox-kallpc16k) [ -d /usr/share/festival/voices/english/kal_diphone ] ;;
	festvox-kdlpc16k) [ -d /usr/share/festival/voices/english/ked_diphone ] ;;
	festvox-us-slt-hts) [ -d /usr/share/festival/voices/us/cmu_us_slt_arctic_hts ] ;;
	*) command -v "$1" >/dev/null ;;
	esac
}

# packages NAME: the Debian packages that bring it.
packages() {
	case $1 in
	mmdebstrap) echo mmdebstrap uidmap debian-archive-keyring ;; # the others: to run as a user, and not on Debian
	venv) echo python3-venv ;;
	*) echo "$1" ;;
	esac
}

missing=()
for name in "$@"; do
	# shellcheck disable=SC2207 # the names are words
	present "$name" || missing+=($(packages "$name"))
done
[ ${#missing[@]} -gt 0 ] || exit 0

command -v apt-get >/dev/null || { say "install these first (there is no apt-get to do it with): ${missing[*]}"; exit 1; }
sudo=()
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || { say "install these as root first: apt-get install ${missing[*]}"; exit 1; }
	sudo=(sudo)
fi
say "installing ${missing[*]}"
"${sudo[@]}" apt-get update -qq >&2
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
