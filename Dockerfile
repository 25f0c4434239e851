# kgdx in a container, with the two commands of the README. The base is a build argument: any Debian
# or Ubuntu image whose Python is 3.11 or later.
#   CPU     docker build -t kgdx .
#   CUDA    docker build -t kgdx --build-arg BASE=nvidia/cuda:12.8.1-runtime-ubuntu24.04 --build-arg WHEELS= .
#   demo    docker run --rm -v "$PWD/runs:/kgdx/runs" kgdx make demo        (CUDA: with --gpus all)
#   tests   docker run --rm kgdx make test
ARG BASE=python:3.12-slim
FROM ${BASE}

# Further index of wheels: that of PyTorch for CPUs keeps gigabytes of CUDA libraries out.
ARG WHEELS=https://download.pytorch.org/whl/cpu

RUN apt-get update \
 && apt-get install --yes --no-install-recommends g++ git make python3-venv \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /kgdx
COPY . .
RUN PIP_NO_CACHE_DIR=1 PIP_EXTRA_INDEX_URL="${WHEELS}" make .venv/.ready .venv/.extras
ENV PATH=/kgdx/.venv/bin:${PATH}

CMD ["make", "demo"]
