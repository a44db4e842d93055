"""ipl-bench: proxies and searchers of neural architecture search, measured fairly."""

__version__ = "0.1.0"
