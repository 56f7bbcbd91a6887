-- prune: what is old becomes less, or goes, and no connection changes. test/t/prune.sh has cancels, dumps and sizes.
SET terra_identity.dev_id = 'prune';
SET timezone = 'UTC';
SET datestyle = 'ISO';
\set SHOW_CONTEXT never

-- What must not change.
CREATE VIEW pg_temp.state AS
SELECT 'connections' AS what, to_jsonb(c) AS row FROM terra_identity.connections c WHERE c.dev_id LIKE 'prune%'
UNION ALL SELECT 'reauths', to_jsonb(r) FROM terra_identity.reauths r WHERE r.dev_id LIKE 'prune%'
UNION ALL SELECT 'freshness', to_jsonb(f) - 'silence' FROM terra_identity.freshness f WHERE f.dev_id LIKE 'prune%'
UNION ALL SELECT 'current_connections', to_jsonb(v) FROM terra_identity.current_connections v WHERE v.dev_id LIKE 'prune%'
UNION ALL SELECT 'neighbours', to_jsonb(n) FROM terra_identity.account_neighbours n WHERE n.dev_id LIKE 'prune%'
UNION ALL SELECT 'policy', to_jsonb(p) FROM terra_identity.policy_evidence p WHERE p.dev_id LIKE 'prune%'
UNION ALL SELECT 'explain', to_jsonb(e) FROM terra_identity.connections c, terra_identity.explain(c.user_id, c.dev_id) e WHERE c.dev_id LIKE 'prune%'
UNION ALL SELECT 'history', to_jsonb(h) FROM terra_identity.connections c, terra_identity.reference_history(c.user_id, c.dev_id) h WHERE c.dev_id LIKE 'prune%'
UNION ALL SELECT 'contradictions', to_jsonb(c) - 'count' FROM terra_identity.contradictions c WHERE c.dev_id LIKE 'prune%'
UNION ALL SELECT 'verify', to_jsonb(v) FROM terra_identity.verify('prune') v;
CREATE TEMP TABLE noted AS TABLE pg_temp.state;
CREATE PROCEDURE pg_temp.note_state() LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM pg_temp.noted;
    INSERT INTO pg_temp.noted TABLE pg_temp.state;
END $$;
CREATE FUNCTION pg_temp.changed() RETURNS TABLE (change text, what text, "row" jsonb) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT 'gone', g.* FROM (TABLE pg_temp.noted EXCEPT ALL TABLE pg_temp.state) g;
    RETURN QUERY SELECT 'new', n.* FROM (TABLE pg_temp.state EXCEPT ALL TABLE pg_temp.noted) n;
END $$;
CREATE FUNCTION pg_temp.body(type text, user_id text, reference_id text DEFAULT 'ann', provider text DEFAULT 'OURA') RETURNS jsonb LANGUAGE sql
    RETURN jsonb_build_object('type', type, 'status', 'success', 'data', '[{"heart_rate": 61}]'::jsonb, 'version', '2022',
        'user', jsonb_build_object('user_id', user_id, 'provider', provider, 'reference_id', reference_id, 'scopes', 'daily', 'email', 'ann@example.com'));
-- Times are relative to now, as those of prune are.
CREATE FUNCTION pg_temp.days_ago(days numeric) RETURNS timestamptz LANGUAGE sql STABLE RETURN date_trunc('day', now()) - days * interval '1 day';
CREATE FUNCTION pg_temp.sizes() RETURNS TABLE (events bigint, with_data bigint, with_headers bigint, backfilled bigint, deliveries bigint) LANGUAGE sql
    BEGIN ATOMIC
    SELECT count(*), count(*) FILTER (WHERE payload ? 'data'), count(headers), count(e.backfilled),
           (SELECT count(*) FROM terra_identity.deliveries d WHERE d.dev_id = 'prune')
    FROM terra_identity.events e WHERE e.dev_id = 'prune';
    END;

--
-- 1. People, and what they sent in the last year
--
INSERT INTO terra_identity.events (received_at, payload, headers)
SELECT pg_temp.days_ago(days), payload || extra,
       jsonb_build_object('X-Terra-Trace-Id', payload ->> 'type' || ' ' || days, 'Authorization', 'secret')
