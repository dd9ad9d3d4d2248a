#!/usr/bin/env bash
# Gets what the tests use beside Go, then runs `go test -race` with these arguments.
# `make build` must have run: the end-to-end tests start what is in bin/.
#
# Set for tests:
#   MG_…             as scripts/native.sh tells; MG_NATIVE_TOOLS has llama-server and its like
#   MG_PYTHON        a Python with grpcio, pytest and mypy, for clients/python and the engines in Python
#   PATH             with grpcurl
# Results go to build/test.json and build/test.xml.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/native.sh tools >/dev/null
exports=$(scripts/native.sh env)
eval "$exports"
tools=$(scripts/tools.sh gotestsum grpcurl)
python=$(scripts/tools.sh python)
nodejs=$(scripts/tools.sh nodejs)
scripts/system.sh chromium
export PATH=$tools:$nodejs${nodejs:+:}$PATH MG_PYTHON=$python/python3

# npm projects of tests: installed again only when their lock changes.
for lock in test/*/*/package-lock.json; do
	[ -e "$lock" ] || continue
	dir=$(dirname "$lock")
	cmp -s "$lock" "$dir/node_modules/.installed" || {
		npm ci --prefix "$dir" --loglevel=error --no-audit --no-fund
		cp "$lock" "$dir/node_modules/.installed"
	}
	npm run --prefix "$dir" --silent build
done

mkdir -p build
gotestsum --format "${GOTESTSUM_FORMAT:-pkgname}" --jsonfile build/test.json --junitfile build/test.xml -- \
	-race -timeout 30m "$@"
