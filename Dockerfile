# Two images for docker-compose.yml: `app`, an Erlang release without Python, and `net`, Python without Erlang.
# docs/containers.md explains them.

# Debian 12, or an image made of it that has the packages already.
ARG BASE=debian:bookworm-slim

# --- the release -------------------------------------------------------------

FROM ${BASE} AS release
RUN command -v erlc >/dev/null \
    || { apt-get update && apt-get install --yes --no-install-recommends erlang-base erlang-inets; }
WORKDIR /build
COPY erl/src erl/src
COPY scripts/app.escript scripts/
RUN mkdir -p erl/ebin hook ebin \
    && erlc -pa erl/ebin -o erl/ebin erl/src/*.erl \
    && escript scripts/app.escript erl/src erl/ebin hook
COPY docker/app.erl docker/app.app docker/release.escript ./
RUN erlc -o ebin app.erl \
    && mv app.app ebin/ \
    && escript release.escript erl/ebin ebin \
    && mkdir /release \
    && tar -xzf app.tar.gz -C /release \
    && mv /release/erts-* /release/erts

# --- users -------------------------------------------------------------------

# The same user in all containers. A new volume takes over owner and mode of the folder that it is mounted on.
FROM ${BASE} AS user
RUN useradd --system --uid 990 --user-group --home-dir / --no-create-home inetpy \
    && install --directory --owner inetpy --group inetpy --mode 0750 /run/inetpy

# --- app: no Python, no network ----------------------------------------------

FROM user AS app
COPY --from=release /release /app
ENV ROOTDIR=/app BINDIR=/app/erts/bin EMU=beam PROGNAME=erl
USER inetpy
# The variable `install` of inetpy puts the whole node on Python sockets before `app` starts.
CMD ["/app/erts/bin/erlexec", "-boot", "/app/releases/1/start", "-noshell", "-inetpy", "install", "true"]

# --- Python ------------------------------------------------------------------

FROM user AS python
RUN command -v python3 >/dev/null \
    || { apt-get update && apt-get install --yes --no-install-recommends python3 \
        && apt-get clean && rm -r /var/lib/apt/lists; }
ENV PYTHONUNBUFFERED=1
# Python as the first process of a container does not end by SIGTERM.
STOPSIGNAL SIGINT

# --- web: the server from which app downloads --------------------------------

FROM python AS web
COPY docker/www /www
USER inetpy
HEALTHCHECK --interval=1s CMD ["python3", "-c", "import socket; socket.create_connection(('127.0.0.1', 8080))"]
CMD ["python3", "-m", "http.server", "--bind", "127.0.0.1", "--directory", "/www", "8080"]

# --- net: the Python half of inetpy ------------------------------------------

FROM python AS net
COPY bridge/inetpy /usr/lib/python3/dist-packages/inetpy
USER inetpy
# A socket that a killed container left behind is not healthy: there has to be somebody who accepts.
HEALTHCHECK --interval=1s CMD ["python3", "-c", "import socket; socket.socket(socket.AF_UNIX).connect('/run/inetpy/bridge')"]
CMD ["python3", "-m", "inetpy", "serve", "unix:/run/inetpy/bridge"]