FROM (VALUES
    (360, pg_temp.body('auth', 'ann 1'), '{}'::jsonb), (359, pg_temp.body('athlete', 'ann 1'), '{"athlete": {"provider_user_id": "watch", "first_name": "Ann"}}'),
    (300, pg_temp.body('auth', 'ben 1', 'ben'), '{}'), (299, pg_temp.body('athlete', 'ben 1', 'ben'), '{"athlete": {"provider_user_id": "watch"}}'),
    (250, pg_temp.body('deauth', 'ben 1', 'ben'), '{}'), (200, pg_temp.body('connection_error', 'ann 1'), '{}'),
    (150, '{"type": "user_reauth"}', jsonb_build_object('old_user', pg_temp.body('', 'ann 1') -> 'user', 'new_user', pg_temp.body('', 'ann 2') -> 'user'))
    ) e (days, payload, extra);
-- Data of every day, from before the auth on, of ann and of ben; cleo is only seen in passing, and once with another
-- reference_id; dan names other end users than his auth did.
INSERT INTO terra_identity.events (received_at, payload, headers)
SELECT pg_temp.days_ago(day), pg_temp.body(type, CASE WHEN name = 'ann' AND day < 150 THEN 'ann 2' ELSE name || ' 1' END, name),
       jsonb_build_object('x-terra-trace-id', concat_ws(' ', name, type, day), 'x-terra-ordering-timestamp', extract(epoch FROM pg_temp.days_ago(day + 0.5))::bigint * 1000)
FROM generate_series(365, 1, -1) day, unnest('{ann,ben,cleo}'::text[]) name, unnest('{daily,sleep,large_request_processing}'::text[]) type;
INSERT INTO terra_identity.events (received_at, payload) VALUES
    (pg_temp.days_ago(500), pg_temp.body('body', 'cleo 1', 'cleopatra')),
    (pg_temp.days_ago(400), jsonb_set(pg_temp.body('body', 'cleo 1', NULL), '{user,created_at}', '"2020-01-01T00:00:00Z"')),
    (pg_temp.days_ago(200), pg_temp.body('auth', 'dan 1', 'dan'));
INSERT INTO terra_identity.events (received_at, payload) VALUES
    (pg_temp.days_ago(199), pg_temp.body('daily', 'dan 1', 'eve')),
    (pg_temp.days_ago(198), pg_temp.body('daily', 'dan 1', 'eve')), (pg_temp.days_ago(197), pg_temp.body('daily', 'dan 1', 'fay')),
    (pg_temp.days_ago(196), pg_temp.body('daily', 'dan 1', 'dan')), (pg_temp.days_ago(195), pg_temp.body('daily', 'dan 1', 'eve'));
-- What is no data of anybody: a problem, an event of nobody, and what people entered.
INSERT INTO terra_identity.events (received_at, payload) VALUES
    (pg_temp.days_ago(100), '{"type": "daily", "user": {"user_id": 5, "email": "ann@example.com"}, "data": [1]}'), (pg_temp.days_ago(100), '["ann@example.com"]'),
    (pg_temp.days_ago(100), '{"type": "lab_report.completed", "reference_id": "ann", "data": [1]}'), (pg_temp.days_ago(100), '{"type": "deauth", "data": [1]}');
SELECT count(*) FROM terra_identity.import_users(jsonb_build_object('users', jsonb_build_array(pg_temp.body('', 'imported') -> 'user')), now() - interval '100 days');
SELECT terra_identity.correct('ann 2', 'active', 'she said so') > 0 AS corrected;
INSERT INTO terra_identity.events (payload, headers) VALUES (pg_temp.body('daily', 'ann 2'), '{"x-terra-trace-id": "now"}');
SELECT * FROM pg_temp.sizes();
CALL pg_temp.note_state();
SELECT what, count(*) FROM pg_temp.noted GROUP BY 1 ORDER BY 1;

