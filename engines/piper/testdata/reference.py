"""Runs piper-tts with a voice: writes one line of JSON for each line of standard input.

    python reference.py VOICE.onnx ids     {"text": "..."}  ->  [[ids of a sentence], ...]
    python reference.py VOICE.onnx clauses {"text": "..."}  ->  [[phonemes, terminator, ends a sentence], ...]
    python reference.py VOICE.onnx audio   {"ids": [...], "scales": [noise, length, noise_w], "speaker": 0 or null}
                                                            ->  [[samples, ...] before normalisation, durations or null]

`ids` runs piper-tts, `clauses` only its espeak-ng. `audio` runs ONNX Runtime on the ids as piper-tts does.
"""

import json
import logging
import os
import sys

os.environ["ORT_LOGGING_LEVEL"] = "3"
logging.disable(logging.WARNING)

import numpy as np
from piper import PiperVoice, espeakbridge
from piper.config import SynthesisConfig

voice = PiperVoice.load(sys.argv[1])
for line in sys.stdin:
    request = json.loads(line)
    if sys.argv[2] == "ids":
        answer = [voice.phonemes_to_ids(p) for p in voice.phonemize(request["text"]) if p]
    elif sys.argv[2] == "clauses":
        voice.phonemize("")  # initialises espeak-ng
        espeakbridge.set_voice(voice.config.espeak_voice)
        answer = espeakbridge.get_phonemes(request["text"])
    else:
        noise, length, noise_w = request["scales"]
        config = SynthesisConfig(
            speaker_id=request["speaker"], length_scale=length, noise_scale=noise, noise_w_scale=noise_w
        )
        audio, durations = voice.phoneme_ids_to_audio(request["ids"], config, include_alignments=True)
        answer = [
            np.asarray(audio, np.float64).reshape(-1).tolist(),
            None if durations is None else durations.reshape(-1).tolist(),
        ]
    print(json.dumps(answer), flush=True)
