#!/usr/bin/env bash
# Finds or makes the native libraries (llama.cpp, whisper.cpp, espeak-ng, ONNX Runtime, LAME, libopusenc, libFLAC, FAAD2,
# opencore-amr) that the cgo programs use.
#
#   native.sh           install the libraries if needed, and print where they are
#   native.sh env       the same, then print shell exports:  eval "$(scripts/native.sh env)"
#   native.sh tools     install the reference programs (llama-server, llama-bench, llama-quantize, whisper-cli) if
#                       needed, and print their folder
#   native.sh haproxy   the same for HAProxy, which tests put in front of servers
#   native.sh lock      write scripts/native.lock and scripts/haproxy.lock: the versions that the mirror has now
#
# The system's libraries are used if they are new enough. Otherwise the packages of Debian 14 are unpacked once
# into a private prefix in the user's cache; later runs need no network. Their versions and checksums are compared with
# scripts/native.lock (nativecheck.sh says how); the prefix's file "packages" lists them.
#
# Exports of `env` (with the system's libraries some are empty):
#   MG_NATIVE         system | prefix
#   MG_NATIVE_PREFIX  root of the private prefix
#   MG_NATIVE_LIB     folder of the libraries, and of espeak-ng-data; never empty
#   MG_NATIVE_LOADER  the prefix's dynamic loader
#   MG_GGML_BACKENDS  folder for ggml_backend_load_all_from_path; empty: call ggml_backend_load_all
#   MG_ONNXRUNTIME    ONNX Runtime's library, loaded at run time; an existing value is kept
#   MG_NATIVE_TOOLS   folder of the reference programs; empty before `native.sh tools`
#   CGO_CFLAGS, CGO_LDFLAGS, GOFLAGS
# Programs built with these flags can be started directly: the prefix's loader and library path are written
# into them.
#
# Variables that are read: MG_NATIVE=auto|system|prefix (default auto), MG_ONNXRUNTIME, XDG_CACHE_HOME, CC,
# MG_DEBIAN_MIRROR (default: mmdebstrap's own), MG_NATIVE_LOCK=newer|exact (default newer: packages that are newer than the
# lock are accepted).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
suite=forky
library_packages=libllama-dev,libwhisper-dev,libespeak-ng-dev,libonnxruntime-dev,libmp3lame-dev,libopusenc-dev,libflac-dev,libfaad-dev,libopencore-amrnb-dev,libopencore-amrwb-dev,libc6-dev,base-files,patchelf
tool_packages=llama.cpp-tools,whisper.cpp-tools,base-files,patchelf
haproxy_packages=haproxy,base-files,patchelf
cache=${XDG_CACHE_HOME:-${HOME:?set HOME or XDG_CACHE_HOME}/.cache}/modelgateway/native
cc=${CC:-gcc}
lock=$here/native.lock
haproxy_lock=$here/haproxy.lock

say() { echo "native: $*" >&2; }
die() { say "$*"; exit 1; }

# architecture: prints Debian's name of this machine's architecture.
architecture() {
	case $(uname -m) in
	x86_64) echo amd64 ;;
	aarch64) echo arm64 ;;
	*) uname -m ;;
	esac
}

# prefix_path PACKAGES: prints the folder of the prefix. Its name is a hash of the packages, of their lock and of the
# functions that create it; a change of any of them creates a new prefix.
prefix_path() {
	local hash
	hash=$({ echo "$suite $1 $(uname -m)"; grep "^$(architecture) " "$lock" || true; declare -f make_prefix unpack fit; } | sha256sum)
	echo "$cache/${hash:0:16}"
}

triplet() { "$cc" -print-multiarch; }

# loader_of ROOT: prints the dynamic loader in it; its name depends on the architecture.
loader_of() { find "$1/lib64/" "$1/lib/" -maxdepth 1 -name 'ld-linux-*.so.*' -print -quit 2>/dev/null || true; }