--
-- 2. Data that is older than 90 days
--
CALL terra_identity.prune('90 days');
SELECT * FROM pg_temp.sizes();
SELECT * FROM pg_temp.changed();
-- Of data that was received earlier none is left, and all that came later is.
SELECT received_at < now() - interval '90 days' AS old, event_type, payload ? 'data' AS with_data, headers IS NOT NULL AS with_headers, count(*)
FROM terra_identity.events WHERE dev_id = 'prune' GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4;
SELECT payload, headers - 'x-terra-ordering-timestamp' AS headers FROM terra_identity.events
WHERE dev_id = 'prune' AND (user_id = 'cleo 1' AND event_type = 'body' OR problem IS NOT NULL OR trace_id IN ('ann daily 364', 'athlete 359')) ORDER BY event_id;
-- A late retry is still a repeated delivery.
INSERT INTO terra_identity.events (payload, headers)
SELECT pg_temp.body('daily', 'ann 1'), '{"x-terra-trace-id": "ann daily 364"}' RETURNING 'stored';
SELECT outcome FROM terra_identity.ingest(pg_temp.body('sleep', 'ben 1', 'ben')::text, '{"x-terra-trace-id": "ben sleep 300"}', 'prune');
-- Again: nothing is left to do.
CREATE TEMP TABLE versions AS SELECT event_id, xmin::text AS version FROM terra_identity.events WHERE dev_id = 'prune';
CALL terra_identity.prune('90 days');
SELECT count(*) FROM (TABLE versions EXCEPT SELECT event_id, xmin::text FROM terra_identity.events) v;
-- Other environments keep theirs.
INSERT INTO terra_identity.events (dev_id, received_at, payload) VALUES ('prune not', pg_temp.days_ago(300), pg_temp.body('daily', 'ann 1'));
CALL terra_identity.prune('0');
SELECT * FROM pg_temp.sizes();
SELECT payload ? 'data' FROM terra_identity.events WHERE dev_id = 'prune not';
SELECT * FROM pg_temp.changed() WHERE row ->> 'dev_id' <> 'prune not' AND what NOT IN ('explain', 'history');
SELECT terra_identity.rebuild();

--
-- 3. Events that come late, in any order
--
-- The last prune has come to the end of the ledger. These were received earlier than those before them.
INSERT INTO terra_identity.events (received_at, payload) VALUES
    (pg_temp.days_ago(50), pg_temp.body('daily', 'late')), (now() + interval '10 years', pg_temp.body('daily', 'late')),
    (pg_temp.days_ago(400), pg_temp.body('daily', 'late')), (now(), pg_temp.body('daily', 'late')), (pg_temp.days_ago(5), pg_temp.body('daily', 'late'));
CALL terra_identity.prune('30 days');
SELECT payload ? 'data' AS with_data, backfilled FROM terra_identity.events WHERE dev_id = 'prune' AND user_id = 'late' ORDER BY event_id;
CALL terra_identity.prune('0');
SELECT payload ? 'data' AS with_data, backfilled FROM terra_identity.events WHERE dev_id = 'prune' AND user_id = 'late' ORDER BY event_id;
-- It does not read the whole ledger again. Events that were received in their turn, more than a day ago, as a dump brings
-- them: the second prune passes those that the first has come to.
CREATE FUNCTION pg_temp.restore(dev_id text, ids int[]) RETURNS void LANGUAGE sql BEGIN ATOMIC
    INSERT INTO terra_identity.events (event_id, dev_id, received_at, event_time, payload, event_type, user_id) OVERRIDING SYSTEM VALUE
    SELECT id, dev_id, pg_temp.days_ago(300 - id / 10.0), pg_temp.days_ago(300 - id / 10.0), pg_temp.body('daily', 'restored'), 'daily', 'restored' FROM unnest(ids) id;
