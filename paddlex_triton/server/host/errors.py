"""Errors in assembling or starting a server. Messages are for the operator's eyes."""


class HostError(Exception):
    """Base of the errors of this package."""


class AssemblyError(HostError):
    """The directory to serve cannot be put together: something is missing or in the way."""


class ServerStartError(HostError):
    """The embedded server cannot start, or did not become ready."""
