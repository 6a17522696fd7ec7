"""Training: tokenization, batches, the training loop, and runs on disk."""
