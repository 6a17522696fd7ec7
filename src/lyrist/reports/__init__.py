"""Charts and self-contained HTML pages, independent of corpora and models."""
