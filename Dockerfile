# The image of memgraph-ha: the controllers, the instances' init container, and `helm test`.
#
#   docker build --tag memgraph-ha:0.1.0 .
#
# Nothing in it needs a shell, root or a writable file system; it runs as any user. BASE is any image with Python 3.11 or
# newer whose `python3` is on the PATH, with pip. Pin it by digest in your pipeline (--build-arg BASE=...@sha256:...): a tag can
# come to mean another image. WHEELS=local takes everything from wheels/ beside this file, for machines without a package
# index (pip wheel --wheel-dir wheels '.[kubernetes]').
ARG BASE=docker.io/library/python:3.12-slim-bookworm

FROM ${BASE} AS build
ARG WHEELS=index
WORKDIR /src
# The environment is complete in itself but for the interpreter, which both stages share.
RUN python3 -m venv --without-pip /opt/memgraph-ha
# What others wrote comes first, in a layer of its own: a change of our code downloads none of it again.
COPY pyproject.toml .
RUN if [ "${WHEELS}" != local ]; then \
      python3 -c "import tomllib; told = tomllib.load(open('pyproject.toml', 'rb')); ours = told['project']; \
        print(*ours['dependencies'], *ours['optional-dependencies']['kubernetes'], sep='\n', file=open('to-run.txt', 'w')); \
        print(*told['build-system']['requires'], sep='\n', file=open('to-build.txt', 'w'))" \
   && python3 -m pip --python /opt/memgraph-ha/bin/python3 install --no-cache-dir --requirement to-run.txt \
   && python3 -m pip install --no-cache-dir --target /opt/build --requirement to-build.txt; fi
COPY . .
RUN if [ "${WHEELS}" = local ]; then set -- --no-index --find-links=wheels 'memgraph-ha[kubernetes]'; \
    else set -- --no-index --no-deps --no-build-isolation .; fi \
 && PYTHONPATH=/opt/build python3 -m pip --python /opt/memgraph-ha/bin/python3 install --no-cache-dir "$@"

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="memgraph-ha" \
      org.opencontainers.image.description="High availability for Memgraph Community" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/memgraph-ha /opt/memgraph-ha
ENV PATH="/opt/memgraph-ha/bin:/usr/local/bin:/usr/bin:/bin" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp
# A number, so that Kubernetes can check that it is not root (runAsNonRoot).
USER 10001:10001
WORKDIR /tmp
# Gateways (read/write, read only) and the HTTP API. Readiness: GET /readyz (leads) or /livez; liveness: GET /livez.
EXPOSE 7687 7688 8080
STOPSIGNAL SIGTERM
ENTRYPOINT ["memgraph-ha"]
CMD ["run"]
