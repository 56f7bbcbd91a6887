#!/usr/bin/env bash
# Sixteen sessions deliver random histories at once: test/t/crowds.sh at full length. A database takes a part of the
# deliveries; each part has other histories.
set -euo pipefail
. "$(dirname "$0")/../harness/long_part.sh"

build_module
private_server

sessions=16
goal=$(scaled 1000000)
seed=${SEED:-$(date +%s)}
done=0 errors=0 divergences=0
cd "$server_dir/project"
while ((done < goal)); do
    part=$((goal - done < 50000 ? goal - done : 50000))
    log=$server_dir/crowds.log
    createdb crowds
    PGDATABASE=crowds guarded as_server_user python3 test/model/crowds.py \
        --deliveries "$part" --sessions "$sessions" --seed "$seed" >"$log" 2>&1 || tail -n 200 "$log"
    counted=$(sed -nE 's/^([0-9]+) deliveries, ([0-9]+) errors, ([0-9]+) divergences$/\1 \2 \3/p' "$log")
    # A driver that died has said nothing, and would not say more the next time.
    [[ -n $counted ]] || { errors=$((errors + 1)); break; }
    read -r delivered wrong divergent <<<"$counted"
    done=$((done + delivered)) errors=$((errors + wrong)) divergences=$((divergences + divergent))
    echo "seed $seed: $counted, $(grep -o '[0-9]* times 40001.*' "$log")"
    dropdb --force crowds
    seed=$((seed + 1))
done
result "deliveries of $sessions sessions at once, errors" "$done" "$goal" "$errors"
result "deliveries of $sessions sessions at once, divergences from the model" "$done" "$goal" "$divergences"

finish
