"""Errors in assembling or starting a server. Messages are for the operator's eyes."""


class ServerError(Exception):
    """Base of the errors of this package."""


class AssemblyError(ServerError):
    """The directory to serve cannot be put together: something is missing or in the way."""


class ServerStartError(ServerError):
    """The embedded server cannot start, or did not become ready."""
