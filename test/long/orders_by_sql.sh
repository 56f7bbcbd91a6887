#!/usr/bin/env bash
# One end state for any order, batching and repetition of the same events, through every way into the ledger: the
# scenarios in orders by chance, and random histories, against the model.
#
# SEED=N for other orders and histories.
set -euo pipefail
. "$(dirname "$0")/../harness/long_part.sh"

seed=${SEED:-$(date +%s)}
echo "seed $seed"
build_module
private_server

# by_sql WHAT GOAL OPTION...: a database takes a part of them. The environments of all histories have the same user_ids,
# which no two have at Terra; so what asks for one would take longer with each history in the database.
by_sql() {
    local what=$1 goal=$2 part done=0 failures=0 passed failed log=$server_dir/model.log
    shift 2
    while ((done < goal)); do
        part=$((goal - done < 500 ? goal - done : 500))
        createdb by_sql
        PGDATABASE=by_sql guarded as_server_user env -C "$server_dir/project" python3 test/model/run.py \
            --seed "$seed" --histories "$part" "$@" >"$log" 2>&1 || tail -n 200 "$log"
        read -r passed failed < <(counts_of "$log")
        done=$((done + passed + failed)) failures=$((failures + failed)) seed=$((seed + 1))
        # A driver that died has said nothing, and would not say more the next time.
        ((passed > 0)) || break
        dropdb --force by_sql
    done
    result "$what" "$done" "$goal" "$failures"
}
by_sql "orders of the scenarios by SQL" "$(scaled 4000)" --scenarios
by_sql "random histories by SQL" "$(scaled 20000)"

finish
