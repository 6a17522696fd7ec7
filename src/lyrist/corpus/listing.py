"""The cleaning rules, a line each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lyrist.corpus.cleaning import RULES


@dataclass(frozen=True)
class Rules:
    """The rules by name, in the order in which they are applied."""

    def summary(self) -> str:
        """Return one line for each rule."""
        return "\n".join(f"{rule.name:<18} {rule.summary}" for rule in RULES)

    def figures(self) -> list[dict[str, Any]]:
        """Return name and summary of each rule."""
        return [{"name": rule.name, "summary": rule.summary} for rule in RULES]


def rules() -> Rules:
    """List the cleaning rules; each can be switched off by ``prepare --rules-off NAME``."""
    return Rules()
