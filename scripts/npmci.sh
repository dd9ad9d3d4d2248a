#!/usr/bin/env bash
# Installs the npm packages of a folder as its lock file says, unless that was already done.
#
#   npmci.sh DIR
set -euo pipefail
dir=$1
lock=$dir/package-lock.json
if ! cmp -s "$lock" "$dir/node_modules/.installed"; then
	npm ci --prefix "$dir" --loglevel=error --no-audit --no-fund
	cp "$lock" "$dir/node_modules/.installed"
fi
