"""Errors in assembling or starting a server. Messages are for the operator's eyes."""

# Of a server that is not well any more: in `sysexits.h` an internal software error.
SICK_STATUS = 70


class HostError(Exception):
    """Base of the errors of this package.

    Attributes:
        status: exit status of a command that ends with it.
    """

    status: int = 1


class AssemblyError(HostError):
    """The directory to serve cannot be put together: something is missing or in the way."""


class ServerStartError(HostError):
    """The embedded server cannot start, or did not become ready."""


class ServerEndedError(HostError):
    """The embedded server ended by itself, or cannot go on."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status
