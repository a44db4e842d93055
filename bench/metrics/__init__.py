"""Measures of proxies and searches: `rank`, `top`, `regret`, `bootstrap`, `compare`, `draws`."""
