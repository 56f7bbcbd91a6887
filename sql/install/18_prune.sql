-- Retention: what is old becomes less, or goes.

-- Which events prune need not look at again. An event_id is drawn before its transaction commits; so the event up to
-- which a prune has come is passed only by a later one that begins when all transactions of that time have ended.
CREATE TABLE terra_identity.prune_positions (
    dev_id        text PRIMARY KEY,
    event_id      bigint NOT NULL,
    next_event_id bigint NOT NULL,
    next_xid      xid8 NOT NULL
) USING heap;
COMMENT ON TABLE terra_identity.prune_positions IS
    'How far prune has come in each environment, so that it does not read the whole ledger every night. Without a row '
    'it does, once: DELETE it after you have restored events into an environment that has been pruned.';
COMMENT ON COLUMN terra_identity.prune_positions.dev_id IS 'Environment (environments.dev_id). No personal data.';
COMMENT ON COLUMN terra_identity.prune_positions.event_id IS 'The next prune looks at the events after this one';
COMMENT ON COLUMN terra_identity.prune_positions.next_event_id IS 'The last event that the last prune looked at';
COMMENT ON COLUMN terra_identity.prune_positions.next_xid IS
    'The first transaction that had not begun then: once all before it have ended, no event up to next_event_id can '
    'still appear. No personal data.';

CREATE FUNCTION terra_identity._prune_data(
    environment text, after bigint, before timestamptz, done bigint,
    OUT looked_at bigint, OUT pruned bigint, OUT last_id bigint, OUT settled_id bigint, OUT finished boolean)
    LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_prune_data';
COMMENT ON FUNCTION terra_identity._prune_data(text, bigint, timestamptz, bigint) IS
    'For prune: makes envelopes of a batch of events, those after an event_id that were received before a time. done: '
    'how many were looked at before by the same prune.';

CREATE FUNCTION terra_identity._prune_backfilled(
    environment text, before timestamptz, done bigint,
    OUT looked_at bigint, OUT pruned bigint, OUT last_id bigint, OUT settled_id bigint, OUT finished boolean)
    LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_prune_backfilled';
COMMENT ON FUNCTION terra_identity._prune_backfilled(text, timestamptz, bigint) IS
    'The same for a batch of events that are marked as backfilled.';

CREATE FUNCTION terra_identity._prune_events(
    environment text, after bigint, before timestamptz, done bigint,
    OUT looked_at bigint, OUT pruned bigint, OUT last_id bigint, OUT settled_id bigint, OUT finished boolean)
    LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_prune_events';
COMMENT ON FUNCTION terra_identity._prune_events(text, bigint, timestamptz, bigint) IS
    'For prune: deletes the events that no connection needs, of a batch of connections, those after a connection_id.';

CREATE FUNCTION terra_identity._prune_events_of_nobody(
    environment text, before timestamptz,
    OUT looked_at bigint, OUT pruned bigint, OUT last_id bigint, OUT settled_id bigint, OUT finished boolean)
    LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_prune_events_of_nobody';
COMMENT ON FUNCTION terra_identity._prune_events_of_nobody(text, timestamptz) IS
    'For prune: deletes a batch of events that name no user, or have a problem.';

-- The signed time is the first eight bytes of a digest. A signature stays as long as anybody could send the delivery
-- again; of each environment the last one stays, because it says that the environment requires signatures.
CREATE FUNCTION terra_identity._prune_signatures(environment text, now timestamptz) RETURNS bigint
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH old AS (
        SELECT s.digest FROM terra_identity.signatures s
        WHERE s.dev_id = environment
          AND s.digest < int8send(floor(extract(epoch FROM _prune_signatures.now - interval '1 day' - (
              SELECT e.signature_tolerance FROM terra_identity.environments e WHERE e.dev_id = environment)))::bigint)
          AND s.digest < (SELECT l.digest FROM terra_identity.signatures l WHERE l.dev_id = environment
                          ORDER BY l.digest DESC LIMIT 1)
          AND NOT EXISTS (SELECT FROM terra_identity.rejected r WHERE r.dev_id = environment AND r.digest = s.digest)
        LIMIT 10000),
    gone AS (
        DELETE FROM terra_identity.signatures s USING old
        WHERE s.dev_id = environment AND s.digest = old.digest RETURNING 1)
    SELECT count(*) FROM gone;
END;
COMMENT ON FUNCTION terra_identity._prune_signatures(text, timestamptz) IS
    'For prune: deletes a batch of signatures that are past the tolerance of their environment by more than a day.';

CREATE FUNCTION terra_identity._prune_rejected(environment text, before timestamptz) RETURNS bigint
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH old AS (
        SELECT r.rejected_id FROM terra_identity.rejected r
        WHERE r.dev_id = environment AND r.received_at < before LIMIT 1000),
    gone AS (
        DELETE FROM terra_identity.rejected r USING old
        WHERE r.dev_id = environment AND r.rejected_id = old.rejected_id RETURNING 1)
    SELECT count(*) FROM gone;
END;
COMMENT ON FUNCTION terra_identity._prune_rejected(text, timestamptz) IS
    'For prune: deletes a batch of rejected deliveries that were received before a time.';

