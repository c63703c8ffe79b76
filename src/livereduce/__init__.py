"""Live reduction of neutron event and histogram streams, with the scientist's own Mantid scripts and without Mantid."""

__version__ = "0.1.0"
