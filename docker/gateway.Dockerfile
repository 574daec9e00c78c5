# The REST gateway alone: no Triton, no network. Build from the top of the repository:
#   docker build --file docker/gateway.Dockerfile --tag paddlex-triton-gateway .
# Python 3.11 is what requirements/constraints.txt is tested with.
ARG PYTHON_IMAGE=python:3.11-slim
FROM ${PYTHON_IMAGE} AS build

WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY requirements requirements
COPY paddlex_triton paddlex_triton
COPY client client
COPY export export
COPY ensembles ensembles
COPY model_repository model_repository
# `fonts` has the Chinese glyphs of the pictures of results.
RUN python -m venv /opt/paddlex-triton \
 && /opt/paddlex-triton/bin/pip install --no-cache-dir --constraint requirements/constraints.txt '.[gateway,fonts,tracing]'

FROM ${PYTHON_IMAGE}

COPY --from=build /opt/paddlex-triton /opt/paddlex-triton
# More settings: `paddlex-triton gateway --help` names their variables. All addresses are the container's own: who runs it
# decides where its port is published.
ENV PATH=/opt/paddlex-triton/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    PADDLEX_TRITON_GATEWAY_URL=grpc://triton:8001 \
    PADDLEX_TRITON_GATEWAY_ADDRESS=0.0.0.0 \
    PADDLEX_TRITON_GATEWAY_PUBLISH=true \
    PADDLEX_TRITON_GATEWAY_PORT=8080

USER 1000:1000
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:%s/health' % os.environ['PADDLEX_TRITON_GATEWAY_PORT'], timeout=4)"]
ENTRYPOINT ["paddlex-triton", "gateway"]
