"""Throughput and latency of the server: with and without batching, compared with `transformers serve`, and a soak test.

A server is a separate process; each client sends a new request as soon as it has a response. Two servers alternate in
several rounds, one of them with `--batch 1`. Ratios are of tokens (for labels, of requests) per CPU second of the server
process, computed within a round, and the median is reported. Latencies are those of the clients and depend on other load.

    python benchmarks/serving.py [--clients 1 8 64] [--tokens 32] [--rounds 3] [--json]
    python benchmarks/serving.py --plans [--clients 1 8 32]            # songs to a plan
    python benchmarks/serving.py --causal MODEL [--clients 1 8]        # tokens a second against `transformers serve`
    python benchmarks/serving.py --soak 10                             # minutes under 64 mixed clients

Without --run and --classifier, an n-gram writer and a classifier are fitted to the songbook, and a `gpt` with random
weights is made (speed does not depend on what was learnt).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil

import lyrist
import soaking
from lyrist import files, progress
from lyrist.corpus.corpus import Corpus
from lyrist.generation.config import GenerationConfig
from lyrist.generation.write import compose
from lyrist.models import registry
from lyrist.models.language_model import WriterShape
from lyrist.serving.inferenceengine import InferenceEngine
from lyrist.serving.modelregistry import ModelRegistry
from lyrist.serving.requests import Limits
from lyrist.serving.songworker import GenerationRequest
from lyrist.training import runs, vocabularies
from lyrist.training.writer import Writer, untuned
from songtables.fouracts import write_songbook

EACH = {1: 8, 8: 3, 64: 1}
"""Requests of each client, by the number of clients."""


Place = tuple[str, psutil.Process]
"""A server's address and its process."""


# What is served.


def prepared(folder: Path) -> Path:
    """Return a corpus of the songbook."""
    write_songbook(folder / "songs.csv")
    lyrist.prepare(str(folder / "songs.csv"), out=str(folder / "corpus"))
    return folder / "corpus"


def random_gpt(corpus: Path, out: Path) -> Path:
    """Write a run of `gpt` with random weights that knows the words of a corpus."""
    recipe = registry.get("gpt")
    options: Any = recipe.options()
    tokenizer = vocabularies.learn(Corpus.open(corpus).songs("train")["lyrics"].to_list(), options.vocabulary)
    shape = WriterShape(
        len(tokenizer), tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id, options.context
    )
    model: Any = recipe.build(options, shape)
    return write_run(Writer(model.eval(), tokenizer, {}, "gpt", options.context), corpus, out)


def write_run(writer: Writer, corpus: Path, out: Path) -> Path:
    """Write a run of a writer that was not trained here."""
    writer.save(out / runs.MODEL)
    about = {"format": runs.FORMAT, "lyrist": "0", "recipe": writer.recipe, "task": "write", "corpus": str(corpus)}
    files.write_json(out / runs.MARKER, about)
    return out


# Servers.


@contextlib.contextmanager
def lyrist_serve(*paths: Path, flags: Sequence[str] = ()) -> Iterator[Place]:
    """Run ``lyrist serve`` and yield its address and its process."""
    command = [sys.executable, "-m", "lyrist", "serve", *map(str, paths), "--port", "0", "--no-studio", *flags]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        assert server.stderr is not None
        told = server.stderr.readline()
        if "serving" not in told:
            raise SystemExit(f"lyrist serve did not start: {told}{server.stderr.read()}")
        threading.Thread(target=lambda: sys.stderr.writelines(server.stderr or ()), daemon=True).start()
        yield told.split(" at ")[1].split()[0], psutil.Process(server.pid)
    finally:
        server.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(90)
        server.kill()


