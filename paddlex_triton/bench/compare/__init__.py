"""This package against PaddleX, PaddleX's server and RapidOCR, in one run: see `__main__`."""
