"""The server: `modules` run inside Triton, `host` puts a server together and starts it, `backends` run networks."""
