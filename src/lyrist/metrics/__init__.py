"""Metrics of plain arrays and strings: scores, intervals, tests, bits per byte. Independent of corpora and models."""
