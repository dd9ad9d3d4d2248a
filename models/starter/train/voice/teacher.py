"""Runs festival's cmu_us_slt_arctic_hts and returns phones, mel-cepstra and pitch instead of audio.

festival writes the labels of a text; hts_engine computes the parameters of the vocoder from them.
"""

import pathlib
import subprocess

import numpy as np

NAME = "cmu_us_slt_arctic_hts"
FOLDER = pathlib.Path("/usr/share/festival/voices/us") / NAME / "hts"
RATE, PERIOD = 32000, 0.005  # Hz; seconds from one frame to the next
ORDER, WARP = 45, 0.45  # of the mel-cepstra: coefficients, all-pass constant
TICKS = 1e7  # a second of labels


def labels(texts: list[str], folder: pathlib.Path) -> list[pathlib.Path | None]:
    """Writes the labels of texts; None for one that festival cannot read."""
    script = [f"(voice_{NAME})", "(define (HTS_Synthesize utt) utt)"]  # no sound is wanted
    paths = [folder / f"{i}.lab" for i in range(len(texts))]
    for text, path in zip(texts, paths):
        clean = text.replace("\\", "").replace('"', "")
        script.append(f'(set! u (utt.synth (Utterance Text "{clean}"))) (set! f (fopen "{path}" "w"))'
                      '(mapcar (lambda (s) (format f "%s" s)) (hts_dump_feats_string_list u hts_feats_list)) (fclose f)')
    (folder / "say.scm").write_text("\n".join(script))
    _run(["festival", "-b", str(folder / "say.scm")])
    return [p if p.exists() and p.stat().st_size else None for p in paths]


def phones(path: pathlib.Path) -> list[tuple[str, float]]:
    """The phones of labels, with their seconds where those are known."""
    rows = [line.split() for line in path.read_text().splitlines()]
    return [(label.split("-", 1)[1].split("+")[0], (int(end) - int(start)) / TICKS) for start, end, label in rows]


def parameters(path: pathlib.Path):
    """Returns (phones with their seconds, mel-cepstra [frames, ORDER], log F0 [frames], 0 where unvoiced) of labels."""
    out = {kind: path.with_suffix(f".{kind}") for kind in ("mgc", "lf0", "dur")}
    _run(["hts_engine", "-m", str(FOLDER / f"{NAME}.htsvoice"), "-om", str(out["mgc"]), "-of", str(out["lf0"]),
          "-od", str(out["dur"]), str(path)])
    cepstra, pitch = (np.fromfile(out[kind], np.float32) for kind in ("mgc", "lf0"))
    found = phones(out["dur"]), cepstra.reshape(-1, ORDER), np.maximum(pitch, 0)
    for file in out.values():
        file.unlink()
    return found


def _run(command: list[str]) -> None:
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)
