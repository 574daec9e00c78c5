"""The network's input: a page squeezed into a square, normalised by ImageNet's constants."""

from __future__ import annotations

# Pixels of a side, as it is served; training sees smaller ones too.
SIDE = 768
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
