"""Generation: lyrics from a writer, freely or to a plan with rhymes and syllables."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lyrist.generation.suggestions import takes

__all__ = ["takes"]


def __getattr__(name: str) -> Any:
    """Import `takes` at its first use: it needs PyTorch."""
    if name in __all__:
        from lyrist.generation.suggestions import takes

        return takes
    raise AttributeError(name)
