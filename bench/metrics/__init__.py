"""Measures of proxies and searches: `rank`, `top`, `regret`, `bootstrap`, `intervals`."""
