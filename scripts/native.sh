#!/usr/bin/env bash
# Finds or makes the native libraries (llama.cpp, whisper.cpp, espeak-ng, ONNX Runtime) that the cgo engines use.
#
#   native.sh           make sure that the libraries are there, and say where
#   native.sh env       the same, then print shell exports:  eval "$(scripts/native.sh env)"
#   native.sh tools     make sure that the peers' own programs (llama-server, llama-bench,
#                       llama-quantize, whisper-cli) are there, and print the folder that holds them
#
# The system's libraries are taken when they are new enough. Otherwise the same Debian 14 packages are
# unpacked into a private prefix under the user's cache, once; later runs need no network.
#
# Exports of `env` (empty where not said otherwise for the system's libraries):
#   MG_NATIVE         system | prefix
#   MG_NATIVE_PREFIX  root of the private prefix
#   MG_NATIVE_LIB     folder of the libraries, and of espeak-ng-data; never empty
#   MG_NATIVE_LOADER  the prefix's dynamic loader
#   MG_GGML_BACKENDS  folder for ggml_backend_load_all_from_path; empty: call ggml_backend_load_all
#   MG_ONNXRUNTIME    ONNX Runtime's library, opened at run time; one that is set already is kept
#   MG_NATIVE_TOOLS   folder of the peers' programs; empty until `native.sh tools` has made it
#   CGO_CFLAGS, CGO_LDFLAGS, GOFLAGS
# What these flags build runs as it is: the prefix's loader and library path are written into it.
#
# Read: MG_NATIVE=auto|system|prefix (default auto), MG_ONNXRUNTIME, XDG_CACHE_HOME, CC,
# MG_DEBIAN_MIRROR (default: mmdebstrap's own).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
suite=forky
library_packages=libllama-dev,libwhisper-dev,libespeak-ng-dev,libonnxruntime-dev,libc6-dev,base-files,patchelf
tool_packages=llama.cpp-tools,whisper.cpp-tools,base-files,patchelf
cache=${XDG_CACHE_HOME:-${HOME:?set HOME or XDG_CACHE_HOME}/.cache}/modelgateway/native
cc=${CC:-gcc}

say() { echo "native: $*" >&2; }
die() { say "$*"; exit 1; }

# prefix_path PACKAGES: where the prefix of these packages lies. The name changes with all that makes it.
prefix_path() {
	local hash
	hash=$({ echo "$suite $1 $(uname -m)"; declare -f make_prefix fit; } | sha256sum)
	echo "$cache/${hash:0:16}"
}

triplet() { "$cc" -print-multiarch; }

# loader_of ROOT: the dynamic loader in it, whatever the architecture calls it.
loader_of() { find "$1/lib64/" "$1/lib/" -maxdepth 1 -name 'ld-linux-*.so.*' 2>/dev/null | head -n 1; }

# make_prefix PACKAGES: unpacks them beside their final place, fits them to it, and renames.
make_prefix() {
	local final work
	final=$(prefix_path "$1")
	[ -d "$final" ] && return
	"$here/system.sh" mmdebstrap || die "without a recent llama.cpp, whisper.cpp, espeak-ng and ONNX Runtime on this system: see docs/building.md"
	mkdir -p "$cache"
	work=$(mktemp -d "$cache/.making-XXXXXX")
	# shellcheck disable=SC2064 # the path of now is meant
	trap "rm -rf '$work'" EXIT
	trap 'exit 1' INT TERM HUP
	say "unpacking $1 of Debian $suite into $final"
	# A tar file, so that an ordinary user owns what comes out of it.
	# Valid-Until is not checked because a mirror may be an older snapshot; signatures are.
	mmdebstrap --variant=extract --format=tar --aptopt='Acquire::Check-Valid-Until "false"' --include="$1" \
		"$suite" "$work/root.tar" ${MG_DEBIAN_MIRROR:+"$MG_DEBIAN_MIRROR"} >"$work/log" 2>&1 ||
		{ cat "$work/log" >&2; die "mmdebstrap failed"; }
	mkdir "$work/root"
	tar -x -f "$work/root.tar" -C "$work/root" --no-same-owner --exclude=./dev --exclude=./var \
		--exclude=./usr/share/doc --exclude=./usr/share/man --exclude=./usr/share/locale
	fit "$work/root" "$final"
	# If another run has made the same prefix meanwhile, that one is as good.
	mv -T "$work/root" "$final" 2>/dev/null || [ -d "$final" ] || die "cannot make $final"
	rm -rf "$work"
	trap - EXIT INT TERM HUP
}

