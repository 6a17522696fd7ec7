"""A language model on an OpenAI-compatible server: vLLM, llama.cpp, `transformers serve`, `lyrist serve` and others.

A server with ``/v1/completions`` continues a half-written song, in its chat template if that is known. If it also returns the
log-probabilities of a prompt (``echo`` with ``logprobs``), all three calls of a language model are available. A server with chat
only generates whole lines, with the words to rhyme in the request, and the best of them is selected.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx

from lyrist.errors import LyristError, UsageError
from lyrist.generation.language_model import LONGEST, Continuation, ModelFailedError
from lyrist.models import fetch, hub, instructions

KEYS = ("LYRIST_API_KEY", "OPENAI_API_KEY")
"""Environment variables of the key, the first that is set."""
TIMEOUT = 120.0
ATTEMPTS = 4
"""Attempts of a request that times out, meets a rate limit or a failure of the server."""
LONGEST_WAIT = 60.0
BATCH = 16
"""Prompts in one request."""
SINGLES = 6
"""Requests for lines from a server that answers with one line at a time."""

MODES = {
    "scored": "completions with log-probabilities of prompts: beginnings and rhyming words",
    "completions": "completions without log-probabilities of prompts: lines are generated and selected",
    "chat": "chat only: lines are generated and selected, the rhymes are part of the request",
}
"""How a server is used, for the summary."""


class Endpoint:
    """A language model on a server; see `lyrist.generation.language_model.LanguageModel`."""

    vocabulary: frozenset[str] | None = None
    headers: frozenset[str] = frozenset()
    pieces = False

    def __init__(
        self,
        url: str,
        model: str,
        given: Mapping[str, str] | None = None,
        *,
        timeout: float = TIMEOUT,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        """Connect to a server and find out what it offers.

        Parameters
        ----------
        url
            Address of the server, such as http://localhost:8000/v1. The key is read from the environment.
        model
            Name of the model on the server.
        given
            What is known of the song; see `lyrist.models.instructions.request`.
        timeout
            Seconds for a request.
        wait
            Waits a number of seconds between attempts; by default `time.sleep`.

        Raises
        ------
        UsageError
            The address is not of http or https, or a key would be sent unencrypted.
        LyristError
            The server cannot be reached or does not have the model.
        """
        self.model, self.given, self._wait = model, dict(given or {}), wait or time.sleep
        parts = urlsplit(url if "//" in url else f"http://{url}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"--endpoint must be an address such as http://localhost:8000/v1, got '{url}'.")
        key = next((os.environ[name] for name in KEYS if os.environ.get(name)), None)
        if key and parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            raise UsageError(
                f"The key in {' or '.join(KEYS)} is not sent unencrypted to {parts.hostname}; use https, or unset it."
            )
        base = parts.geturl().rstrip("/")
        self.url = base if base.endswith("/v1") else base + "/v1"
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.Client(timeout=timeout, headers=headers)
        self.requests = self.tokens_in = self.tokens_out = 0
        self._silent = 0  # max_tokens for a scored prompt: 0, or 1 where the server refuses 0
        self.mode = self._probe()
        self.scores = self.mode == "scored"
        self._before = "" if self.mode == "chat" else self._prompt()

    # The three calls.

    def lines(
        self,
        prefix: str,
        n: int,
        *,
        stop: str = "\n",
        temperature: float,
        seed: int,
        keep: Callable[[str], bool] | None = None,
        empty: bool = False,
        hint: str = "",
    ) -> list[Continuation]:
        """Sample continuations; see `LanguageModel.lines`. They are not cut early: the server samples them whole."""
        if self.mode == "chat":
            return self._chat_lines(prefix, n, temperature, seed, hint)
        body = {
            "prompt": self._before + prefix, "stop": [stop], "max_tokens": LONGEST, "temperature": temperature,
            **({"logprobs": 1} if self.scores else {}),
        }  # fmt: skip
        found = [_continuation(each) for each in self._choices("completions", body, n, seed)]
        if not empty and not any(each.text.strip() for each in found):  # the song went on after an empty line
            del body["stop"]
            choices = self._choices("completions", body, n, seed)
            found = [Continuation(_first_line(each.get("text") or ""), 0.0) for each in choices]
        return found

    def score(self, prefix: str, continuations: Sequence[str]) -> list[float]:
        """Return the log-probability of each continuation."""
        start, found = len(self._before + prefix), []
        for first in range(0, len(continuations), BATCH):
            prompts = [self._before + prefix + each for each in continuations[first : first + BATCH]]
            body = {"prompt": prompts, "max_tokens": self._silent, "echo": True, "logprobs": 1, "temperature": 0}
            choices = sorted(self._post("completions", body)["choices"], key=lambda each: each.get("index", 0))
            found += [_score(each, start, len(prompt)) for each, prompt in zip(choices, prompts, strict=True)]
        return found

    def next_words(self, prefix: str, words: Sequence[str]) -> list[float]:
        """Return the log-probability of each word directly after ``prefix``."""
        return self.score(prefix, [f" {word}" for word in words])

    def count(self, text: str) -> int:
        """Return about the number of tokens of a text."""
        return len(re.findall(r"\w+|[^\w\s]", text))

    def notes(self) -> tuple[str, ...]:
        """Return how the server was used and what it cost, for the summary."""
        cost = f"{self.requests:,} requests, {self.tokens_in:,} tokens in, {self.tokens_out:,} tokens out"
        return (f"endpoint {self.url}: {MODES[self.mode]}", f"cost: {cost}")

    # Chat.

    def _chat_lines(self, prefix: str, n: int, temperature: float, seed: int, hint: str) -> list[Continuation]:
        so_far = f"The song so far:\n{prefix}\n" if prefix.strip() else ""
        prompt = f"{instructions.request(self.given)}\n\n{so_far}Write only the next line of the song. {hint}".strip()
        chat = [{"role": "system", "content": instructions.SYSTEM}, {"role": "user", "content": prompt}]
        body = {"messages": chat, "temperature": temperature, "max_tokens": 2 * LONGEST}
        choices = self._choices("chat/completions", body, n, seed)
        found = [Continuation(_first_line(each["message"].get("content") or ""), 0.0) for each in choices]
        return [each for each in found if each.text] or found

    # The server.

    def _choices(self, path: str, body: dict[str, Any], n: int, seed: int) -> list[dict[str, Any]]:
        """Return ``n`` choices, or `SINGLES` of a server that answers with one at a time."""
        found: list[dict[str, Any]] = []
        for number in range(min(n, SINGLES)):
            choices = self._post(path, {**body, "n": n, "seed": seed + number})["choices"]
            found += choices
            if len(choices) > 1 or n == 1:
                break
        return found

    def _probe(self) -> str:
        """Return how the server can be used."""
        for silent in (0, 1):
            body = {"prompt": "La la la", "max_tokens": silent, "echo": True, "logprobs": 1, "temperature": 0}
            answer = self._try("completions", body)
            if answer is not None:
                self._silent = silent
                try:
                    _score(answer["choices"][0], 2, len("La la la"))
                except (KeyError, TypeError, ValueError, IndexError):
                    continue
                return "scored"
        if self._try("completions", {"prompt": "La la la", "max_tokens": 1}) is not None:
            return "completions"
        self._post("chat/completions", {"messages": [{"role": "user", "content": "La"}], "max_tokens": 1})
        return "chat"

    def _prompt(self) -> str:
        """Return the text before the song: the request in the chat template of the model, if the server applies it."""
        chat = instructions.messages(self.given)
        root = self.url.removesuffix("/v1")
        applied = self._try("apply-template", {"messages": chat}, root)  # llama.cpp
        if applied and isinstance(applied.get("prompt"), str):
            return str(applied["prompt"])
        tokens = self._try(
            "tokenize", {"model": self.model, "messages": chat, "add_generation_prompt": True}, root
        )  # vLLM
        if tokens and tokens.get("tokens"):
            text = self._try("detokenize", {"model": self.model, "tokens": tokens["tokens"]}, root)
            if text and isinstance(text.get("prompt"), str):
                return str(text["prompt"])
        return self._local_template(chat) or ("" if self._of_lyrist() else instructions.page(self.given))

    def _local_template(self, chat: list[dict[str, str]]) -> str:
        """Return the request in the template of the model's tokenizer, if that is on this machine; else an empty text."""
        if not (self.model in fetch.KNOWN and fetch.cached(self.model)):
            return ""
        try:
            tokenizer = hub.pretrained_tokenizer(self.model)
            return str(tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True))
        except (LyristError, ValueError, TypeError):
            return ""

    def _of_lyrist(self) -> bool:
        """Return whether the model is a writer that `lyrist serve` offers, which reads songs without a request."""
        try:
            answer = self._client.get(f"{self.url}/models")
            entries = answer.json()["data"] if answer.status_code == 200 else []
            return any(each.get("id") == self.model and each.get("owned_by") == "lyrist" for each in entries)
        except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError):
            return False

    def _try(self, path: str, body: dict[str, Any], root: str | None = None) -> dict[str, Any] | None:
        """Return the answer of the server; None if it does not offer this."""
        try:
            return self._post(path, body, root, probing=True)
        except _RefusedError:
            return None

    def _post(
        self, path: str, body: dict[str, Any], root: str | None = None, *, probing: bool = False
    ) -> dict[str, Any]:
        """Return the answer of the server to a request; rate limits and failures are waited for.

        When ``probing``, status 500 twice means that the request is not supported: `transformers serve` answers so to values
        that it does not check.

        Raises
        ------
        ModelFailedError
            The server cannot be reached, or fails again and again.
        """
        body = {"model": self.model, **body}
        reason, wait = "", 0.0
        for attempt in range(ATTEMPTS):
            if attempt:
                self._wait(min(wait or 2.0**attempt, LONGEST_WAIT) + random.random() / 10)  # noqa: S311 - no secret
            try:
                answer = self._client.post(f"{root or self.url}/{path}", json=body)
            except httpx.TimeoutException:
                reason = f"no answer within {self._client.timeout.read:g} s"
                continue
            except httpx.HTTPError as error:
                reason = f"it cannot be reached ({type(error).__name__})"
                continue
            if answer.status_code == 429 or answer.status_code >= 500:
                again = reason.startswith("status 500")
                reason = f"status {answer.status_code}{_message(answer)}"
                wait = _seconds(answer.headers.get("retry-after"))
                if answer.status_code == 501 or (probing and again and answer.status_code == 500):
                    break
                continue
            return self._read(answer)
        if answered := reason.startswith("status 501") or (probing and reason.startswith("status 500")):
            raise _RefusedError(f"The endpoint {self.url} does not offer {path} ({reason}).")
        raise ModelFailedError(
            f"The endpoint {self.url} failed {'' if answered else f'{ATTEMPTS} times '}({reason}); check that it runs, or try "
            "again later."
        )

    def _read(self, answer: httpx.Response) -> dict[str, Any]:
        """Return the JSON of an answer, and count its tokens."""
        self.requests += 1
        if answer.status_code in (401, 403):
            raise ModelFailedError(
                f"The endpoint {self.url} refused the key (status {answer.status_code}); set {' or '.join(KEYS)}."
            )
        if answer.status_code >= 400:
            raise _RefusedError(
                f"The endpoint {self.url} refused a request with status {answer.status_code}{_message(answer)}; check "
                "--endpoint and --endpoint-model."
            )
        try:
            found = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise _RefusedError(
                f"{self.url} does not answer in JSON, so it is no OpenAI-compatible server; check --endpoint."
            )
        usage = found.get("usage")
        if isinstance(usage, dict):
            self.tokens_in += int(usage.get("prompt_tokens") or 0)
            self.tokens_out += int(usage.get("completion_tokens") or 0)
        return found


