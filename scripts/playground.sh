#!/usr/bin/env bash
# Checks the sources of the playground and bundles them.
#
#   playground.sh [DIR]   into DIR (default: playground/dist, which is committed)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${1:-playground/dist}
mkdir -p "$out"
out=$(cd "$out" && pwd)

nodejs=$(scripts/tools.sh nodejs)
export PATH=$nodejs${nodejs:+:}$PATH
scripts/npmci.sh playground
cd playground
node_modules/.bin/tsc --project .
# gen/ts and the sources of the client take the packages from here, whatever is installed beside them.
aliases=()
for package in @bufbuild/protobuf @connectrpc/connect @connectrpc/connect-web; do aliases+=("--alias:$package=$package"); done
node_modules/.bin/esbuild app=src/main.tsx app=src/app.css --bundle --minify --format=esm \
	--target=es2022,chrome123,firefox128,safari17.5 --jsx=automatic --jsx-import-source=preact --legal-comments=none \
	"${aliases[@]}" --outdir="$out" --log-level=warning
# What runs on the audio thread is a script of its own.
node_modules/.bin/esbuild ../clients/node/src/web/worklet.ts --format=esm --log-level=warning |
	node --input-type=module -e 'const { worklet } = await import("data:text/javascript," + encodeURIComponent(await new Response(process.stdin).text())); process.stdout.write(worklet)' >"$out/recorder.js"
cp src/index.html src/icon.svg "$out/"
# The licences of what the bundle contains ask to be with it.
{
	printf 'preact\n\n'
	cat node_modules/preact/LICENSE
	printf '\n@bufbuild/protobuf, @connectrpc/connect, @connectrpc/connect-web\n\n'
	cat ../LICENSE # Apache-2.0, too
} >"$out/licences.txt"
