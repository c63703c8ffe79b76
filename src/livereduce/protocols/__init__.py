"""Wire protocols of the facilities' data acquisition systems: bytes to messages and back, without any I/O."""
