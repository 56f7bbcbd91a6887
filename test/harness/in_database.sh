#!/usr/bin/env bash
# in_database.sh COMMAND...: runs the command in an empty database of its own, as PGDATABASE, which is named for the
# first script among the words of the command. If the folder $T_LOGS is given, the output also goes to $T_LOGS/NAME.log.
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
