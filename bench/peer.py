#!/usr/bin/env python3
"""Reference for bench/piper and bench/hubert: piper-tts, and ONNX Runtime's Python package.

It measures itself, so that neither the start of Python nor the transport of answers counts. For each JSON line on
standard input it prints one:

    python3 bench/peer.py piper VOICE.onnx THREADS   {"text": ".."}      ->  {"first": s, "total": s, "samples": n, "rate": hertz}
    python3 bench/peer.py ctc THREADS MODEL.onnx ..  {"model": 0, "audio": FILE of float32, normalised}
                                                     ->  {"total": s, "correlation": with model 0 on this audio, or null}

The first line of output has the versions. Needs scripts/requirements.txt.
"""

import importlib.metadata
import json
import logging
import os
import sys
import time

os.environ["ORT_LOGGING_LEVEL"] = "3"
os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # PyPI's build would report which models are loaded
logging.disable(logging.WARNING)

import numpy as np
import onnxruntime


def session(path, threads):
    """Opens a model with the defaults of the package, except for the threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, sess_options=options, providers=["CPUExecutionProvider"])


def piper(path, threads):
    from piper import PiperConfig, PiperVoice, SynthesisConfig

    with open(path + ".json", encoding="utf-8") as file:
        voice = PiperVoice(session=session(path, int(threads)), config=PiperConfig.from_dict(json.load(file)))

    def answer(request):
        fixed = SynthesisConfig(noise_w_scale=0)  # otherwise the length of the audio is random
        start, first, samples = time.perf_counter(), None, 0
        for chunk in voice.synthesize(request["text"], fixed):
            samples += len(chunk.audio_int16_bytes) // 2
            first = first or time.perf_counter() - start
        return {"first": first, "total": time.perf_counter() - start, "samples": samples, "rate": voice.config.sample_rate}

    return answer


def ctc(threads, *paths):
    sessions = [session(path, int(threads)) for path in paths]
    latest = {}  # audio -> logits of model 0

    def answer(request):
        samples = np.fromfile(request["audio"], np.float32)[None, :]
        runner = sessions[request["model"]]
        start = time.perf_counter()
        logits = runner.run(None, {runner.get_inputs()[0].name: samples})[0]  # the starter has ratings, too
        total = time.perf_counter() - start
        if request["model"] == 0:
            latest[request["audio"]] = logits
        base = latest.get(request["audio"])
        correlation = None if base is None else float(np.corrcoef(base.ravel(), logits.ravel())[0, 1])
        return {"total": total, "correlation": correlation}

    return answer


def main():
    answer = {"piper": piper, "ctc": ctc}[sys.argv[1]](*sys.argv[2:])
    versions = {name: importlib.metadata.version(name) for name in ("piper-tts", "onnxruntime", "numpy")}
    print(json.dumps({"versions": versions}), flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)


main()