# unpack PACKAGES WORK [OPTION…]: unpacks them, and the packages that they need, into WORK/root.tar, and lists them with
# version and checksum in WORK/packages. OPTION is one of mmdebstrap.
unpack() {
	local packages=$1 work=$2 list
	shift 2
	# shellcheck disable=SC2016 # mmdebstrap's shell expands it
	list='cd "$1/var/cache/apt/archives" && for deb in *.deb; do
		echo "$(dpkg-deb --show --showformat="\${Package} \${Version}" "$deb") $(sha256sum <"$deb" | cut -c1-64)"
	done >"$1/packages"'
	# A tar file, so that an ordinary user owns the extracted files.
	# Valid-Until is not checked, because a mirror may be an older snapshot; nativecheck.sh refuses one that is too old.
	# Signatures are checked.
	mmdebstrap --variant=extract --format=tar --aptopt='Acquire::Check-Valid-Until "false"' --include="$packages" \
		--extract-hook="$list" "$@" \
		"$suite" "$work/root.tar" ${MG_DEBIAN_MIRROR:+"$MG_DEBIAN_MIRROR"} >"$work/log" 2>&1 ||
		{ cat "$work/log" >&2; die "mmdebstrap failed"; }
	tar -x -f "$work/root.tar" -C "$work" ./packages
	grep -q "^${packages%%,*} " "$work/packages" || die "the packages of the mirror cannot be checked; with a file:// mirror, use copy://"
}

# write_lock LOCK PACKAGES WHAT: records what the mirror has now, for every architecture that the project supports.
write_lock() {
	local lock=$1 work arch
	"$here/system.sh" mmdebstrap
	mkdir -p "$cache"
	work=$(mktemp -d "$cache/.lock-XXXXXX")
	# shellcheck disable=SC2064 # expand the path now
	trap "rm -rf '$work'" EXIT
	for arch in amd64 arm64; do
		say "asking for the packages of Debian $suite for $arch"
		# Nothing of them runs, so the machine need not be able to run them.
		unpack "$2" "$work" --architectures="$arch" --skip=check/qemu
		LC_ALL=C sort "$work/packages" | sed "s/^/$arch /" >>"$work/lock"
		rm "$work/root.tar"
	done
	{
		echo "# Debian packages of $3: architecture, name, version, sha256 of the .deb file."
		echo "# Written by \"make lock\"; scripts/nativecheck.sh says what it is for."
		cat "$work/lock"
	} >"$work/new"
	mv "$work/new" "$lock"
	rm -rf "$work"
	trap - EXIT
}

# haproxy_dir: makes a prefix with HAProxy and prints a folder with a program "haproxy" that starts it.
haproxy_dir() {
	local root
	lock=$haproxy_lock
	make_prefix "$haproxy_packages"
	root=$(prefix_path "$haproxy_packages")
	[ -x "$root/start/haproxy" ] || {
		mkdir -p "$root/start"
		printf '#!/bin/sh\nexec %s --library-path %s %s "$@"\n' \
			"$(loader_of "$root")" "$root/usr/lib/$(triplet)" "$root/usr/sbin/haproxy" >"$root/start/new.$$"
		chmod +x "$root/start/new.$$"
		mv "$root/start/new.$$" "$root/start/haproxy"
	}
	echo "$root/start"
}

# make_prefix PACKAGES: unpacks them into a temporary folder, adapts them to the final one, and renames it.
make_prefix() {
	local final work
	final=$(prefix_path "$1")
	[ -d "$final" ] && return
	"$here/system.sh" mmdebstrap || die "without a recent llama.cpp, whisper.cpp, espeak-ng, ONNX Runtime, LAME, libopusenc, libFLAC, FAAD2 and opencore-amr on this system: see docs/building.md"
	mkdir -p "$cache"
	work=$(mktemp -d "$cache/.making-XXXXXX")
	# shellcheck disable=SC2064 # expand the path now
	trap "rm -rf '$work'" EXIT
	trap 'exit 1' INT TERM HUP
	say "unpacking $1 of Debian $suite into $final"
	unpack "$1" "$work"
	"$here/nativecheck.sh" "$lock" "$(architecture)" "$work/packages" || exit 1
	mkdir "$work/root"
	tar -x -f "$work/root.tar" -C "$work/root" --no-same-owner --exclude=./dev --exclude=./var \
		--exclude=./usr/share/doc --exclude=./usr/share/man --exclude=./usr/share/locale
	fit "$work/root" "$final"
	# If another run created the same prefix in the meantime, use that.
	mv -T "$work/root" "$final" 2>/dev/null || [ -d "$final" ] || die "cannot make $final"
	rm -rf "$work"
	trap - EXIT INT TERM HUP
}

