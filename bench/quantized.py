#!/usr/bin/env python3
"""Measures whisper with fewer bits: processor time and wrong words, on people's clips.

    python3 bench/quantized.py MODEL.bin [--count N] [--threads N] [--types q8_0 q5_1]
                               [--faster-whisper PYTHON FOLDER]

MODEL.bin is a published ggml file of 16 bits. whisper-quantize makes the other files of it. PYTHON is one with the package
faster-whisper, FOLDER the same model in CTranslate2's format. All sides hear each clip, one after the other, greedily, and
without a second try at a higher temperature. Processor time is without the load of the model: for whisper-cli, without that
of a clip that is too short to be heard.

`make bench ARGS="quantized"` prepares what this needs but faster-whisper, and gives it the first argument.
"""

import argparse
import json
import os
import pathlib
import resource
import subprocess
import tempfile
import wave

from eval import people, scores

PEER = """
import json, sys, time
from faster_whisper import WhisperModel
model = WhisperModel(sys.argv[1], device="cpu", compute_type="int8", cpu_threads=int(sys.argv[2]))
for line in sys.stdin:
    before = time.process_time()
    segments, _ = model.transcribe(json.loads(line), language="en", beam_size=1, temperature=0.0, condition_on_previous_text=False)
    text = "".join(segment.text for segment in segments)
    print(json.dumps({"text": text, "seconds": time.process_time() - before}), flush=True)
"""


class Cli:
    """whisper-cli with a file."""

    def __init__(self, model, threads, nothing):
        self.model, self.threads, self.load = model, threads, 0.0
        self.load = self.hear(nothing)[1]

    def hear(self, clip):
        command = [tool("whisper-cli"), "-m", self.model, "-t", str(self.threads), "-bs", "1", "-nf", "-mc", "0", "-l", "en", "-ng",
                   "-nt", "-np", clip]
        before = used()
        # ggml also looks for its back ends in the working directory.
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True,
                              cwd=os.environ["MG_GGML_BACKENDS"])
        return done.stdout.strip(), used() - before - self.load


class Faster:
    """faster-whisper with 8 bits, in a process of its own."""

    def __init__(self, python, folder, threads):
        self.process = subprocess.Popen([python, "-c", PEER, folder, str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env={**os.environ, "OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"})

    def hear(self, clip):
        print(json.dumps(clip), file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline())
        return answer["text"], answer["seconds"]


def used():
    """Returns the processor seconds of the programs that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def tool(name):
    return str(pathlib.Path(os.environ["MG_NATIVE_TOOLS"]) / name)


def write(folder, name, pcm):
    """Writes a WAV file and returns its path."""
    file = str(pathlib.Path(folder) / f"{name}.wav")
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 16000, 0, "NONE", ""))
        sound.writeframes(pcm)
    return file


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--count", type=int)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--types", nargs="*", default=["q8_0", "q5_1"])
    parser.add_argument("--faster-whisper", nargs=2, metavar=("PYTHON", "FOLDER"))
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    clips = people.clips()[:options.count]
    with tempfile.TemporaryDirectory() as folder:
        nothing = write(folder, "nothing", b"\0\0" * 100)
        sides = {"f16": Cli(options.model, options.threads, nothing)}
        for kind in options.types:
            file = str(pathlib.Path(folder) / f"{kind}.bin")
            subprocess.run([tool("whisper-quantize"), options.model, file, kind], check=True, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, cwd=os.environ["MG_GGML_BACKENDS"])
            sides[f"{kind}, {os.path.getsize(file) / 1e6:.0f} MB"] = Cli(file, options.threads, nothing)
        if options.faster_whisper:
            sides["faster-whisper, int8"] = Faster(*options.faster_whisper, options.threads)
        heard = {name: [] for name in sides}
        for clip in clips:
            file = write(folder, "clip", clip.pcm)
            for name, side in sides.items():
                text, seconds = side.hear(file)
                heard[name].append((text, seconds))
                if options.verbose:
                    print(f"{name}: {seconds:.2f} s {text!r}", flush=True)
    first = heard["f16"]
    length = sum(clip.seconds for clip in clips)
    for name, answers in heard.items():
        counts = [people.errors(clip.text, text) for clip, (text, _) in zip(clips, answers)]
        ratios = sorted(seconds / other for (_, seconds), (_, other) in zip(answers, first))
        same = sum(scores.normalise(text) == scores.normalise(other) for (text, _), (other, _) in zip(answers, first))
        print(f"{name}: processor time / audio {sum(seconds for _, seconds in answers) / length:.3f}, times f16's "
              f"{ratios[len(ratios) // 2]:.2f} ({ratios[len(ratios) // 4]:.2f}–{ratios[3 * len(ratios) // 4]:.2f}), words wrong "
              f"{scores.rate(counts):.1%} of {sum(n for _, n in counts)}, {same} of {len(clips)} texts as f16's")


if __name__ == "__main__":
    main()