END;
SELECT pg_temp.restore('prune restored', array_agg(id)) FROM generate_series(2, 2000) id;
CALL terra_identity.prune('90 days', dev_id => 'prune restored');
SELECT event_id, next_event_id FROM terra_identity.prune_positions WHERE dev_id = 'prune restored';
CALL terra_identity.prune('200 days', dev_id => 'prune restored');
SELECT event_id BETWEEN 985 AND 1015 AS is_half_way, next_event_id = event_id AS and_next FROM terra_identity.prune_positions WHERE dev_id = 'prune restored'; -- event 1000 is 200 days old, give or take the time of the day
CALL terra_identity.prune('90 days', dev_id => 'prune restored');
CALL terra_identity.prune('90 days', dev_id => 'prune restored');
SELECT event_id, next_event_id FROM terra_identity.prune_positions WHERE dev_id = 'prune restored';
SELECT count(*), count(*) FILTER (WHERE payload ? 'data') AS with_data, max(event_id) FILTER (WHERE NOT payload ? 'data') AS last FROM terra_identity.events WHERE dev_id = 'prune restored';
-- What is restored behind that, it finds when its position is deleted.
SELECT pg_temp.restore('prune restored', '{1}');
CALL terra_identity.prune('90 days', dev_id => 'prune restored');
SELECT payload ? 'data' AS with_data FROM terra_identity.events WHERE dev_id = 'prune restored' AND event_id = 1;
DELETE FROM terra_identity.prune_positions WHERE dev_id = 'prune restored';
CALL terra_identity.prune('90 days', dev_id => 'prune restored');
SELECT payload ? 'data' AS with_data FROM terra_identity.events WHERE dev_id = 'prune restored' AND event_id = 1;

-- Deliveries take their numbers and their times in another order when they are many: one that is not old yet does not
-- hide one that is.
INSERT INTO terra_identity.events (event_id, dev_id, received_at, event_time, payload, event_type, user_id) OVERRIDING SYSTEM VALUE
SELECT id, 'prune disorder', now() - interval '90 days' + later, now() - interval '90 days' + later, pg_temp.body('daily', 'disorder'), 'daily', 'disorder' FROM (VALUES (1, interval '30 minutes'), (2, '-30 minutes')) v (id, later);
CALL terra_identity.prune('90 days', dev_id => 'prune disorder');
SELECT event_id, payload ? 'data' AS with_data FROM terra_identity.events WHERE dev_id = 'prune disorder' ORDER BY 1;

--
-- 4. Events that nothing needs
--
CALL pg_temp.note_state();
CALL terra_identity.prune('90 days', events_older_than => '90 days');
SELECT * FROM pg_temp.changed();
SELECT * FROM pg_temp.sizes();
-- What is left of old data: the first and the last of each type, and what is the only one to say something.
SELECT user_id, event_type, reference_id, date_trunc('day', now())::date - received_at::date AS days_ago, disputes_reference FROM terra_identity.events
WHERE dev_id = 'prune' AND received_at < now() - interval '90 days' AND event_type IN ('daily', 'body') ORDER BY 1, 2, 4 DESC;
SELECT event_type, problem FROM terra_identity.events WHERE dev_id = 'prune' AND (problem IS NOT NULL OR user_id IS NULL) ORDER BY event_id;
SELECT terra_identity.rebuild();
-- What Terra sends again is stored again, and changes nothing.
INSERT INTO terra_identity.events (received_at, payload, headers)
SELECT pg_temp.days_ago(0.1), pg_temp.body('daily', 'ben 1', 'ben'), jsonb_build_object('x-terra-trace-id', 'ben daily 200', 'x-terra-ordering-timestamp', extract(epoch FROM pg_temp.days_ago(200.5))::bigint * 1000)
RETURNING contributes;
SELECT * FROM pg_temp.changed();
CALL terra_identity.prune('90 days', events_older_than => '90 days');
SELECT * FROM pg_temp.changed();

--
-- 5. The other tables
--
INSERT INTO terra_identity.environments (dev_id, on_duplicate) VALUES ('prune rest', 'disconnect_older');
SELECT terra_identity.set_signing_secret('of prune', NULL, 'prune rest') > 0 AS set;
-- (The digests are of the form that ingest writes: the signed time comes first.)
INSERT INTO terra_identity.signatures (dev_id, digest, event_id)
SELECT 'prune rest', int8send(extract(epoch FROM now() - hours * interval '1 hour')::bigint) || int8send(hours), 0 FROM unnest('{0,12,47,50,100,1000}'::int[]) hours;
INSERT INTO terra_identity.rejected (dev_id, received_at, body, reason, digest)
SELECT 'prune rest', now(), 'cut', 'cut', int8send(extract(epoch FROM now() - interval '100 hours')::bigint) || int8send(100);
INSERT INTO terra_identity.rejected (dev_id, received_at, body, reason) SELECT 'prune rest', pg_temp.days_ago(days), 'cut ' || days::text::bytea, 'cut' FROM unnest('{10,20,40}'::int[]) days;
INSERT INTO terra_identity.events (dev_id, payload) SELECT 'prune rest', p FROM unnest(ARRAY[
    pg_temp.body('auth', 'one'), pg_temp.body('athlete', 'one') || '{"athlete": {"provider_user_id": "shared"}}',
    pg_temp.body('auth', 'two', 'ben'), pg_temp.body('athlete', 'two', 'ben') || '{"athlete": {"provider_user_id": "shared"}}']) p;
