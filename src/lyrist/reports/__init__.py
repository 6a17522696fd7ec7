"""Figures and self-contained pages: drawing only."""
