"""The symbols of published espeak voices: their ids, which ones take time, and replacements for unknown sounds."""

# The phoneme ids of every published espeak voice, in their order.
ORDER = (
    "_^$ !'(),-.:;?abcdefhijklmnopqrstuvwxyzæçðøħŋœǀǁǂǃɐɑɒɓɔɕɖɗɘəɚɛɜɞɟɠɡɢɣɤɥɦɧɨɪɫɬɭɮɯɰɱɲɳɴɵɶɸɹɺɻɽɾʀʁʂʃʄʈʉʊʋʌʍʎʏʐʑʒʔʕʘʙʛʜʝʟʡʢʲ"
    "ˈˌːˑ˞βθχᵻⱱ0123456789\u0327\u0303\u032a\u032f\u0329ʰˤε↓#\"↑\u033a\u033b"
)
IDS = {symbol: i for i, symbol in enumerate(ORDER)}
COUNT = 256  # rows of the published voices' tables; the ids are the first 154
PAD, BEGIN, END = "_^$"
PAUSES = " !'(),-.:;?"  # between words and clauses
STRESS = "ˈˌ"

# Take no time of their own: the network hears them in their neighbours.
SILENT = PAD + STRESS + "'()-0123456789ʲʰˤ↓↑#\"\u0327\u0303\u032a\u032f\u033a\u033b"

# English has no such sounds: each borrows the embedding of the nearest that it has, by place and manner.
NEAREST = {
    "i": "y", "ɪ": "ʏɨ", "ɛ": "øœɞeεɘ", "ɜ": "ɵ", "ʊ": "ɤ", "u": "ɯʉ", "ɑ": "ɒɶ", "ɔ": "o", "ɚ": "˞", "ə": "ɻɺ", "a": "",
    "b": "ɓʙβ", "d": "ɖɗ", "ɡ": "ɠɢʛɟʄɣʁʀ", "p": "ɸʘ", "t": "ʈǀǃǂǁʡʔ", "k": "cqxχʜ", "f": "", "v": "ʋⱱ", "s": "ɕɬ",
    "z": "ʐʑɮ", "ʃ": "ʂçɧ", "ʒ": "ʝ", "h": "ħɦʕʢ", "m": "ɱ", "n": "ɲɳɴ", "l": "ɫɭʎʟ", "ɹ": "rɰ", "ɾ": "ɽ", "w": "ʍ",
    "j": "ɥ", "ː": "ˑ",
}


def to_ids(symbols: list[str]) -> tuple[list[int], list[int]]:
    """Returns the ids that the engine feeds a voice with, and for each the index of its symbol; -1 for those around it.

    A pad stands behind each but the last (piper1-gpl, phoneme_ids.py). Unknown symbols are left out.
    """
    ids, of = [IDS[BEGIN], IDS[PAD]], [-1, -1]
    for i, symbol in enumerate(symbols):
        if symbol in IDS:
            ids += [IDS[symbol], IDS[PAD]]
            of += [i, i]
    return ids + [IDS[END]], of + [-1]