SELECT user_id, state FROM terra_identity.disconnects WHERE dev_id = 'prune rest';
INSERT INTO terra_identity.disconnects (dev_id, user_id, lineage_id, provider, provider_user_id, on_duplicate, requested_at, state, next_attempt_at, closed_at)
SELECT 'prune rest', 'old ' || days, 0, 'OURA', 'x', 'disconnect_older', now(), state, now(), CASE state WHEN 'queued' THEN NULL ELSE pg_temp.days_ago(days) END
FROM (VALUES (40, 'done'), (40, 'closed'), (10, 'done'), (400, 'queued')) d (days, state);
CREATE FUNCTION pg_temp.rest() RETURNS TABLE (signatures bigint, rejected bigint, disconnects text, changes bigint) LANGUAGE sql
    BEGIN ATOMIC
    SELECT (SELECT count(*) FROM terra_identity.signatures WHERE dev_id = 'prune rest'), (SELECT count(*) FROM terra_identity.rejected WHERE dev_id = 'prune rest'),
           (SELECT string_agg(user_id || ' ' || state, ', ' ORDER BY user_id, state) FROM terra_identity.disconnects WHERE dev_id = 'prune rest'),
           (SELECT count(*) FROM terra_identity.changes WHERE dev_id = 'prune rest');
    END;
SELECT * FROM pg_temp.rest();
-- Without more arguments only signatures go: those that nobody could send again, but not the last one, nor that of a
-- rejected delivery.
CALL terra_identity.prune('90 days', dev_id => 'prune rest');
SELECT * FROM pg_temp.rest();
SELECT round(extract(epoch FROM now()) / 3600 - ('x' || encode(substr(digest, 1, 8), 'hex'))::bit(64)::bigint / 3600.0) AS hours FROM terra_identity.signatures WHERE dev_id = 'prune rest' ORDER BY 1;
UPDATE terra_identity.environments SET signature_tolerance = '5 minutes' WHERE dev_id = 'prune rest';
UPDATE terra_identity.rejected SET digest = NULL WHERE dev_id = 'prune rest';
CALL terra_identity.prune('90 days', rejected_older_than => '30 days', disconnects_older_than => '30 days', dev_id => 'prune rest');
SELECT * FROM pg_temp.rest();
UPDATE terra_identity.environments SET signature_tolerance = NULL WHERE dev_id = 'prune rest';
INSERT INTO terra_identity.signatures (dev_id, digest, event_id) VALUES ('prune rest', int8send(5) || int8send(5), 0);
CALL terra_identity.prune('0', rejected_older_than => '0', disconnects_older_than => '1 day', dev_id => 'prune rest');
SELECT * FROM pg_temp.rest();
-- Changes: what every consumer has read; without one, all.
SELECT change_id IS NOT NULL AS read FROM terra_identity.read_changes('fast', 3, 'prune rest');
SELECT terra_identity.commit_changes('fast', (SELECT max(position) FROM terra_identity.changes WHERE dev_id = 'prune rest'), 'prune rest') > 0 AS done;
CALL terra_identity.prune('90 days', changes_older_than => '1 hour', dev_id => 'prune rest');
SELECT changes FROM pg_temp.rest();
INSERT INTO terra_identity.consumers VALUES ('prune rest', 'slow', 0, now());
CALL terra_identity.prune('90 days', changes_older_than => '0', dev_id => 'prune rest');
SELECT changes FROM pg_temp.rest();
DELETE FROM terra_identity.consumers WHERE consumer = 'slow';
CALL terra_identity.prune('90 days', changes_older_than => '0', dev_id => 'prune rest');
SELECT changes FROM pg_temp.rest();
-- The consumer goes on with what it has not read.
SELECT kind, user_id FROM terra_identity.read_changes('fast', 100, 'prune rest');
DELETE FROM terra_identity.consumers WHERE dev_id = 'prune rest';
CALL terra_identity.prune('90 days', changes_older_than => '0', dev_id => 'prune rest');
SELECT changes FROM pg_temp.rest();

