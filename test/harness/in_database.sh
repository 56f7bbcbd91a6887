#!/usr/bin/env bash
# in_database.sh COMMAND...: the command, in an empty database of its own as PGDATABASE, named for the first script
# among its words. What it says is left in $T_LOGS/NAME.log too, if that folder is given.
set -euo pipefail

for word; do
    if [[ $word == *.sh || $word == *.py ]]; then
        name=${word#test/}
        name=${name%.*}
        break
    fi
done
export PGDATABASE=${name//\//_}
createdb "$PGDATABASE"
if [[ -z ${T_LOGS:-} ]]; then
    exec "$@"
fi
"$@" 2>&1 | tee "$T_LOGS/${name##*/}.log"
