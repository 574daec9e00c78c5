"""Whether a server is well: a tiny page through each of its pipelines.

It is started every few seconds, so that it imports little.
"""
