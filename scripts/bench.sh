#!/usr/bin/env bash
# Runs the measurements in bench/ with the programs in bin/:
#
#   bench.sh                          all measurements but quantized
#   bench.sh NAME… [OPTION…]          some: idle overhead cancel cancel-speech chat grammar whisper quantized
#                                     piper hubert memory scale words, or speech for whisper piper hubert memory
#                                     cancel-speech; the options are passed to each (see `go run ./bench/NAME -h`)
#   bench.sh whisper piper -published   with the models that `make run` serves
#   bench.sh speech -quick            one minute with the starter models, to check that they work
#
# Each measurement but quantized writes its results to bench/results as NAME.json and draws them as NAME.svg; with -quick, none does.
#
# The first run creates models with random weights in the user's cache: 1 GiB for chat, 1.8 GB for speech.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

names=()
while [ $# -gt 0 ] && [[ $1 != -* ]]; do
	case $1 in
	speech) names+=(whisper piper hubert memory cancel-speech) ;;
	idle | overhead | cancel | cancel-speech | chat | grammar | whisper | quantized | piper | hubert | memory | scale | words) names+=("$1") ;;
	*) sed -n '2,/^set -/s/^# \{0,1\}//p' "$0" | sed '$d' >&2; exit 2 ;;
	esac
	shift
done
if [ ${#names[@]} = 0 ]; then
	[ $# = 0 ] || { echo "bench: the options need the name of a measurement, e.g. chat $*" >&2; exit 2; }
	names=(idle overhead cancel chat grammar whisper piper hubert memory words cancel-speech scale)
fi
quick='' published='' options=()
for option in "$@"; do
	case $option in
	-published | --published) published=yes ;;
	-quick | --quick) quick=yes options+=("$option") ;;
	*) options+=("$option") ;;
	esac
done
asked=$*
set -- "${options[@]}"
[ -n "$quick" ] || export MG_BENCH_RESULTS=bench/results

scripts/native.sh tools >/dev/null
exports=$(scripts/native.sh env)
eval "$exports"
python=$(scripts/tools.sh python)
export MG_PYTHON=$python/python3
audio=$(go list -m -f '{{.Dir}}' github.com/ggerganov/whisper.cpp/bindings/go)/samples/jfk.wav

mkdir -p build/bench
CGO_ENABLED=0 go build -o build/bench/ ./bench/chat ./bench/cancel ./bench/idle ./bench/overhead \
	./bench/whisper ./bench/piper ./bench/hubert ./bench/memory ./bench/words ./test/scale ./server/internal/simulate

# model NAME: prints its path. It is fetched or, without -published, created if it does not exist. Those that are not
# fetched for `make run` either are starters.
model() {
	case $published$1 in
	yeswhisper) MG_PULL=bin/modelgateway scripts/models.sh whisper-base ;;
	yespiper) MG_PULL=bin/modelgateway scripts/models.sh en_US-joe-medium ;;
	yeshubert) echo models/starter/pronunciation.onnx ;;
	yeschat) echo models/starter/chat.gguf ;;
	chat) "$MG_PYTHON" bench/make_model.py --quantize-bin "$MG_NATIVE_TOOLS/llama-quantize" ;;
	*) "$(scripts/tools.sh bench)/python3" bench/make_speech.py "$1" ;;
	esac | tail -n 1
}

# run NAME OPTION…: runs a program with its model, or with -quick with the starter model.
run() {
	local name=$1 own=()
	shift
	[ -n "$quick" ] || own=(-model "$(model "$name")")
	"build/bench/$name" "${own[@]}" "$@"
}

for name in "${names[@]}"; do
	echo "== $name"
	export MG_BENCH_COMMAND="make bench ARGS=\"$name${asked:+ $asked}\""
	case $name in
	idle | overhead | words) "build/bench/$name" "$@" ;;
	chat) build/bench/chat -model "$(model chat)" "$@" ;;
	grammar) build/bench/chat -grammar -model models/starter/chat.gguf "$@" ;;
	cancel) build/bench/cancel -engine llama -model "$(model chat)" "$@" ;;
	cancel-speech)
		for engine in whisper piper hubert; do
			build/bench/cancel -engine "$engine" -model "$(model "$engine")" -audio "$audio" -rounds 10 "$@"
		done
		;;
	whisper | hubert) run "$name" -audio "$audio" "$@" ;;
	quantized)
		scripts/system.sh pocketsphinx-testdata
		PYTHONPATH=models/starter:clients/python/src PYTHONDONTWRITEBYTECODE=1 MG_EVAL_SPEECH=$audio \
			"$(scripts/tools.sh models-eval)/python3" bench/quantized.py "$(scripts/models.sh whisper-base)" "$@"
		;;
	piper) run piper "$@" ;;
	memory)
		models=()
		if [ -z "$quick" ]; then
			models=(-whisper "$(model whisper)" -piper "$(model piper)" -hubert "$(model hubert)" -llama "$(model chat)")
		fi
		build/bench/memory "${models[@]}" -audio "$audio" "$@"
		;;
	scale)
		PATH=$(scripts/tools.sh envoy):$PATH build/bench/scale -measure build/bench/scale.json
		build/bench/simulate -measured build/bench/scale.json
		build/bench/simulate "$@"
		;;
	esac
done
