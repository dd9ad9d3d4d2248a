#!/usr/bin/env python3
"""Creates a GGUF with the shape of Qwen3 and random weights, to measure speed and memory.

    python3 bench/make_model.py --prefix NATIVE_PREFIX            # Qwen3-1.7B shape, Q4_K_M
    python3 bench/make_model.py --shape tiny --type f16 --out t.gguf

Needs the packages gguf and numpy (see scripts/requirements.txt). The number of
layers, the widths, and size and type of the vocabulary are those of the
published Qwen3 files, so a token needs the same time and memory; the text is
meaningless. The same arguments give the same file. The last line of output is
the path of the model.
"""

import argparse
import os
import pathlib
import platform
import subprocess
import sys
import zlib

import gguf
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import make_model_vocab as vocab  # noqa: E402  (the folder is not a package)

# name: (layers, width, feed-forward width, heads, key/value heads, head size, vocabulary)
SHAPES = {
    "1.7b": (28, 2048, 6144, 16, 8, 128, 151936),
    "0.6b": (28, 1024, 3072, 16, 8, 128, 151936),
    "tiny": (2, 256, 512, 4, 2, 64, 2048),
}
TYPES = {"q4_k_m": "Q4_K_M", "q8_0": "Q8_0", "f16": None}  # name: type of llama-quantize; None: not quantized
CHUNK = 4 << 20  # values generated at a time
# The output norm is above 1 so that logits have a spread of about 3, like those of trained models.
# With less, rounding would decide between the best and the second token.
OUTPUT_NORM = 3.0
CHAT_TEMPLATE = (
    "{%- for message in messages %}{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}"
    "{%- endif %}{%- endif %}")


def tensors(shape):
    """Yields (name, (rows, columns) or (size,), standard deviation or constant value)."""
    layers, width, feed_forward, heads, heads_kv, head, words = shape
    yield "token_embd.weight", (words, width), 0.02
    for i in range(layers):
        def layer(name, *dims, value):
            return f"blk.{i}.{name}.weight", dims, value
        yield layer("attn_norm", width, value=1.0)
        yield layer("attn_q", heads * head, width, value=width ** -0.5)
        yield layer("attn_k", heads_kv * head, width, value=width ** -0.5)
        yield layer("attn_v", heads_kv * head, width, value=width ** -0.5)
        yield layer("attn_q_norm", head, value=1.0)
        yield layer("attn_k_norm", head, value=1.0)
        yield layer("attn_output", width, heads * head, value=(heads * head) ** -0.5)
        yield layer("ffn_norm", width, value=1.0)
        yield layer("ffn_gate", feed_forward, width, value=width ** -0.5)
        yield layer("ffn_up", feed_forward, width, value=width ** -0.5)
        yield layer("ffn_down", width, feed_forward, value=feed_forward ** -0.5)
    yield "output_norm.weight", (width,), OUTPUT_NORM


def write_tensor(out, name, dims, value, seed, silent_rows):
    """Streams one tensor: norms as constant F32, matrices as normally distributed F16."""
    if len(dims) == 1:
        out.write(np.full(dims, value, np.float32).tobytes())
        return
    rows, columns = dims
    rng = np.random.Generator(np.random.SFC64([seed, zlib.crc32(name.encode())]))
    step = max(1, CHUNK // columns)
    for start in range(0, rows, step):
        block = rng.standard_normal((min(step, rows - start), columns), np.float32) * np.float32(value)
        for row in silent_rows:
            if start <= row < start + len(block):
                block[row - start] *= np.float32(1e-3)
        out.write(block.astype(np.float16).tobytes())


def write_model(path, name, seed):
    """Writes the F16 GGUF of SHAPES[name], with one chunk of one tensor in memory at a time."""
    shape = SHAPES[name]
    layers, width, feed_forward, heads, heads_kv, head, words = shape
    writer = gguf.GGUFWriter(path, "qwen3")
    writer.add_name(f"Qwen3-{name} shape, random weights (benchmark only)")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_context_length(40960)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(feed_forward)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads_kv)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)
    silent = vocab.add_tokenizer(writer, words)
    writer.add_chat_template(CHAT_TEMPLATE)
    for tensor, dims, _ in tensors(shape):
        kind = np.dtype(np.float32 if len(dims) == 1 else np.float16)
        writer.add_tensor_info(tensor, dims, kind, int(np.prod(dims)) * kind.itemsize)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    out = writer.fout[0]
    writer.write_padding(out, out.tell())
    for tensor, dims, value in tensors(shape):
        # A token with an almost zero row has a logit near 0, far below the best of the others. So no
        # answer ends early, neither with greedy decoding nor with sampling.
        write_tensor(out, tensor, dims, value, seed, silent if tensor == "token_embd.weight" else ())
        writer.write_padding(out, out.tell())
    writer.close()


def quantize_command(args):
    """Returns the command for llama-quantize: the given one, or that in a native prefix with its loader."""
    if args.quantize_bin:
        return [args.quantize_bin], None
    if not args.prefix:
        return ["llama-quantize"], None
    prefix = args.prefix.resolve()
    loader, triplet = {"x86_64": ("lib64/ld-linux-x86-64.so.2", "x86_64-linux-gnu"),
                       "aarch64": ("lib/ld-linux-aarch64.so.1", "aarch64-linux-gnu")}[platform.machine()]
    libraries = prefix / "usr/lib" / triplet
    command = [prefix / loader, "--library-path", f"{libraries}:{libraries}/llama",
               prefix / "usr/bin/llama-quantize"]
    # ggml looks for its back ends next to the executable, which is the loader here, and in the working
    # directory.
    return [str(part) for part in command], libraries / "ggml/backends0"


def default_output(shape, kind):
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    return cache / "modelgateway" / "bench" / f"qwen3-{shape}-random-{kind}.gguf"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, default="1.7b")
    parser.add_argument("--type", choices=TYPES, default="q4_k_m")
    parser.add_argument("--out", type=pathlib.Path, help="model file (default: the cache directory)")
    parser.add_argument("--prefix", type=pathlib.Path, help="native prefix that contains llama-quantize")
    parser.add_argument("--quantize-bin", help="path of llama-quantize")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads for llama-quantize")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--force", action="store_true", help="create the file even if it exists")
    args = parser.parse_args()

    out = (args.out or default_output(args.shape, args.type)).resolve()
    if out.exists() and not args.force:
        print(out)
        return 0
    out.parent.mkdir(parents=True, exist_ok=True)
    plain, finished = out.with_suffix(f".{os.getpid()}.f16.tmp"), out.with_suffix(f".{os.getpid()}.tmp")
    try:
        print(f"writing {plain}", file=sys.stderr)
        write_model(plain, args.shape, args.seed)
        if TYPES[args.type]:
            command, directory = quantize_command(args)
            subprocess.run([*command, str(plain), str(finished), TYPES[args.type], str(args.threads)],
                           check=True, cwd=directory, stdout=sys.stderr)
        else:
            plain.replace(finished)
        finished.replace(out)
    except FileNotFoundError as error:
        print(f"cannot run {error.filename}; give --prefix or --quantize-bin", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"llama-quantize failed with status {error.returncode}", file=sys.stderr)
        return 1
    finally:
        plain.unlink(missing_ok=True)
        finished.unlink(missing_ok=True)
    print(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
