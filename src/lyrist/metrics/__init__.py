"""Figures from plain arrays and strings: intervals and tests, scores, bits per byte. Corpora and models are not known here."""