CREATE FUNCTION terra_identity._prune_disconnects(environment text, before timestamptz) RETURNS bigint
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH old AS (
        SELECT d.disconnect_id FROM terra_identity.disconnects d
        WHERE d.dev_id = environment AND d.state IN ('done', 'closed') AND d.closed_at < before
        LIMIT 1000 FOR UPDATE SKIP LOCKED),
    gone AS (
        DELETE FROM terra_identity.disconnects d USING old
        WHERE d.dev_id = environment AND d.disconnect_id = old.disconnect_id RETURNING 1)
    SELECT count(*) FROM gone;
END;
COMMENT ON FUNCTION terra_identity._prune_disconnects(text, timestamptz) IS
    'For prune: deletes a batch of disconnects that were done or closed before a time.';

CREATE FUNCTION terra_identity._lock_feed(environment text) RETURNS void
    LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_lock_feed';
COMMENT ON FUNCTION terra_identity._lock_feed(text) IS
    'For prune: until the end of the transaction, nobody gives positions to the changes of an environment.';

-- A change that has no position yet no consumer has read.
CREATE FUNCTION terra_identity._prune_changes(environment text, before timestamptz) RETURNS bigint
    LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH old AS (
        SELECT c.change_id FROM terra_identity.changes c
        WHERE c.dev_id = environment AND c.changed_at < before
          AND CASE WHEN EXISTS (SELECT FROM terra_identity.consumers s WHERE s.dev_id = environment)
              THEN c.position <= (SELECT min(s.position) FROM terra_identity.consumers s WHERE s.dev_id = environment)
              ELSE true END
        ORDER BY c.change_id LIMIT 1000 FOR UPDATE SKIP LOCKED),
    gone AS (
        DELETE FROM terra_identity.changes c USING old
        WHERE c.dev_id = environment AND c.change_id = old.change_id RETURNING 1)
    SELECT count(*) FROM gone;
END;
COMMENT ON FUNCTION terra_identity._prune_changes(text, timestamptz) IS
    'For prune: deletes a batch of changes from before a time that every consumer has read.';

CREATE FUNCTION terra_identity._check_retention(argument text, older_than interval, at_least interval) RETURNS void
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT isfinite(older_than) OR older_than < at_least THEN
        RAISE EXCEPTION '% must be at least %', argument, at_least
            USING ERRCODE = 'invalid_parameter_value', DETAIL = format('It is %s.', older_than),
                  HINT = CASE WHEN at_least > interval '0' THEN 'Terra may send a delivery again for days.'
                         ELSE 'It says how old something is when it goes.' END;
    END IF;
END
$$;
COMMENT ON FUNCTION terra_identity._check_retention(text, interval, interval) IS
    'Raises an error if an argument of prune is too short.';

