# The command `paddlex-triton export` alone, for what has no Python of its own: the init containers of
# deploy/helm/paddlex-triton. Build from the top of the repository:
#   docker build --file docker/export.Dockerfile --tag paddlex-triton-export .
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
RUN python -m venv /opt/paddlex-triton \
 && /opt/paddlex-triton/bin/pip install --no-cache-dir --constraint requirements/constraints.txt '.[export]'

FROM ${PYTHON_IMAGE}

COPY --from=build /opt/paddlex-triton /opt/paddlex-triton
ENV PATH=/opt/paddlex-triton/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    PADDLEX_TRITON_HOME=/tmp/paddlex-triton

USER 1000:1000
ENTRYPOINT ["paddlex-triton", "export"]