@contextlib.contextmanager
def transformers_serve(model: Path, port: int) -> Iterator[Place]:
    """Run ``transformers serve`` on a saved model and yield its address and its process."""
    program = str(Path(sys.executable).with_name("transformers"))
    command = [program, "serve", str(model), "--port", str(port), "--host", "127.0.0.1", "--device", "cpu"]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1"}
    server = subprocess.Popen(
        [*command, "--dtype", "float32", "--log-level", "error"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env=offline,
    )  # fmt: skip
    reader = threading.Thread(target=lambda: server.stderr and server.stderr.read(), daemon=True)
    reader.start()
    try:
        until = time.monotonic() + 180
        while True:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200:
                    break
            if server.poll() is not None or time.monotonic() > until:
                raise SystemExit("transformers serve did not start.")
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}", psutil.Process(server.pid)
    finally:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(20)
        server.kill()


# Measuring.


def ask(place: Place, path: str, body: Mapping[str, Any], clients: int, each: int) -> dict[str, float]:
    """Let so many clients ask so often, one request after the other; return rates and latencies.

    The rates by CPU second are of the server's process alone, and depend least on what else the machine does.
    """
    url, process = place

    async def client(http: httpx.AsyncClient, number: int) -> list[tuple[float, int]]:
        found = []
        for turn in range(each):
            began = time.perf_counter()
            answer = await http.post(
                path, json={**body, **({"seed": 1000 * number + turn} if path == "/v1/completions" else {})}
            )
            answer.raise_for_status()
            tokens = (answer.json().get("usage") or {}).get("completion_tokens", 0)
            found.append((time.perf_counter() - began, tokens))
        return found

    async def all_of_them() -> tuple[float, list[tuple[float, int]]]:
        limits = httpx.Limits(max_connections=clients)
        async with httpx.AsyncClient(base_url=url, timeout=600, limits=limits) as http:
            began = time.perf_counter()
            found = await asyncio.gather(*(client(http, number) for number in range(clients)))
            return time.perf_counter() - began, [one for some in found for one in some]

    before = _cpu(process)
    wall, found = asyncio.run(all_of_them())
    cpu = max(_cpu(process) - before, 0.01)  # what the system counts in
    seconds = sorted(took for took, _ in found)
    return {
        "requests_per_cpu_second": len(found) / cpu,
        "tokens_per_cpu_second": sum(tokens for _, tokens in found) / cpu,
        "requests_per_second": len(found) / wall,
        "tokens_per_second": sum(tokens for _, tokens in found) / wall,
        "p50": statistics.median(seconds),
        "p95": seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))],
    }


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def compared(
    urls: Mapping[str, Place], path: str, body: Mapping[str, Any], levels: Sequence[int], rounds: int, more: int = 1
) -> list[dict[str, Any]]:
    """Return the medians of each server at each number of clients, and the median ratio of the first to the second."""
    rows = []
    for clients in levels:
        found: dict[str, list[dict[str, float]]] = {name: [] for name in urls}
        for url in urls.values():
            ask(url, path, body, min(clients, 2), 1)
        for _ in range(rounds):
            for name, url in urls.items():
                found[name].append(ask(url, path, body, clients, more * EACH.get(clients, 2)))
        one, other = found.values()
        key = "tokens_per_cpu_second" if path == "/v1/completions" else "requests_per_cpu_second"
        rows.append(
            {
                "clients": clients,
                **{
                    name: {k: statistics.median(r[k] for r in rows_) for k in rows_[0]} for name, rows_ in found.items()
                },
                "ratio": statistics.median(a[key] / b[key] for a, b in zip(one, other, strict=True)),
            }
        )
    return rows


