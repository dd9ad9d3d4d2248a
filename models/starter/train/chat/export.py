"""Writes the trained network and its vocabulary as a GGUF file, in the layout of converted Qwen3 models."""

import hashlib
import pathlib

import gguf
import numpy as np

from chat.network import Shape
from chat.tokenizer import CONTROL, USER_DEFINED, ChatTokenizer

DESCRIPTION = ("Starter model of ModelGateway: a tiny Qwen3-architecture network trained on generated "
               "tutoring dialogues. A demonstrator, not a language model of practical use.")


def write_gguf(path: pathlib.Path, weights: dict, shape: Shape, tokenizer: ChatTokenizer) -> None:
    """Writes matrices as F16 and norms as F32, and the file's line in the folder's SHA256SUMS if it has one."""
    writer = gguf.GGUFWriter(path, "qwen3")
    writer.add_name("ModelGateway starter chat")
    writer.add_description(DESCRIPTION)
    writer.add_license("apache-2.0")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    _add_shape(writer, shape)
    _add_tokenizer(writer, tokenizer)
    for name, value in weights.items():
        array = np.asarray(value)
        writer.add_tensor(f"{name}.weight", array.astype(np.float16 if array.ndim == 2 else np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    sums = path.with_name("SHA256SUMS")
    if sums.exists():
        lines = [line for line in sums.read_text().splitlines() if line.split()[1] != path.name]
        lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}")
        sums.write_text("".join(f"{line}\n" for line in sorted(lines, key=lambda line: line.split()[1])))


def read_gguf(path: pathlib.Path) -> tuple[dict, Shape, ChatTokenizer]:
    """Returns the weights, shape and vocabulary of a file that write_gguf wrote."""
    reader = gguf.GGUFReader(path)
    value = lambda key: reader.fields[key].contents()
    tokenizer = ChatTokenizer.of(value("tokenizer.ggml.tokens"), value("tokenizer.ggml.merges"))
    shape = Shape(
        vocab_size=len(tokenizer.tokens), embedding_length=value("qwen3.embedding_length"), block_count=value("qwen3.block_count"),
        head_count=value("qwen3.attention.head_count"), head_count_kv=value("qwen3.attention.head_count_kv"),
        key_length=value("qwen3.attention.key_length"), feed_forward_length=value("qwen3.feed_forward_length"),
        context_length=value("qwen3.context_length"))
    return {t.name.removesuffix(".weight"): np.asarray(t.data, np.float32) for t in reader.tensors}, shape, tokenizer


def _add_shape(writer, shape):
    writer.add_context_length(shape.context_length)
    writer.add_embedding_length(shape.embedding_length)
    writer.add_block_count(shape.block_count)
    writer.add_feed_forward_length(shape.feed_forward_length)
    writer.add_head_count(shape.head_count)
    writer.add_head_count_kv(shape.head_count_kv)
    writer.add_key_length(shape.key_length)
    writer.add_value_length(shape.key_length)
    writer.add_layer_norm_rms_eps(shape.rms_epsilon)
    writer.add_rope_freq_base(shape.rope_freq_base)


def _add_tokenizer(writer, tokenizer):
    kinds = {text: gguf.TokenType.CONTROL for text in CONTROL}
    kinds |= {text: gguf.TokenType.USER_DEFINED for text in USER_DEFINED}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokenizer.tokens)
    writer.add_token_types([kinds.get(text, gguf.TokenType.NORMAL) for text in tokenizer.tokens])
    writer.add_token_merges(tokenizer.merges)
    writer.add_bos_token_id(tokenizer.special["<|endoftext|>"])
    writer.add_eos_token_id(tokenizer.special["<|im_end|>"])
    writer.add_pad_token_id(tokenizer.special["<|endoftext|>"])
    writer.add_add_bos_token(False)
    template = pathlib.Path(__file__).with_name("chat_template.jinja")
    writer.add_chat_template(template.read_text(encoding="utf-8"))
