"""A server under mixed requests, hostile ones among them, for a long time."""
