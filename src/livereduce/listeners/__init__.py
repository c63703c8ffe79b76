"""One facility's records turned into the messages the live cycle works with; `base` is the contract."""
