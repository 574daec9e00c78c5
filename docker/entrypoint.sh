#!/bin/sh
# Assembles the directory to serve, then becomes tritonserver; arguments are added to its command line. The environment
# variables that decide what is served are described in paddlex_triton/server/host/container.py.
set -eu

exec paddlex-triton serve-container "$@"
