"""The figures; one file a kind, each giving a matplotlib figure back, unsaved."""

__all__ = ["heatmap", "noise", "scatter", "search", "top"]
