#!/usr/bin/env bash
# Runs the measurements under bench/ on what is in bin/. The first run makes a random model of 1 GiB
# in the user's cache. Arguments go to bench/chat (see `go run ./bench/chat -h`).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/native.sh tools >/dev/null
exports=$(scripts/native.sh env)
eval "$exports"
python=$(scripts/tools.sh python)
model=$("$python/python3" bench/make_model.py --quantize-bin "$MG_NATIVE_TOOLS/llama-quantize" | tail -n 1)

mkdir -p build/bench
CGO_ENABLED=0 go build -o build/bench/ ./bench/chat ./bench/cancel ./bench/idle ./bench/overhead
build/bench/idle
build/bench/overhead
build/bench/cancel -model "$model"
build/bench/chat -model "$model" "$@"
