"""How good, honestly: intervals, scores, and the words that decided."""
