"""What is in a corpus, as one page with pictures and tables; `explored` has the verb, the others measure and draw."""

from lyrist.corpus.exploring.explored import Explored, explore

__all__ = ["Explored", "explore"]
