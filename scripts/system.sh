#!/usr/bin/env bash
# Checks that system programs are installed, and installs the Debian packages of missing ones. This is the only
# script that may need root.
#
#   system.sh git curl venv chromium …
set -euo pipefail

say() { echo "system: $*" >&2; }

# present NAME: reports whether it is installed.
present() {
	case $1 in
	venv) python3 -c 'import ensurepip, venv' 2>/dev/null ;;
	# Voices of festival, in Debian's folders.
	festvox-kallpc16k) [ -d /usr/share/festival/voices/english/kal_diphone ] ;;
	festvox-kdlpc16k) [ -d /usr/share/festival/voices/english/ked_diphone ] ;;
	festvox-us-slt-hts) [ -d /usr/share/festival/voices/us/cmu_us_slt_arctic_hts ] ;;
	pocketsphinx-testdata) [ -d /usr/share/pocketsphinx/test/data/librivox ] ;; # people's speech
	*) command -v "$1" >/dev/null ;;
	esac
}

# packages NAME: prints the Debian packages that contain it.
packages() {
	case $1 in
	mmdebstrap) echo mmdebstrap uidmap debian-archive-keyring ;; # uidmap: to run without root; the keyring: on other systems than Debian
	venv) echo python3-venv ;;
	ip) echo iproute2 ;;
	*) echo "$1" ;;
	esac
}

missing=()
for name in "$@"; do
	# shellcheck disable=SC2207 # split the names into words
	present "$name" || missing+=($(packages "$name"))
done
[ ${#missing[@]} -gt 0 ] || exit 0

command -v apt-get >/dev/null || { say "please install: ${missing[*]} (this system has no apt-get)"; exit 1; }
sudo=()
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || { say "please run as root: apt-get install ${missing[*]}"; exit 1; }
	sudo=(sudo)
fi
say "installing ${missing[*]}"
"${sudo[@]}" apt-get update -qq >&2
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
