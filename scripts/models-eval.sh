#!/usr/bin/env bash
# Builds and starts a server, measures the starter models on held-out data, and prints the figures with their
# targets. --help lists the options.
#
# The first run installs Python packages in the user's cache and, for the parts with speech, Debian's speech
# synthesizers. Their speech is kept in the cache, so later runs need no network.
set -euo pipefail
# Paths in the options are relative to the caller's folder.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")

speakers=(espeak-ng flite festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts) # used by speech/voices.py

export PYTHONPATH=$root/models/starter:$root/models/starter/train:$root/clients/python/src
export PYTHONDONTWRITEBYTECODE=1

"$here/system.sh" python3
for option in "$@"; do
	case $option in -h | --help) exec python3 -m eval --help ;; esac
done
needs=$(python3 -m eval "$@" --needs) # exits here if an option is unknown

[[ $needs != *server* ]] || "$here/build.sh"
[[ $needs != *speech* ]] || "$here/system.sh" "${speakers[@]}"
if [[ $needs == *people* ]]; then
	"$here/system.sh" ffmpeg pocketsphinx-testdata
	MG_EVAL_SPEECH=$(cd "$root" && go list -m -f '{{.Dir}}' github.com/ggerganov/whisper.cpp/bindings/go)/samples/jfk.wav
	MG_EVAL_WHISPER=$("$here/models.sh" "${MG_EVAL_MODEL:-whisper-base}") || echo "models-eval: no published model for the part live" >&2
	export MG_EVAL_SPEECH MG_EVAL_WHISPER
fi
python=$("$here/tools.sh" models-eval)
exec "$python/python3" -m eval "$@"
