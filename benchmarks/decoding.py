"""How fast sentences are written and learned: side by side, as ratios of one run.

    python benchmarks/decoding.py

1. Tokens a second of RNNsearch: ``generate`` in LiteRT with one beam and with five, and a loop in Python over the
   Keras step, as it is and compiled, which takes the likeliest word as one beam does.
2. A step of BahdanauAttention for 32 queries with 50 source positions: with keys projected once, and without.
3. A training step of RNNsearch, and of the same network in torch, in milliseconds for 64 pairs of 16 tokens.

The weights are random, so no sentence ends before its greatest length and all write as many tokens.
"""

import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from keras_segattn import zoo
from keras_segattn.layers import BahdanauAttention
from keras_segattn.losses import CrossEntropy
from keras_segattn.models import decoder
from keras_segattn.vocabulary import END, PAD, START

NAME, THREADS, ROUNDS = "rnnsearch_multi30k_de_en", 2, 10
READ, WRITTEN = 16, 24  # tokens
BATCH, PAIRS = 64, 16  # of a training step: pairs, and tokens of a sentence
QUERIES, POSITIONS = 32, 50


def fastest(functions, rounds=ROUNDS):
    """Seconds of each function, the fastest of interleaved runs after one that is not counted."""
    seconds = {name: [] for name in functions}
    for number in range(rounds + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if number:
                seconds[name].append(time.perf_counter() - start)
    return {name: min(times) for name, times in seconds.items()}


def writing():
    from ai_edge_litert.interpreter import Interpreter

    from keras_segattn.export.convert import convert

    model = zoo.load(NAME, weights=False)
    source = np.random.default_rng(0).integers(4, 4000, (1, READ)).astype("int32")
    loop = "Python loop over the Keras step"
    functions = {
        loop: python_loop(model, source, lambda function: function),
        "the same, compiled": python_loop(model, source, tf.function),
    }
    with tempfile.TemporaryDirectory() as folder:
        for beams in (1, 5):
            path = Path(folder) / f"{beams}.tflite"
            search = {"beams": beams, "max_length": WRITTEN, "length_power": 1.0, "max_tokens": READ}
            convert(model, path, format="tflite", precision="float32", search=search)
            generate = Interpreter(str(path), num_threads=THREADS).get_signature_runner("generate")
            functions[f"LiteRT generate, {beams} beams"] = lambda run=generate: run(source=source)
        found = fastest(functions)
    for name, seconds in found.items():
        print(f"{name:<34}{WRITTEN / seconds:10.0f} tokens a second{found[loop] / seconds:8.1f} times the loop")
    print(f"5 beams cost {found['LiteRT generate, 5 beams'] / found['LiteRT generate, 1 beams']:.2f} times one\n")


def python_loop(model, source, compiled):
    read, step, _ = decoder(model)
    encode, step = compiled(lambda source: read({"source": source})), compiled(step)

    def write():
        state, token, tokens = encode(source), tf.constant([START]), []
        for _ in range(WRITTEN):
            logits, state = step(token, state)
            scores = logits.numpy()
            scores[:, [PAD, 1, START]] = -np.inf
            token = tf.constant(scores.argmax(-1).astype("int32"))
            tokens.append(int(token[0]))
            if tokens[-1] == END:
                break
        return tokens

    return write


def attention():
    layer = BahdanauAttention(256)
    rng = np.random.default_rng(0)
    query, memory = (rng.normal(size=shape).astype("float32") for shape in ((QUERIES, 480), (QUERIES, POSITIONS, 512)))
    layer([query, memory])
    keys = tf.constant(layer.project(memory))
    query, memory = tf.constant(query), tf.constant(memory)
    calls = {
        "keys projected once": tf.function(lambda: layer([query, memory, keys])),
        "keys projected anew": tf.function(lambda: layer([query, memory])),
    }
    found = fastest(
        {name: lambda call=call: [call() for _ in range(100)] for name, call in calls.items()}
    )
    slowest = max(found.values())
    for name, seconds in found.items():
        print(f"{name:<34}{10 * seconds:10.3f} ms a step{slowest / seconds:8.1f} times the slower")
    print()


def training():
    rng = np.random.default_rng(0)
    source, target, following = rng.integers(4, 4000, (3, BATCH, PAIRS))
    model = zoo.load(NAME, weights=False)
    loss = CrossEntropy(ignore_label=PAD, label_smoothing=0.1)
    model.compile(keras.optimizers.AdamW(1e-3, global_clipnorm=1.0), loss)
    inputs = {"source": source, "target": target}
    found = fastest(
        {
            "Keras, TensorFlow": lambda: model.train_on_batch(inputs, following),
            "torch": torch_step(source, target, following),
        }
    )
    for name, seconds in found.items():
        ratio = found["torch"] / seconds
        print(f"{name:<34}{1000 * seconds:10.0f} ms a training step{ratio:8.2f} times as fast as torch")


def torch_step(source, target, following):
    """Of the same network with torch's own layers: its GRU for the encoder, its GRUCell for the decoder."""
    import torch
    from torch import nn

    torch.set_num_threads(THREADS)
    facts = zoo.info(NAME).arguments
    size, reader, units, score = (facts[name] for name in ("embedding", "encoder_units", "units", "attention_units"))

    class RNNSearch(nn.Module):
        def __init__(self):
            super().__init__()
            self.source = nn.Embedding(facts["source_size"], size, padding_idx=PAD)
            self.target = nn.Embedding(facts["target_size"], size, padding_idx=PAD)
            self.encoder = nn.GRU(size, reader, batch_first=True, bidirectional=True)
            self.bridge, self.cell = nn.Linear(reader, units), nn.GRUCell(size + 2 * reader, units)
            self.query, self.key = nn.Linear(units, score, bias=False), nn.Linear(2 * reader, score, bias=False)
            self.score, self.readout = nn.Linear(score, 1, bias=False), nn.Linear(units + 2 * reader + size, 2 * size)
            self.dropout = nn.Dropout(facts["dropout"])

        def forward(self, source, target):
            memory, last = self.encoder(self.dropout(self.source(source)))         # (B, T, 2 U'), (2, B, U')
            hidden, keys = torch.tanh(self.bridge(last[1])), self.key(memory)
            words, outputs = self.dropout(self.target(target)), []
            for now in words.unbind(1):
                weights = self.score(torch.tanh(self.query(hidden)[:, None] + keys)).softmax(1)     # (B, T, 1)
                context = (weights * memory).sum(1)
                hidden = self.cell(torch.cat([now, context], -1), hidden)
                outputs.append(torch.cat([hidden, context, now], -1))
            output = self.readout(torch.stack(outputs, 1)).unflatten(-1, (size, 2)).amax(-1)        # (B, S, E)
            return self.dropout(output) @ self.target.weight.T

    model = RNNSearch()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    loss = nn.CrossEntropyLoss(ignore_index=PAD, label_smoothing=0.1)
    source, target, following = (torch.from_numpy(x) for x in (source, target, following))

    def step():
        optimizer.zero_grad()
        loss(model(source, target).flatten(0, 1), following.flatten()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


if __name__ == "__main__":
    writing()
    attention()
    training()