-- It has no search_path of its own, because a procedure that has one cannot commit: so everything is qualified.
CREATE PROCEDURE terra_identity.prune(
    older_than interval, events_older_than interval DEFAULT NULL, changes_older_than interval DEFAULT NULL,
    rejected_older_than interval DEFAULT NULL, disconnects_older_than interval DEFAULT NULL,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
    LANGUAGE plpgsql AS $$
DECLARE
    now timestamptz := pg_catalog.clock_timestamp();
    batch record;
    at record; -- the position when it begins
    may_pass boolean;
    after bigint := 0;
    settled bigint;
    done bigint := 0;
    gone bigint;
BEGIN
    IF prune.older_than IS NULL OR prune.dev_id IS NULL THEN
        RAISE EXCEPTION 'older_than and dev_id must not be null'
            USING ERRCODE = 'null_value_not_allowed',
                  HINT = 'CALL terra_identity.prune(''90 days'') drops the data that was received earlier.';
    ELSIF prune.dev_id OPERATOR(pg_catalog.=) ''
          OR pg_catalog.octet_length(prune.dev_id) OPERATOR(pg_catalog.>) 512 THEN
        RAISE EXCEPTION 'invalid dev_id'
            USING ERRCODE = 'invalid_parameter_value', DETAIL = 'A dev_id has 1 to 512 bytes.';
    ELSIF pg_catalog.current_setting('transaction_isolation')
          OPERATOR(pg_catalog.<>) ALL ('{read committed,read uncommitted}') THEN
        RAISE EXCEPTION 'prune works at READ COMMITTED only'
            USING ERRCODE = 'feature_not_supported', HINT = 'SET default_transaction_isolation = ''read committed''.';
    END IF;
    PERFORM terra_identity._check_retention('older_than', prune.older_than, '0');
    PERFORM terra_identity._check_retention('events_older_than', prune.events_older_than, '7 days');
    PERFORM terra_identity._check_retention('changes_older_than', prune.changes_older_than, '0');
    PERFORM terra_identity._check_retention('rejected_older_than', prune.rejected_older_than, '0');
    PERFORM terra_identity._check_retention('disconnects_older_than', prune.disconnects_older_than, '1 day');
    COMMIT;

    SELECT p.event_id, p.next_event_id, p.next_xid INTO at
    FROM terra_identity.prune_positions p WHERE p.dev_id OPERATOR(pg_catalog.=) prune.dev_id;
    may_pass := pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot()) OPERATOR(pg_catalog.>=) at.next_xid;
    after := coalesce(at.event_id, 0);
    settled := after;
    LOOP
        SELECT * INTO batch
        FROM terra_identity._prune_data(prune.dev_id, after, now OPERATOR(pg_catalog.-) prune.older_than, done);
        -- As long as all were old enough, the next batch may find more that are.
        IF settled OPERATOR(pg_catalog.=) after THEN
            settled := batch.settled_id;
        END IF;
        after := batch.last_id;
        done := done OPERATOR(pg_catalog.+) batch.looked_at;
        COMMIT;
        EXIT WHEN batch.finished;
    END LOOP;
    INSERT INTO terra_identity.prune_positions AS p (dev_id, event_id, next_event_id, next_xid)
    SELECT prune.dev_id, coalesce(at.event_id, 0), settled,
           pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())
    WHERE settled OPERATOR(pg_catalog.>) 0
    ON CONFLICT ON CONSTRAINT prune_positions_pkey DO UPDATE
        SET event_id = greatest(p.event_id, CASE WHEN may_pass THEN least(at.next_event_id, settled) END),
            next_event_id = excluded.next_event_id, next_xid = excluded.next_xid;
    COMMIT;

    done := 0;
    LOOP
        SELECT * INTO batch
        FROM terra_identity._prune_backfilled(prune.dev_id, now OPERATOR(pg_catalog.-) prune.older_than, done);
        done := done OPERATOR(pg_catalog.+) batch.looked_at;
        COMMIT;
        EXIT WHEN batch.finished;
    END LOOP;

    LOOP
        gone := terra_identity._prune_signatures(prune.dev_id, now);
        COMMIT;
        EXIT WHEN gone OPERATOR(pg_catalog.=) 0;
    END LOOP;

    WHILE prune.rejected_older_than IS NOT NULL LOOP
        gone := terra_identity._prune_rejected(prune.dev_id, now OPERATOR(pg_catalog.-) prune.rejected_older_than);
        COMMIT;
        EXIT WHEN gone OPERATOR(pg_catalog.=) 0;
    END LOOP;

    WHILE prune.changes_older_than IS NOT NULL LOOP
        PERFORM terra_identity._lock_feed(prune.dev_id);
        gone := terra_identity._prune_changes(prune.dev_id, now OPERATOR(pg_catalog.-) prune.changes_older_than);
        COMMIT;
        EXIT WHEN gone OPERATOR(pg_catalog.=) 0;
    END LOOP;

    WHILE prune.disconnects_older_than IS NOT NULL LOOP
        gone := terra_identity._prune_disconnects(
            prune.dev_id, now OPERATOR(pg_catalog.-) prune.disconnects_older_than);
        COMMIT;
        EXIT WHEN gone OPERATOR(pg_catalog.=) 0;
    END LOOP;

    after := 0;
    done := 0;
    WHILE prune.events_older_than IS NOT NULL LOOP
        SELECT * INTO batch FROM terra_identity._prune_events(
            prune.dev_id, after, now OPERATOR(pg_catalog.-) prune.events_older_than, done);
        after := batch.last_id;
        done := done OPERATOR(pg_catalog.+) batch.looked_at;
        COMMIT;
        EXIT WHEN batch.finished;
    END LOOP;
    WHILE prune.events_older_than IS NOT NULL LOOP
        SELECT * INTO batch FROM terra_identity._prune_events_of_nobody(
            prune.dev_id, now OPERATOR(pg_catalog.-) prune.events_older_than);
        COMMIT;
        EXIT WHEN batch.finished;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE terra_identity.prune(interval, interval, interval, interval, interval, text) IS
    'Drops what is old, in an environment. older_than: of the events that were received earlier, except identity '
    'events, payload and headers become the envelope, which is what the rules read of them. This changes no '
    'connection, and neither explain, reference_history, freshness, contradictions nor what rebuild() derives; a retry '
    'is still a duplicate. The other arguments are null by default, and then nothing goes: events_older_than (at least '
    '7 days): deletes the same events, but for the few that their connections, explain and freshness need; then they '
    'are counted nowhere, and if Terra sends one again it is stored again, which changes nothing. changes_older_than: '
    'changes that every consumer of the environment has read; all if it has none. rejected_older_than: rejected '
    'deliveries. disconnects_older_than (at least 1 day): those that are done or closed. Always: signatures that are '
    'past environments.signature_tolerance by more than a day; if it is null they stay. It works in batches and '
    'commits after each: so call it outside of a transaction. It keeps no writer waiting, can be cancelled, and called '
    'again: it goes on where it was. Every few seconds it tells how far it is (INFO; the setting '
    'terra_identity.progress silences it). The space is used again after VACUUM. Errors: 22004 if older_than or dev_id '
    'is null; 22023 if an argument is too short, or dev_id is none; 0A000 above READ COMMITTED; 2D000 in a '
    'transaction.';
