# An image that builds filters: Python, compilers, and the part of this package that calls them.
ARG BASE=python:3.12-slim-bookworm
FROM ${BASE}
ARG DEBIAN=""
ARG PYPI=""
RUN if [ -n "$DEBIAN" ]; then \
      apt-get update -qq && apt-get install -qq -y --no-install-recommends $DEBIAN && rm -rf /var/lib/apt/lists/*; \
    fi
RUN if [ -n "$PYPI" ]; then python3 -m pip install --no-cache-dir --root-user-action=ignore $PYPI; fi
COPY wasmhub_magics /opt/wasmhub/wasmhub_magics
ENV PYTHONPATH=/opt/wasmhub WASMHUB_CACHE=/cache PYTHONDONTWRITEBYTECODE=1
