#!/usr/bin/env bash
# Measures the starter models on held-out data, through a server that it builds and starts, and prints the
# figures beside their targets. Takes options; --help tells them.
#
# The first run installs what it needs: Python packages in the user's cache, and, for the parts with speech,
# Debian's speech synthesisers. Their speech is kept in the cache, too: later runs need no network.
set -euo pipefail
# Paths in the options are the caller's.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")

speakers=(espeak-ng flite festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts) # what speech/voices.py runs

export PYTHONPATH=$root/models/starter:$root/models/starter/train:$root/clients/python/src
export PYTHONDONTWRITEBYTECODE=1

"$here/system.sh" python3
for option in "$@"; do
	case $option in -h | --help) exec python3 -m eval --help ;; esac
done
needs=$(python3 -m eval "$@" --needs) # stops here at options that there are not

[[ $needs != *server* ]] || "$here/build.sh"
[[ $needs != *speech* ]] || "$here/system.sh" "${speakers[@]}"
python=$("$here/tools.sh" models-eval)
exec "$python/python3" -m eval "$@"
