"""A corpus becomes a fitted model: tokens, batches, the one loop, runs on disk."""
