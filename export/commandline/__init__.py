"""The commands `export` and `models`: what was asked for, which networks that means, and carrying it out."""