# fit ROOT FINAL: makes the programs in ROOT run from FINAL without a launcher.
# - libllama and others have an absolute RUNPATH, which would override that of the program; it is removed.
# - The reference programs get FINAL's loader and libraries. ggml's back ends are linked into their folder, where
#   ggml looks if its compiled-in folder does not exist.
# - The shim folder has two libraries that the Go binding of whisper.cpp links and Debian does not have under these
#   names: libggml-cpu (a back end, loaded at run time) and libstdc++ without a version.
fit() {
	local root=$1 final=$2 lib file loader
	lib=usr/lib/$(triplet)
	loader=$(loader_of "$root")
	patchelf() { "$loader" --library-path "$root/$lib" "$root/usr/bin/patchelf" "$@"; }
	while IFS= read -r -d '' file; do
		case $(patchelf --print-rpath "$file" 2>/dev/null || true) in
		/usr/lib/*) patchelf --remove-rpath "$file" ;;
		esac
	done < <(find "$root/$lib" -type f -name '*.so*' -print0)
	for file in "$root"/usr/bin/{llama,whisper}-*; do
		[ -e "$file" ] || continue
		patchelf --set-interpreter "$final${loader#"$root"}" \
			--force-rpath --set-rpath "$final/$lib:$final/$lib/llama:$final/$lib/pulseaudio" "$file"
		(cd "$root/usr/bin" && ln -sf "../../$lib/ggml/backends0/"*.so .)
	done
	mkdir "$root/shim"
	echo 'INPUT(-lggml-base)' >"$root/shim/libggml-cpu.so"
	ln -s "../$lib/libstdc++.so.6" "$root/shim/libstdc++.so"
}

# system_is_new_enough: reports whether code of the engines compiles and links with the system's libraries.
system_is_new_enough() {
	command -v pkg-config >/dev/null && pkg-config --exists llama whisper espeak-ng libonnxruntime lame libopusenc flac faad2 opencore-amrnb opencore-amrwb || return
	# shellcheck disable=SC2046 # split the flags into words
	printf '%s\n' '#include <llama.h>' '#include <whisper.h>' '#include <espeak-ng/speak_lib.h>' \
		'int main(void) { return llama_model_default_params().load_mode; }' |
		"$cc" -x c - -o /dev/null $(pkg-config --cflags --libs llama whisper espeak-ng) 2>/dev/null
}

choose() {
	case ${MG_NATIVE:-auto} in
	prefix) echo prefix ;;
	system)
		system_is_new_enough || die "the system's libraries are missing or too old; unset MG_NATIVE to use the packages of Debian 14"
		echo system
		;;
	auto) if system_is_new_enough; then echo system; else echo prefix; fi ;;
	*) die "MG_NATIVE is '$MG_NATIVE'; it must be auto, system or prefix" ;;
	esac
}

# tools_dir: prints the folder of the reference programs, if they are installed.
tools_dir() {
	local dir
	dir=$(prefix_path "$tool_packages")/usr/bin
	if [ "$mode" = system ] && command -v llama-server llama-bench llama-quantize whisper-cli >/dev/null; then
		dirname "$(command -v llama-server)"
	elif [ -d "$dir" ]; then
		echo "$dir"
	fi
}

# onnxruntime LIB: prints ONNX Runtime's library in that folder. Its name contains the version.
onnxruntime() {
	local found
	found=$(find "$1" -maxdepth 1 -name 'libonnxruntime.so.*' -print | sort -V | tail -n 1)
	echo "${MG_ONNXRUNTIME:-$found}"
}

print_env() {
	local prefix='' lib loader='' backends='' cflags ldflags goflags name
	goflags=$(go env GOFLAGS)
	if [ "$mode" = system ]; then
		lib=$(pkg-config --variable=libdir llama)
		cflags=$(pkg-config --cflags llama whisper espeak-ng)
		mkdir -p "$cache/shim-system"
		echo 'INPUT(-lggml-base)' >"$cache/shim-system/libggml-cpu.so"
		# The name without a version would need the package g++.
		[ ! -e "$lib/libstdc++.so.6" ] || ln -sf "$lib/libstdc++.so.6" "$cache/shim-system/libstdc++.so"
		ldflags="-L$cache/shim-system -L$lib"
	else
		prefix=$(prefix_path "$library_packages")
		lib=$prefix/usr/lib/$(triplet)
		loader=$(loader_of "$prefix")
		backends=$lib/ggml/backends0
		cflags="--sysroot=$prefix"
		# -B: Debian's gcc uses the prefix's C start-up files. Old dtags: an RPATH, which also applies to
		# indirect dependencies.
		ldflags="--sysroot=$prefix -L$prefix/shim -B$lib -L$lib -Wl,--dynamic-linker=$loader"
		# -rpath-link: with a sysroot, ld ignores -rpath when it looks for the dependencies of libespeak-ng.
		ldflags+=" -Wl,--disable-new-dtags -Wl,-rpath,$lib -Wl,-rpath,$lib/pulseaudio -Wl,-rpath-link,$lib/pulseaudio"
		# Packages that use cgo only through the standard library (net, the race detector) are linked by Go's
		# own linker. It takes the loader from the flags above, but the library path only from -r.
		goflags+=" -ldflags=-r=$lib"
	fi
	# shellcheck disable=SC2034 # the loop below reads them
	MG_NATIVE=$mode MG_NATIVE_PREFIX=$prefix MG_NATIVE_LIB=$lib MG_NATIVE_LOADER=$loader
	# shellcheck disable=SC2034
	MG_GGML_BACKENDS=$backends MG_NATIVE_TOOLS=$(tools_dir) MG_ONNXRUNTIME=$(onnxruntime "$lib") CGO_CFLAGS=$cflags CGO_LDFLAGS=$ldflags GOFLAGS=$goflags
	for name in MG_NATIVE MG_NATIVE_PREFIX MG_NATIVE_LIB MG_NATIVE_LOADER MG_GGML_BACKENDS MG_ONNXRUNTIME MG_NATIVE_TOOLS \
		CGO_CFLAGS CGO_LDFLAGS GOFLAGS; do
		printf 'export %s=%q\n' "$name" "${!name}"
	done
}

# Spaces and commas are separators in CGO_LDFLAGS and -Wl,…
case $cache in *[[:space:],]*) die "the cache path '$cache' contains a space or a comma; set XDG_CACHE_HOME to another folder" ;; esac
[ "${1:-}" = lock ] || mode=$(choose)
case ${1:-} in
'' | env)
	[ "$mode" = system ] || make_prefix "$library_packages"
	if [ "${1:-}" = env ]; then print_env; else say "using the ${mode}'s libraries: $(print_env | sed -n 's/^export MG_NATIVE_LIB=//p')"; fi
	;;
tools)
	[ -n "$(tools_dir)" ] || make_prefix "$tool_packages"
	tools_dir
	;;
haproxy) haproxy_dir ;;
lock)
	write_lock "$lock" "$library_packages,$tool_packages" "the native libraries and reference programs"
	write_lock "$haproxy_lock" "$haproxy_packages" "HAProxy, for tests"
	;;
*) sed -n '2,/^set -/s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
