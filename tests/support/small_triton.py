"""Small KServe servers, HTTP and gRPC, for one model's answers: real connections without Triton."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import serialize_byte_tensor

from paddlex_triton.client.transports.base import datatype

# Returns the outputs by name; called for every request.
Answer: TypeAlias = Callable[[], dict[str, np.ndarray]]

# protobuf makes its classes when it is imported, out of a type checker's sight.
_messages: Any = service_pb2


@contextlib.contextmanager
def serve(protocol: str, answer: Answer, port: int = 0) -> Iterator[str]:
    """Serve, and give the URL; on a free port unless one is named."""
    with _serve_http(answer, port) if protocol == "http" else _serve_grpc(answer, port) as url:
        yield url


@contextlib.contextmanager
def _serve_http(answer: Answer, port: int) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            # Ready, whatever it is about.
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            wanted = json.loads(body[: int(self.headers["Inference-Header-Content-Length"])])["outputs"]
            arrays = answer()
            arrays = {name: arrays[name] for name in (output["name"] for output in wanted)}
            raw = {name: _bytes_of(array) for name, array in arrays.items()}
            outputs = [
                {
                    "name": name,
                    "datatype": datatype(array),
                    "shape": array.shape,
                    "parameters": {"binary_data_size": len(raw[name])},
                }
                for name, array in arrays.items()
            ]
            header = json.dumps({"model_name": "m", "model_version": "1", "outputs": outputs}).encode()
            content = header + b"".join(raw.values())
            # Some tests hang up early.
            with contextlib.suppress(ConnectionError):
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Inference-Header-Content-Length", str(len(header)))
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, format, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@contextlib.contextmanager
def _serve_grpc(answer: Answer, port: int) -> Iterator[str]:
    class Servicer(service_pb2_grpc.GRPCInferenceServiceServicer):
        def ModelInfer(self, request, context):
            response = _messages.ModelInferResponse(model_name=request.model_name)
            arrays = answer()
            for output in request.outputs:
                array = arrays[output.name]
                response.outputs.add(name=output.name, datatype=datatype(array), shape=array.shape)
                response.raw_output_contents.append(_bytes_of(array))
            return response

    server = grpc.server(ThreadPoolExecutor(8))
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Servicer(), server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


def _bytes_of(array: np.ndarray) -> bytes:
    if array.dtype != object:
        return array.tobytes()
    serialized = serialize_byte_tensor(array)
    return serialized.item() if serialized is not None and serialized.size else b""