def table(title: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows for a person."""
    names = [name for name in rows[0] if name not in ("clients", "ratio")]
    lines = [title, f"{'clients':>7}  " + "  ".join(f"{name:^37}" for name in names) + "   ratio"]
    for row in rows:
        cells = [
            f"{row[n]['requests_per_cpu_second']:7.1f} {row[n]['tokens_per_cpu_second']:7.0f} "
            f"{row[n]['requests_per_second']:7.1f} {1000 * row[n]['p50']:6.0f} {1000 * row[n]['p95']:6.0f}"
            for n in names
        ]
        lines.append(f"{row['clients']:>7}  " + "  ".join(cells) + f"  {row['ratio']:5.1f}x")
    return "\n".join([*lines, "requests and tokens by CPU second of the server, requests by second, p50 and p95 in ms"])


def together(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Measure requests that are computed together against one at a time."""
    corpus = prepared(folder)
    writer = Path(given.run) if given.run else random_gpt(corpus, folder / "gpt")
    classifier = Path(given.classifier) if given.classifier else fitted(corpus, folder, "nb-svm", "artist")
    flags = ["--queue", "512", "--limit-seconds", "600"]
    song = {"model": writer.name, "prompt": "I hold", "max_tokens": given.tokens, "max_repeats": 0}
    text = {"model": classifier.name, "texts": "I hold the lantern and I hold it right\nall night"}
    with (
        lyrist_serve(writer, classifier, flags=[*flags, "--batch", "64"]) as one,
        lyrist_serve(writer, classifier, flags=[*flags, "--batch", "1"]) as other,
    ):
        urls = {"together": one, "one at a time": other}
        return {
            "completions": compared(urls, "/v1/completions", song, given.clients, given.rounds),
            "classify": compared(urls, "/v1/classify", text, given.clients, given.rounds, more=8),
        }


def plans(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Measure songs to a plan whose lines are sampled together against one song after another, in this process."""
    run = given.run or str(random_gpt(prepared(folder), folder / "gpt"))
    models = ModelRegistry.open([Path(run)])
    composed(models, given.form, 1, 32)  # rhymes are looked up once
    found = []
    for clients in given.clients:
        pairs = [[composed(models, given.form, clients, batch) for batch in (32, 1)] for _ in range(given.rounds)]
        row: dict[str, Any] = {"clients": clients}
        for place, name in enumerate(("together", "one after another")):
            row[name] = {key: statistics.median(pair[place][key] for pair in pairs) for key in pairs[0][0]}
        key = "requests_per_cpu_second"
        found.append({**row, "ratio": statistics.median(one[key] / other[key] for one, other in pairs)})
        print(table(f"songs of the form {given.form}", found[-1:]), file=sys.stderr, flush=True)
    return {f"songs of the form {given.form}": found}


def composed(models: ModelRegistry, form: str, clients: int, batch: int) -> dict[str, float]:
    """Let so many clients request a song to a plan at once; return rates and latencies."""
    engine = InferenceEngine(models, Limits(queue=512, seconds=3600, batch=batch), threads=1)
    began, cpu, seconds, waiting = time.perf_counter(), time.process_time(), list[float](), []
    for number in range(clients):
        config = GenerationConfig(form=form, rhyme="AABB", syllables=8, seed=number)
        waiting.append(engine.submit_write(next(iter(models.items)), GenerationRequest(config)))
        waiting[-1].future.add_done_callback(lambda _: seconds.append(time.perf_counter() - began))
    tokens = sum(song.tokens for each in waiting for song in each.future.result())
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    engine.close()
    seconds.sort()
    return {
        "requests_per_cpu_second": clients / cpu,
        "tokens_per_cpu_second": tokens / cpu,
        "requests_per_second": clients / wall,
        "tokens_per_second": tokens / wall,
        "p50": statistics.median(seconds),
        "p95": seconds[min(len(seconds) - 1, int(0.95 * len(seconds)))],
    }


def fitted(corpus: Path, folder: Path, recipe: str, target: str) -> Path:
    """Return a run of a recipe that was fitted to a corpus."""
    lyrist.train(recipe, str(corpus), target=target, out=str(folder / recipe))
    return folder / recipe


def against_transformers(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Measure tokens a second of a causal model, here and with `transformers serve`."""
    writer = untuned("causal", {"model": given.causal})
    model = writer.model
    if getattr(model, "is_quantized", False):  # read from a .gguf file, and now weights like any other
        model.hf_quantizer, model.is_quantized = None, False
        del model.config.quantization_config
    run = write_run(writer, folder, folder / "causal")
    body = {
        "prompt": "The river runs away from us tonight",
        "max_tokens": given.tokens,
        "temperature": 1.0,
        "top_p": 1.0,
    }
    levels = [each for each in given.clients if each <= 8]
    found = []
    with (
        lyrist_serve(run, flags=["--limit-seconds", "600"]) as here,
        transformers_serve(run / runs.MODEL, given.port) as there,
    ):
        asked = ((here, {**body, "model": run.name}), (there, {**body, "model": str(run / runs.MODEL)}))
        for url, one in asked:
            ask(url, "/v1/completions", one, 1, 1)
        for clients in levels:
            both = [[ask(url, "/v1/completions", one, clients, 2) for url, one in asked] for _ in range(given.rounds)]
            row: dict[str, Any] = {"clients": clients}
            for place, name in enumerate(("lyrist serve", "transformers serve")):
                row[name] = {k: statistics.median(pair[place][k] for pair in both) for k in both[0][0]}
            pairs = [(one["tokens_per_cpu_second"], max(two["tokens_per_cpu_second"], 1e-9)) for one, two in both]
            found.append({**row, "ratio": statistics.median(one / two for one, two in pairs)})
    return {"against transformers": found}


def soak(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Let 64 mixed clients ask for minutes; tell what was asked, what went wrong, and the server's memory over time."""
    corpus = prepared(folder)
    run = fitted(corpus, folder, "ngram", "lyrics")
    classifier = fitted(corpus, folder, "nb-svm", "artist")
    writer, model = runs.open_run(run).writer, runs.open_run(classifier).model
    configs = [GenerationConfig(max_tokens=soaking.TOKENS, seed=seed) for seed in range(200)]
    songs = {each.seed: compose(writer, prompt=soaking.PROMPT, config=each)[0].text for each in configs}
    lines = [line for line in Corpus.open(corpus).songs("test")["lyrics"][0].split("\n") if line.strip()][:12]
    labels = {line: str(model.predict([line])[0]) for line in dict.fromkeys(lines)}
    memory = []
    with lyrist_serve(run, classifier, flags=["--max-bytes", "200000", "--queue", "256"]) as (url, process):
        names = {"write": run.name, "classify": classifier.name}
        clients = soaking.Clients(int(url.rpartition(":")[2]), names, songs, labels)
        asking = threading.Thread(target=clients.run, args=(60 * given.soak,))
        began = time.monotonic()
        asking.start()
        while asking.is_alive():
            asking.join(min(30.0, 6 * given.soak))
            seconds = time.monotonic() - began
            memory.append({"seconds": round(seconds), "mib": round(process.memory_info().rss / 2**20, 1)})
            print(
                f"{seconds:6.0f} s  {memory[-1]['mib']:7.1f} MiB  {sum(clients.counts.values()):,} requests", flush=True
            )
        until = time.monotonic() + 10  # those that went away last are let go at the next token
        while (health := httpx.get(f"{url}/healthz").json())["inside"] and time.monotonic() < until:
            time.sleep(0.1)
    return {"asked": dict(clients.counts), "wrong": clients.wrong[:20], "memory": memory, "at the end": health}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", help="a run that writes")
    parser.add_argument("--classifier", help="a run that labels lyrics")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plans", action="store_true", help="measure songs to a plan")
    parser.add_argument("--form", default="verse", help="the form of these songs")
    parser.add_argument("--causal", help="a pretrained causal model: a folder or a .gguf file")
    parser.add_argument("--port", type=int, default=8765, help="for `transformers serve`")
    parser.add_argument("--soak", type=float, metavar="MINUTES")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    progress.quiet()
    with tempfile.TemporaryDirectory() as folder:
        measure = soak if given.soak else against_transformers if given.causal else plans if given.plans else together
        found = measure(given, Path(folder))
    if given.json or given.soak:
        print(json.dumps(found, indent=2))
    else:
        print("\n\n".join(table(title, rows) for title, rows in found.items()))


if __name__ == "__main__":
    main()
