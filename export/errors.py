"""The errors of an export. Every message says what was wrong and what is allowed; none needs a traceback.

ExportError
├── UsageError            the names, options or the folder given do not make sense together
├── SourceError           the weights could not be fetched, or are not the ones expected
│   └── Unreachable       no place they could be fetched from answers
├── ConversionError       a PaddlePaddle model could not be turned into an equal ONNX file
│   └── ConverterError    there is nothing on this machine to do it with
├── InferenceFileError    inference.yml cannot be read, or contradicts the weights
├── GraphError            the ONNX graph is not of a kind this family takes
├── VerificationError     the exported graph does not answer as its source does
├── InstallError          the network could not be written into the repository
├── PlanBuildError        trtexec did not make a TensorRT plan, or could not run it
├── MissingTensorRT       there is no trtexec or no GPU here, or TensorRT is too old
└── MissingDependency     the extra `paddlex-triton[export]` is not installed
"""

from __future__ import annotations

from typing import ClassVar


class ExportError(Exception):
    """Base of all errors of an export."""

    exit_code: ClassVar[int] = 1


class UsageError(ExportError):
    """The names, options or the folder given do not make sense together."""

    exit_code = 2


class SourceError(ExportError):
    """The weights could not be fetched, or are not the ones expected."""


class Unreachable(SourceError):
    """No place the weights could be fetched from answers: there is no network, or it does not lead there."""


class ConversionError(ExportError):
    """A PaddlePaddle model could not be turned into an ONNX file that answers as it does."""


class ConverterError(ConversionError):
    """This machine has nothing to convert with: it says nothing about the model."""


class InferenceFileError(ExportError):
    """`inference.yml` cannot be read, or contradicts the weights."""


class GraphError(ExportError):
    """The ONNX graph is not of a kind the family takes."""


class VerificationError(ExportError):
    """The exported graph does not answer as its source does."""


class InstallError(ExportError):
    """The network could not be written into the repository."""


class PlanBuildError(ExportError):
    """`trtexec` did not make a TensorRT plan, or could not run it."""


class MissingTensorRT(ExportError):
    """There is no `trtexec` or no GPU here, or TensorRT is too old: nothing was done."""

    exit_code = 3


class MissingDependency(ExportError):
    """The extra `paddlex-triton[export]` is not installed."""


# What is wrong with weights that were fetched: another network may do in their place.
UNUSABLE = (ConversionError, GraphError, InferenceFileError, VerificationError)


def first_line(error: Exception) -> str:
    """Return the first line of a library's exception, its type where it says nothing."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
