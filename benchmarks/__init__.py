"""How fast the hot loops are, as ratios to the same jobs in C built in the same run."""