--
-- 6. What is refused
--
CALL terra_identity.prune(NULL);
CALL terra_identity.prune('-1 day');
CALL terra_identity.prune('90 days', '6 days');
CALL terra_identity.prune('90 days', changes_older_than => '-1 s');
CALL terra_identity.prune('90 days', rejected_older_than => '-1 s');
CALL terra_identity.prune('90 days', disconnects_older_than => '23 hours');
CALL terra_identity.prune('90 days', dev_id => NULL);
CALL terra_identity.prune('90 days', dev_id => '');
BEGIN;
CALL terra_identity.prune('90 days');
ROLLBACK;
SET default_transaction_isolation = 'repeatable read';
CALL terra_identity.prune('90 days');
RESET default_transaction_isolation;
-- Nobody else than prune changes the ledger.
UPDATE terra_identity.events SET payload = '{}' WHERE dev_id = 'prune';
DELETE FROM terra_identity.events WHERE dev_id = 'prune';
-- A role that was granted nothing cannot prune, and neither can one that reads.
CREATE ROLE prune_reader;
SELECT terra_identity.grant_reader('prune_reader');
SET ROLE prune_reader;
CALL terra_identity.prune('0');
SELECT * FROM terra_identity._prune_data('prune', 0, now(), 0);
SELECT * FROM terra_identity._prune_events('prune', 0, now(), 0);
RESET ROLE;
-- Who is granted the procedure, but not what it calls, cannot, either.
GRANT EXECUTE ON PROCEDURE terra_identity.prune TO prune_reader;
SET ROLE prune_reader;
CALL terra_identity.prune('0');
RESET ROLE;
DROP OWNED BY prune_reader;
DROP ROLE prune_reader;
-- A search_path of the caller's changes nothing.
CREATE SCHEMA prune_hostile;
CREATE FUNCTION prune_hostile.caught(timestamptz, interval) RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE 'caught'; END $$;
CREATE OPERATOR prune_hostile.- (LEFTARG = timestamptz, RIGHTARG = interval, FUNCTION = prune_hostile.caught);
CREATE FUNCTION prune_hostile.caught(bigint, bigint) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE 'caught'; END $$;
CREATE OPERATOR prune_hostile.+ (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = prune_hostile.caught);
CREATE FUNCTION prune_hostile.caught_same(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'caught'; END $$;
CREATE OPERATOR prune_hostile.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = prune_hostile.caught_same);
CREATE FUNCTION prune_hostile.caught(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'caught'; END $$;
CREATE OPERATOR prune_hostile.= (LEFTARG = text, RIGHTARG = text, FUNCTION = prune_hostile.caught);
SET search_path = prune_hostile, pg_catalog;
CALL terra_identity.prune('90 days', '90 days', '90 days', '90 days', '90 days', 'prune rest');
RESET search_path;
DROP SCHEMA prune_hostile CASCADE;

--
-- 7. Triggers and columns of the owner
--
ALTER TABLE terra_identity.events ADD note text DEFAULT 'mine';
CREATE FUNCTION pg_temp.keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON terra_identity.events FOR EACH ROW WHEN (old.user_id = 'kept') EXECUTE FUNCTION pg_temp.keep();
INSERT INTO terra_identity.events (received_at, payload) SELECT pg_temp.days_ago(400 - n), pg_temp.body('daily', CASE n % 2 WHEN 0 THEN 'kept' ELSE 'not kept' END) FROM generate_series(1, 10) n;
CALL terra_identity.prune('90 days', events_older_than => '90 days');
SELECT user_id, count(*), count(*) FILTER (WHERE payload ? 'data') AS with_data, min(note) FROM terra_identity.events WHERE dev_id = 'prune' AND user_id LIKE '%kept' GROUP BY 1 ORDER BY 1;
DROP TRIGGER keep ON terra_identity.events;
ALTER TABLE terra_identity.events DROP note;
SELECT terra_identity.rebuild();

DELETE FROM terra_identity.environments WHERE dev_id LIKE 'prune%';
