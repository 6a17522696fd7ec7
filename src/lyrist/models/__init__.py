"""What can be fitted: the registry of recipes, and the models behind them."""
