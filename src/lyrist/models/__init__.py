"""The models that can be fitted, and the registry of recipes."""
