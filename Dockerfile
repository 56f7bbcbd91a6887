# The official image of PostgreSQL with terra_identity in it; no database has it before CREATE EXTENSION. Untried: where
# this was written, no Docker engine ran. test/t/dockerfile.sh checks what it copies, installs and runs.
#   docker build --build-arg PG=17 --tag postgres-terra-identity .
ARG PG=17

FROM postgres:$PG-bookworm AS build
RUN apt-get update && \
    apt-get install -y --no-install-recommends g++ make nlohmann-json3-dev postgresql-server-dev-$PG_MAJOR
WORKDIR /terra_identity
COPY Makefile terra_identity.control ./
COPY sql ./sql
COPY src ./src
COPY test/harness ./test/harness
RUN make -j"$(nproc)" install DESTDIR=/installed PG_CONFIG=/usr/lib/postgresql/$PG_MAJOR/bin/pg_config

FROM postgres:$PG-bookworm
COPY --from=build /installed/ /
