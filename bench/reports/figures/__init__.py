"""The figures; one file a kind, each giving a matplotlib figure back, unsaved."""

__all__ = ["curves", "heatmap", "noise", "scatter"]
