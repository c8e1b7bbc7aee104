"""Composed material: real pictures, real sounds and authored lines muxed, with an anomaly in known senses."""

from pipeline.compose.plan import Shares
from pipeline.compose.write import Composed, compose

__all__ = ["Composed", "Shares", "compose"]