# fit ROOT FINAL: makes what is in ROOT run from FINAL, without a launcher.
# - libllama and others carry an absolute RUNPATH, which would win over that of the program; it goes.
# - The peers' programs get FINAL's loader and libraries, and find ggml's back ends beside them, which is
#   where ggml looks when its compiled-in folder is not there.
# - The shim folder has the two libraries that the whisper.cpp Go binding names and Debian lacks for it:
#   libggml-cpu (a back end, loaded at run time) and libstdc++ without a version.
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

# system_is_new_enough: the headers and libraries compile and link as the engines use them.
system_is_new_enough() {
	command -v pkg-config >/dev/null && pkg-config --exists llama whisper espeak-ng libonnxruntime || return
	# shellcheck disable=SC2046 # the flags are words
	printf '%s\n' '#include <llama.h>' '#include <whisper.h>' '#include <espeak-ng/speak_lib.h>' \
		'int main(void) { return llama_model_default_params().load_mode; }' |
		"$cc" -x c - -o /dev/null $(pkg-config --cflags --libs llama whisper espeak-ng) 2>/dev/null
}

choose() {
	case ${MG_NATIVE:-auto} in
	prefix) echo prefix ;;
	system)
		system_is_new_enough || die "the system's libraries are missing or too old"
		echo system
		;;
	auto) if system_is_new_enough; then echo system; else echo prefix; fi ;;
	*) die "MG_NATIVE is '$MG_NATIVE'; it can be auto, system or prefix" ;;
	esac
}

# tools_dir: where the peers' programs are, if they are anywhere.
tools_dir() {
	local dir
	dir=$(prefix_path "$tool_packages")/usr/bin
	if [ "$mode" = system ] && command -v llama-server llama-bench llama-quantize whisper-cli >/dev/null; then
		dirname "$(command -v llama-server)"
	elif [ -d "$dir" ]; then
		echo "$dir"
	fi
}

# onnxruntime LIB: its library in that folder. The name carries a version, which nothing else tells.
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
		# Its name without a version comes with g++, which nothing else needs.
		[ ! -e "$lib/libstdc++.so.6" ] || ln -sf "$lib/libstdc++.so.6" "$cache/shim-system/libstdc++.so"
		ldflags="-L$cache/shim-system -L$lib"
	else
		prefix=$(prefix_path "$library_packages")
		lib=$prefix/usr/lib/$(triplet)
		loader=$(loader_of "$prefix")
		backends=$lib/ggml/backends0
		cflags="--sysroot=$prefix"
		# -B: Debian's gcc takes the prefix's C start-up files. Old dtags: an RPATH, which also holds for
		# the libraries that the libraries need.
		ldflags="--sysroot=$prefix -L$prefix/shim -B$lib -L$lib -Wl,--dynamic-linker=$loader"
		# -rpath-link: with a sysroot, ld does not look where -rpath says for what libespeak-ng needs.
		ldflags+=" -Wl,--disable-new-dtags -Wl,-rpath,$lib -Wl,-rpath,$lib/pulseaudio -Wl,-rpath-link,$lib/pulseaudio"
		# Go links packages whose only cgo is the standard library's (net, the race detector) by itself:
		# it takes over the loader from the flags above, but learns the loader's libraries only from -r.
		goflags+=" -ldflags=-r=$lib"
	fi
	# shellcheck disable=SC2034 # the loop reads them by name
	MG_NATIVE=$mode MG_NATIVE_PREFIX=$prefix MG_NATIVE_LIB=$lib MG_NATIVE_LOADER=$loader
	# shellcheck disable=SC2034
	MG_GGML_BACKENDS=$backends MG_NATIVE_TOOLS=$(tools_dir) MG_ONNXRUNTIME=$(onnxruntime "$lib") CGO_CFLAGS=$cflags CGO_LDFLAGS=$ldflags GOFLAGS=$goflags
	for name in MG_NATIVE MG_NATIVE_PREFIX MG_NATIVE_LIB MG_NATIVE_LOADER MG_GGML_BACKENDS MG_ONNXRUNTIME MG_NATIVE_TOOLS \
		CGO_CFLAGS CGO_LDFLAGS GOFLAGS; do
		printf 'export %s=%q\n' "$name" "${!name}"
	done
}

# In CGO_LDFLAGS and -Wl,… blanks and commas separate.
case $cache in *[[:space:],]*) die "the cache path '$cache' has a blank or a comma: set XDG_CACHE_HOME" ;; esac
mode=$(choose)
case ${1:-} in
'' | env)
	[ "$mode" = system ] || make_prefix "$library_packages"
	if [ "${1:-}" = env ]; then print_env; else say "using the ${mode}'s libraries: $(print_env | sed -n 's/^export MG_NATIVE_LIB=//p')"; fi
	;;
tools)
	[ -n "$(tools_dir)" ] || make_prefix "$tool_packages"
	tools_dir
	;;
*) sed -n '2,/^set -/s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