class _RefusedError(ModelFailedError):
    """The server answered that it does not offer what was requested."""


def _message(answer: httpx.Response) -> str:
    """Return the error message of an answer, in at most one line."""
    try:
        error = answer.json().get("error", {})
        text = error.get("message", "") if isinstance(error, dict) else str(error)
    except (ValueError, AttributeError):
        text = ""
    text = " ".join(str(text).split())[:200].rstrip(".")
    return f": {text}" if text else ""


def _seconds(value: str | None) -> float:
    """Return the seconds of a Retry-After header; 0 without one."""
    try:
        return max(0.0, float(value or 0))
    except ValueError:
        return 0.0


def _continuation(choice: Mapping[str, Any]) -> Continuation:
    """Return a sampled continuation; without log-probabilities its words count 0."""
    text = str(choice.get("text") or "")
    logprobs = choice.get("logprobs") or {}
    tokens = list(zip(logprobs.get("tokens") or [], logprobs.get("token_logprobs") or [], strict=False))
    joined, kept = "", list[tuple[str, float]]()
    for token, logprob in tokens:
        if not text.startswith(joined + token) or logprob is None:
            break
        joined, kept = joined + token, [*kept, (str(token), float(logprob))]
    if joined != text:
        kept = [(word, 0.0) for word in re.findall(r"\s*\S+", text)]
    ended = "cut" if choice.get("finish_reason") == "length" else "line"
    return Continuation(text, sum(logprob for _, logprob in kept), tuple(kept), ended)


def _score(choice: Mapping[str, Any], start: int, end: int) -> float:
    """Return the log-probability of the characters from ``start`` to ``end`` of an echoed prompt.

    Raises
    ------
    ValueError
        The answer has no log-probabilities of the prompt.
    """
    logprobs = choice["logprobs"]
    tokens, values, offsets = logprobs["tokens"], logprobs["token_logprobs"], logprobs.get("text_offset")
    if not offsets:
        offsets, place = [], 0
        for token in tokens:
            offsets.append(place)
            place += len(token)
    first = offsets[0] if offsets else 0
    inside = [
        v for t, v, at in zip(tokens, values, offsets, strict=False) if start < at - first + len(t) and at - first < end
    ]
    if len(tokens) < 2 or not inside or any(value is None for value in inside):
        raise ValueError("no log-probabilities of the prompt")
    return float(sum(inside))


def _first_line(answer: str) -> str:
    """Return the first line of an answer, without numbers, bullets and quotation marks around it."""
    for line in answer.splitlines():
        found = re.sub(r"^\s*(?:[-*•]|\d+[.)])\s+", "", line).strip().strip('"“”*').strip()
        if found and not re.fullmatch(r"\[.*\]|\(.*\)|.*:", found):
            return found
    return ""
