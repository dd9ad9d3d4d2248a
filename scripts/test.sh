#!/usr/bin/env bash
# Installs the tools that the tests need, then runs `go test -race` with the given arguments. Run `make build`
# first, because the end-to-end tests start the programs in bin/.
#
# Variables for the tests:
#   MG_…             see scripts/native.sh; MG_NATIVE_TOOLS has the reference programs, such as llama-server
#   MG_PYTHON        a Python with grpcio, pytest and mypy, for clients/python and the engines in Python
#   PATH             includes grpcurl
# Results are in build/test.json and build/test.xml.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/native.sh tools >/dev/null
exports=$(scripts/native.sh env)
eval "$exports"
tools=$(scripts/tools.sh gotestsum grpcurl)
python=$(scripts/tools.sh python)
nodejs=$(scripts/tools.sh nodejs)
scripts/system.sh chromium ffmpeg pocketsphinx-testdata
# The engines' threads sleep while they wait for each other, as in workers (docs/operations.md): other programs on the
# machine must not make the tests ten times slower.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
export PATH=$tools:$nodejs${nodejs:+:}$PATH MG_PYTHON=$python/python3

# npm projects of tests; they are installed again only if their lock file changes.
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
