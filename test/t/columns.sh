#!/usr/bin/env bash
# The lists of columns in the sources are those of the catalog, in its order: rows are read and written by number.
set -euo pipefail
. test/t/checks.sh

psql -Xqc 'CREATE EXTENSION terra_identity'

# in_catalog TABLE
in_catalog() {
    psql -XAtc "SELECT attname FROM pg_attribute
        WHERE attrelid = 'terra_identity.$1'::regclass AND attnum > 0 ORDER BY attnum"
}

# enumerators HEADER PREFIX: those with the prefix, without it; an alias of another one is no column.
enumerators() {
    grep -oE "^    $2[a-z_]+( = [0-9]+)?,$" "$1" | sed -E "s/^    $2//; s/( = [0-9]+)?,$//"
}

# agrees NAME TABLE LIST: < names a column that the sources miss, > one that the catalog does
agrees() {
    same "$1" "$(in_catalog "$2")" "$3"
}

agrees 'src/core/connection_columns.h lists the columns of connections' connections \
    "$(grep -oE '^    column::[A-Za-z]+\{"[a-z_]+"' src/core/connection_columns.h | sed 's/.*"\([a-z_]*\)"/\1/')"
agrees 'src/tables/event_row.h lists the columns of events' events \
    "$(enumerators src/tables/event_row.h event_)"
for relation in environment_settings environments; do
    agrees "EnvironmentColumn lists the columns of $relation" $relation \
        "$(enumerators src/tables/settings_row.h environment_)"
done
for relation in provider_settings providers; do
    agrees "ProviderColumn lists the columns of $relation" $relation \
        "$(grep '^enum ProviderColumn' src/tables/settings_row.h | grep -oE 'provider_[a-z_]+' | sed 's/^provider_//')"
done
finish
