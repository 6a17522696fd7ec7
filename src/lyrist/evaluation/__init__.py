"""Evaluation of saved runs: scores with intervals, explanations, originality and properties of generated lyrics."""
