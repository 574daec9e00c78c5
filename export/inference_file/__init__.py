"""PaddleX's `inference.yml` of a network: the file, and its sections as each kind of network has them."""
