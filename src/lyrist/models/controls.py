"""The path of `lyrist.models.baselines` in the skops files of Lyrist 0.1; removed in 0.3."""

from lyrist.models.baselines import ArtistLookup, LayoutClassifier, Majority

__all__ = ["ArtistLookup", "LayoutClassifier", "Majority"]
