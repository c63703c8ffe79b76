"""Simulated facilities: sample physics, and servers that speak the real protocols, for demos, tests and training."""
