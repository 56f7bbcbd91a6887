-- disconnects: which duplicates are queued to be deauthenticated at Terra, whatever comes in which order; the workers'
-- functions; and that nothing is left to do where nothing is to be done.
SET terra_identity.dev_id = 'disconnects';
SET timezone = 'UTC';
\set SHOW_CONTEXT never

CREATE FUNCTION pg_temp.at(day int) RETURNS timestamptz LANGUAGE sql RETURN timestamptz '2026-03-01 00:00Z' + day * interval '1 day';
CREATE FUNCTION pg_temp.said(type text, user_id text, reference_id text, account text, created int, provider text) RETURNS jsonb LANGUAGE sql
    RETURN jsonb_strip_nulls(jsonb_build_object('type', type, 'status', CASE type WHEN 'auth' THEN 'success' END,
        'user', jsonb_build_object('user_id', user_id, 'provider', provider, 'reference_id', reference_id, 'created_at', pg_temp.at(created)),
        'athlete', CASE type WHEN 'athlete' THEN jsonb_build_object('provider_user_id', account) END));
-- An auth and an athlete of an account.
CREATE FUNCTION pg_temp.connects(day int, user_id text, reference_id text, account text, provider text DEFAULT 'GARMIN') RETURNS void LANGUAGE sql
    BEGIN ATOMIC INSERT INTO terra_identity.events (received_at, payload)
        SELECT pg_temp.at(day), pg_temp.said(type, user_id, reference_id, account, day, provider) FROM unnest('{auth,athlete}'::text[]) type; END;
CREATE FUNCTION pg_temp.ends(day int, user_id text) RETURNS void LANGUAGE sql
    BEGIN ATOMIC INSERT INTO terra_identity.events (received_at, payload) VALUES (pg_temp.at(day), pg_temp.said('deauth', user_id, NULL, NULL, NULL, 'GARMIN')); END;
CREATE FUNCTION pg_temp.rule(on_duplicate text) RETURNS void LANGUAGE sql
    BEGIN ATOMIC UPDATE terra_identity.environments e SET on_duplicate = rule.on_duplicate WHERE dev_id = 'disconnects'; END;
-- The rows of an account, and whether the state is what the ledger says.
CREATE FUNCTION pg_temp.rows(account text) RETURNS TABLE (user_id text, state text, closed_because text, verified boolean) LANGUAGE sql AS $$
    SELECT d.user_id, d.state, d.closed_because, NOT EXISTS (SELECT FROM terra_identity.verify())
    FROM terra_identity.disconnects d WHERE d.dev_id = 'disconnects' AND d.provider_user_id = account ORDER BY d.disconnect_id
$$;
CREATE FUNCTION pg_temp.id(_user_id text) RETURNS bigint LANGUAGE sql
    RETURN (SELECT max(disconnect_id) FROM terra_identity.disconnects WHERE dev_id = 'disconnects' AND user_id = _user_id);
-- Makes whatever waits for a lease or a back-off due.
CREATE FUNCTION pg_temp.time_passes() RETURNS void LANGUAGE sql
    BEGIN ATOMIC UPDATE terra_identity.disconnects SET next_attempt_at = next_attempt_at - interval '2 hours' WHERE dev_id = 'disconnects'; END;

--
-- 1. The rule: report by default; edited, it holds for the duplicates that there are
--
SELECT pg_temp.connects(1, 'ann 1', 'ann', 'watch'), pg_temp.connects(2, 'bob 1', 'bob', 'watch');
SELECT * FROM pg_temp.rows('watch');
INSERT INTO terra_identity.environments (dev_id, on_duplicate) VALUES ('disconnects', 'disconnect_older');
SELECT user_id, reference_id, provider, provider_user_id, on_duplicate, event_id, state, attempts, taken_by, last_error, last_of_account, other_user_ids, closed_at,
       lineage_id = terra_identity.lineage_of(user_id) AS lineage, requested_at = next_attempt_at AND now() - requested_at < '1 minute' AS due_now
FROM terra_identity.disconnects WHERE dev_id = 'disconnects';
-- A third: the second goes, too, and the event says why. What is queued is not queued again.
SELECT pg_temp.connects(3, 'cid 1', 'cid', 'watch');
SELECT d.user_id, d.state, e.event_type, e.user_id AS because_of FROM terra_identity.disconnects d LEFT JOIN terra_identity.events e USING (dev_id, event_id) WHERE dev_id = 'disconnects' ORDER BY disconnect_id;
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('disconnects', 'keep');
SELECT on_duplicate FROM terra_identity.environments WHERE dev_id = 'disconnects';
SELECT pg_temp.rule('disconnect_older'), pg_temp.connects(3, 'cid 1', 'cid', 'watch');
SELECT * FROM pg_temp.rows('watch');
-- The other way round; back; and nothing.
SELECT pg_temp.rule('disconnect_newer');
SELECT * FROM pg_temp.rows('watch');
SELECT pg_temp.rule('report');
SELECT * FROM pg_temp.rows('watch') WHERE state <> 'closed';
\set VERBOSITY terse
UPDATE terra_identity.environments SET on_duplicate = 'disconnect' WHERE dev_id = 'disconnects';
UPDATE terra_identity.environments SET on_duplicate = NULL WHERE dev_id = 'disconnects';
\set VERBOSITY default
-- What would follow, before it does.
SELECT pg_temp.rule('disconnect_older');
SELECT user_id, sentence FROM terra_identity.would_duplicate('GARMIN', 'watch', 'dan') ORDER BY 1;
SELECT pg_temp.rule('disconnect_newer');
SELECT user_id, sentence FROM terra_identity.would_duplicate('GARMIN', 'watch', 'dan') ORDER BY 1 LIMIT 1;
SELECT pg_temp.rule('report');
-- Under replace there are no duplicates; the edit of the policy closes what was queued.
SELECT pg_temp.rule('disconnect_older');
UPDATE terra_identity.environments SET account_policy = 'replace' WHERE dev_id = 'disconnects';
SELECT user_id, closed_because FROM pg_temp.rows('watch') WHERE user_id <> 'cid 1' ORDER BY 1, 2;
UPDATE terra_identity.environments SET account_policy = 'keep' WHERE dev_id = 'disconnects';
SELECT user_id FROM pg_temp.rows('watch') WHERE state = 'queued' ORDER BY 1;
DELETE FROM terra_identity.environments WHERE dev_id = 'disconnects';
SELECT count(*) FROM pg_temp.rows('watch') WHERE state = 'queued';
DELETE FROM terra_identity.disconnects WHERE dev_id = 'disconnects';

--
-- 2. Whatever comes first
--
SELECT pg_temp.rule('disconnect_older');
INSERT INTO terra_identity.environments (dev_id, on_duplicate) VALUES ('disconnects', 'disconnect_older');
-- The older one becomes known later.
SELECT pg_temp.connects(2, 'dan 1', 'dan', 'ring'), pg_temp.connects(1, 'eve 1', 'eve', 'ring');
SELECT * FROM pg_temp.rows('ring');
-- One turns out to be the older one after all.
INSERT INTO terra_identity.events (received_at, payload) VALUES (pg_temp.at(4), pg_temp.said('permission_change', 'dan 1', 'dan', NULL, 0, 'GARMIN'));
SELECT * FROM pg_temp.rows('ring');
-- It ends before a worker comes; the other side of a duplicate ends; both are of one person after all.
SELECT pg_temp.ends(5, 'dan 1');
SELECT * FROM pg_temp.rows('ring');
SELECT pg_temp.connects(1, 'dan 2', 'dan', 'ring 2'), pg_temp.connects(2, 'eve 2', 'eve', 'ring 2'), pg_temp.ends(5, 'eve 2');
SELECT * FROM pg_temp.rows('ring 2');
SELECT pg_temp.connects(1, 'dan 3', 'dan', 'ring 3'), pg_temp.connects(2, 'eve 3', 'eve', 'ring 3');
INSERT INTO terra_identity.events (received_at, payload) VALUES (pg_temp.at(6), pg_temp.said('athlete', 'eve 3', 'dan', 'ring 3', 2, 'GARMIN'));
SELECT * FROM pg_temp.rows('ring 3');
-- All in one statement, of which nothing follows in the end; and a rollback.
INSERT INTO terra_identity.events (received_at, payload) SELECT pg_temp.at(7), p FROM unnest(ARRAY[
    pg_temp.said('athlete', 'dan 4', 'dan', 'ring 4', 1, 'GARMIN'), pg_temp.said('athlete', 'eve 4', 'eve', 'ring 4', 2, 'GARMIN'), pg_temp.said('deauth', 'dan 4', NULL, NULL, NULL, 'GARMIN')]) p;
BEGIN;
SELECT pg_temp.connects(1, 'dan 5', 'dan', 'ring 4'), pg_temp.connects(1, 'fay 5', 'fay', 'ring 4');
SELECT count(*) FROM pg_temp.rows('ring 4');
ROLLBACK;
SELECT * FROM pg_temp.rows('ring 4');
-- A connection goes from one account to another, where it is to be disconnected, too.
SELECT pg_temp.connects(1, 'gil 1', 'gil', 'band'), pg_temp.connects(2, 'hal 1', 'hal', 'band'), pg_temp.connects(3, 'ida 1', 'ida', 'band 2');
INSERT INTO terra_identity.events (received_at, payload) VALUES (pg_temp.at(8), pg_temp.said('athlete', 'gil 1', 'gil', 'band 2', 1, 'GARMIN'));
SELECT * FROM pg_temp.rows('band') UNION ALL SELECT * FROM pg_temp.rows('band 2');

--
-- 3. Who is left alone
--
-- A person who is not known may be one of the others; a connection that only data named may be the newer one.
SELECT pg_temp.connects(1, 'jan 1', 'jan', 'strap'), pg_temp.connects(2, 'of no one', NULL, 'strap');
INSERT INTO terra_identity.events (received_at, payload) SELECT pg_temp.at(3), jsonb_set(p #- '{user,created_at}', '{type}', '"athlete"')
    FROM pg_temp.said('athlete', 'kim 1', 'kim', 'strap', 3, 'GARMIN') p;
SELECT user_id, connections FROM terra_identity.duplicate_connections WHERE dev_id = 'disconnects' AND provider_user_id = 'strap' ORDER BY 1;
SELECT * FROM pg_temp.rows('strap');
SELECT pg_temp.connects(4, 'leo 1', 'leo', 'strap');
SELECT * FROM pg_temp.rows('strap');
-- A family's tablet.
SELECT pg_temp.connects(1, 'mia 1', 'mia', 'tablet', 'APPLE'), pg_temp.connects(2, 'ned 1', 'ned', 'tablet', 'APPLE');
SELECT count(*) FROM terra_identity.duplicate_connections WHERE dev_id = 'disconnects' AND provider_user_id = 'tablet';
SELECT * FROM pg_temp.rows('tablet');
-- From the fifth end user on, the account is suspicious: the provider may report the same one for everybody.
SELECT pg_temp.connects(n, 'user ' || n, 'person ' || n, 'crowd') FROM generate_series(1, 4) n \g /dev/null
SELECT * FROM pg_temp.rows('crowd');
SELECT pg_temp.connects(5, 'user 5', 'person 5', 'crowd');
SELECT * FROM pg_temp.rows('crowd');
SELECT detail ->> 'reason' AS reason FROM terra_identity.changes WHERE dev_id = 'disconnects' AND kind = 'anomaly';
INSERT INTO terra_identity.events (received_at, payload) SELECT pg_temp.at(n), pg_temp.said('athlete', 'user ' || n, 'person ' || n, 'crowd', n, 'GARMIN') FROM generate_series(6, 2000) n;
SELECT count(*) FROM pg_temp.rows('crowd') WHERE state = 'queued';
SELECT pg_temp.ends(3000, 'user ' || n) FROM generate_series(5, 2000) n \g /dev/null
SELECT user_id FROM pg_temp.rows('crowd') WHERE state = 'queued' ORDER BY 1;
INSERT INTO terra_identity.providers (provider, account_ids) VALUES ('GARMIN', 'unusable');
SELECT count(*) FROM terra_identity.disconnects WHERE dev_id = 'disconnects' AND state = 'queued';
DELETE FROM terra_identity.providers WHERE provider = 'GARMIN';
SELECT user_id FROM pg_temp.rows('crowd') WHERE state = 'queued' ORDER BY 1;
-- An account that may be shared; also by UPDATE and DELETE, of several at once.
INSERT INTO terra_identity.accepted_duplicates (provider, provider_user_id) VALUES ('GARMIN', 'crowd'), ('GARMIN', 'strap');
SELECT user_id, closed_because FROM pg_temp.rows('crowd') WHERE closed_because LIKE '%shared%';
SELECT user_id FROM terra_identity.disconnects WHERE dev_id = 'disconnects' AND state = 'queued' ORDER BY 1;
SELECT pg_temp.connects(9, 'mo 1', 'mo', 'strap');
UPDATE terra_identity.accepted_duplicates SET provider_user_id = 'band' WHERE dev_id = 'disconnects' AND provider_user_id = 'crowd';
SELECT provider_user_id, user_id FROM terra_identity.disconnects WHERE dev_id = 'disconnects' AND state = 'queued' ORDER BY 1, 2;
DELETE FROM terra_identity.accepted_duplicates WHERE dev_id = 'disconnects';
SELECT user_id FROM pg_temp.rows('strap') WHERE state = 'queued' ORDER BY 1;

--
-- 4. Workers
--
SELECT pg_temp.ends(4000, user_id) FROM terra_identity.connections WHERE dev_id = 'disconnects' AND duplicate \g /dev/null
SELECT count(*) FROM terra_identity.disconnects WHERE dev_id = 'disconnects' AND state <> 'closed';
DELETE FROM terra_identity.disconnects WHERE dev_id = 'disconnects';
SELECT pg_temp.rule('disconnect_newer');
SELECT pg_temp.connects(n + day, format('%s of %s', person, n), person, 'scale ' || n) FROM generate_series(1, 4) n, (VALUES ('old', 0), ('new', 10)) p (person, day) \g /dev/null
SELECT user_id, reference_id, provider, provider_user_id, last_of_account, other_user_ids, attempts, last_error, round(extract(epoch FROM leased_until - now()) / 60) AS minutes
FROM terra_identity.take_disconnects();
SELECT user_id, round(extract(epoch FROM leased_until - now()) / 60) AS minutes FROM terra_identity.take_disconnects(2, '1 hour');
SELECT user_id FROM terra_identity.take_disconnects(10);
SELECT user_id FROM terra_identity.take_disconnects(10);
SELECT user_id, state, attempts, taken_by = current_user AS by_me, last_of_account, other_user_ids FROM terra_identity.disconnects WHERE dev_id = 'disconnects' AND state = 'taken' ORDER BY user_id;
-- One that is taken is as open as one that is queued: nobody opens another.
\set VERBOSITY terse
INSERT INTO terra_identity.disconnects (dev_id, user_id, lineage_id, provider, provider_user_id, on_duplicate, requested_at, state, next_attempt_at)
SELECT dev_id, user_id, lineage_id, provider, provider_user_id, on_duplicate, requested_at, 'queued', now()
FROM terra_identity.disconnects WHERE dev_id = 'disconnects' AND provider_user_id = 'scale 1' AND state = 'taken';
\set VERBOSITY default
-- Confirmed: it has ended, and the ledger knows why.
SELECT terra_identity.confirm_disconnect(disconnect_id) AS first, terra_identity.confirm_disconnect(disconnect_id) AS again FROM terra_identity.disconnects WHERE dev_id = 'disconnects' AND provider_user_id = 'scale 1';
SELECT d.state, d.closed_because, d.closed_at IS NOT NULL AS closed, d.last_of_account, d.other_user_ids, c.status, v.user_id AS verified
FROM terra_identity.disconnects d JOIN terra_identity.connections c USING (dev_id, user_id) LEFT JOIN terra_identity.verify() v ON true WHERE dev_id = 'disconnects' AND d.provider_user_id = 'scale 1';
SELECT user_id, entered_by = current_user AS by_me, payload #>> '{correction,what}' AS what, regexp_replace(payload #>> '{correction,note}', '[0-9]+', 'N') AS note
FROM terra_identity.events WHERE dev_id = 'disconnects' AND entered_by IS NOT NULL;
SELECT count(*) FROM terra_identity.duplicate_connections WHERE dev_id = 'disconnects' AND provider_user_id = 'scale 1';
-- Failed: later, and ever later. The lease ends: due again. A late confirmation counts.
SELECT d.user_id, f - now() BETWEEN interval '29 seconds' AND interval '31 seconds' AS half_a_minute FROM terra_identity.disconnects d, terra_identity.fail_disconnect(d.disconnect_id, 'HTTP 503') f
WHERE dev_id = 'disconnects' AND provider_user_id = 'scale 2';
SELECT user_id FROM terra_identity.take_disconnects(10);
SELECT pg_temp.time_passes();
SELECT provider_user_id, attempts, last_error FROM terra_identity.take_disconnects(10) ORDER BY 1;
SELECT provider_user_id, round(extract(epoch FROM f - now()), -1) AS seconds, state FROM terra_identity.disconnects d, terra_identity.fail_disconnect(d.disconnect_id, 'no answer') f
WHERE dev_id = 'disconnects' AND state = 'taken' ORDER BY 1;
SELECT terra_identity.confirm_disconnect(disconnect_id), provider_user_id FROM terra_identity.disconnects WHERE dev_id = 'disconnects' AND provider_user_id = 'scale 2';
-- The other side ends while a worker has the row: closed, and a failure changes nothing. But what Terra did is done.
SELECT pg_temp.time_passes();
SELECT provider_user_id FROM terra_identity.take_disconnects(10) ORDER BY 1;
SELECT pg_temp.ends(30, o) FROM terra_identity.disconnects d, unnest(other_user_ids) o WHERE dev_id = 'disconnects' AND provider_user_id = 'scale 3';
SELECT state, closed_because FROM pg_temp.rows('scale 3');
SELECT terra_identity.fail_disconnect(disconnect_id, 'HTTP 500') IS NULL AS over, last_error FROM terra_identity.disconnects WHERE dev_id = 'disconnects' AND provider_user_id = 'scale 3';
SELECT terra_identity.confirm_disconnect(disconnect_id) FROM terra_identity.disconnects WHERE dev_id = 'disconnects' AND provider_user_id = 'scale 3';
SELECT d.state, d.closed_because, d.last_of_account, d.other_user_ids, c.status FROM terra_identity.disconnects d JOIN terra_identity.connections c USING (dev_id, user_id)
WHERE dev_id = 'disconnects' AND d.provider_user_id = 'scale 3';
-- Terra's deauth comes before the worker's confirmation: the connection ends once.
SELECT pg_temp.ends(30, user_id) FROM terra_identity.disconnects WHERE dev_id = 'disconnects' AND provider_user_id = 'scale 4';
SELECT state, closed_because FROM pg_temp.rows('scale 4');
SELECT terra_identity.confirm_disconnect(disconnect_id) FROM terra_identity.disconnects WHERE dev_id = 'disconnects' AND provider_user_id = 'scale 4';
SELECT state, closed_because FROM pg_temp.rows('scale 4');
SELECT count(*) FROM terra_identity.events WHERE dev_id = 'disconnects' AND entered_by IS NOT NULL;
-- By Terra's clock it is alive later than now: it is not done.
SELECT pg_temp.connects(1, 'early', 'una', 'clock'), pg_temp.connects(2, 'late', 'vic', 'clock');
INSERT INTO terra_identity.events (received_at, payload, headers) VALUES (now(), pg_temp.said('auth', 'late', 'vic', NULL, 2, 'GARMIN'),
    jsonb_build_object('X-Terra-Ordering-Timestamp', round(1000 * extract(epoch FROM now() + interval '1 hour'))));
SELECT user_id, terra_identity.confirm_disconnect(disconnect_id) FROM terra_identity.take_disconnects();
SELECT user_id, state, last_error, next_attempt_at > now() AS later FROM terra_identity.disconnects WHERE dev_id = 'disconnects' AND provider_user_id = 'clock';
SELECT pg_temp.ends(5, 'early');
-- A row that somebody opened by hand, or a restore brought, is looked at before it is handed out.
UPDATE terra_identity.disconnects SET state = 'queued', closed_at = NULL, next_attempt_at = now() WHERE dev_id = 'disconnects' AND provider_user_id = 'scale 4';
SELECT user_id FROM terra_identity.take_disconnects(10);
SELECT state, closed_because FROM pg_temp.rows('scale 4');
-- Arguments.
SELECT terra_identity.take_disconnects(0);
SELECT terra_identity.take_disconnects(NULL);
SELECT terra_identity.take_disconnects(1, '-1 minute');
SELECT terra_identity.take_disconnects(1, NULL);
SELECT terra_identity.take_disconnects(1, '1 minute', NULL);
SELECT terra_identity.confirm_disconnect(NULL);
SELECT terra_identity.confirm_disconnect(-1);
SELECT terra_identity.fail_disconnect(-1, 'HTTP 500');
SELECT terra_identity.fail_disconnect(disconnect_id, NULL) FROM terra_identity.disconnects WHERE dev_id = 'disconnects' AND provider_user_id = 'scale 4';
SELECT count(*) FROM terra_identity.take_disconnects(10, '1 minute', 'another environment');

--
-- 5. rebuild() queues nothing twice, and loses nothing
--
SELECT pg_temp.connects(1, 'pat 1', 'pat', 'clip'), pg_temp.connects(2, 'quin 1', 'quin', 'clip'), pg_temp.connects(3, 'ray 1', 'ray', 'clip');
SELECT user_id, attempts FROM terra_identity.take_disconnects(1);
CREATE TEMPORARY TABLE before AS SELECT * FROM terra_identity.disconnects WHERE dev_id = 'disconnects';
SELECT terra_identity.rebuild();
SELECT user_id, b IS NULL AS added, d IS NULL AS gone FROM before b FULL JOIN terra_identity.disconnects d USING (disconnect_id, user_id) WHERE d.dev_id = 'disconnects' AND d IS DISTINCT FROM b;
SELECT user_id, state, attempts FROM terra_identity.disconnects WHERE dev_id = 'disconnects' AND provider_user_id = 'clip' ORDER BY 1;
-- What was lost comes back.
DELETE FROM terra_identity.disconnects WHERE dev_id = 'disconnects';
SELECT terra_identity.rebuild();
SELECT user_id, event_id FROM pg_temp.rows('clip') JOIN terra_identity.disconnects USING (user_id, state) WHERE state = 'queued' ORDER BY 1;

--
-- 6. A role of workers: these functions, and no table
--
CREATE ROLE regress_disconnects;
GRANT USAGE ON SCHEMA terra_identity TO regress_disconnects;
GRANT EXECUTE ON FUNCTION terra_identity.take_disconnects, terra_identity.confirm_disconnect, terra_identity.fail_disconnect TO regress_disconnects;
CREATE SCHEMA hostile;
CREATE FUNCTION hostile.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE 'hostile'; END $$;
CREATE FUNCTION hostile.left(text, int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE 'hostile'; END $$;
GRANT USAGE ON SCHEMA hostile TO regress_disconnects;
SET ROLE regress_disconnects;
SET search_path = hostile, pg_catalog;
SELECT user_id, other_user_ids FROM terra_identity.take_disconnects(1) \gset took_
SELECT :'took_user_id' AS user_id;
SELECT * FROM terra_identity.disconnects;
RESET ROLE;
SELECT pg_temp.id(:'took_user_id') AS id, taken_by FROM terra_identity.disconnects WHERE disconnect_id = pg_temp.id(:'took_user_id') \gset
SELECT :'taken_by' AS taken_by;
SET ROLE regress_disconnects;
SELECT terra_identity.fail_disconnect(:id, repeat('x', 2000)) IS NOT NULL AS later;
SELECT terra_identity.confirm_disconnect(:id);
RESET ROLE;
RESET search_path;
SELECT state, length(last_error) FROM terra_identity.disconnects WHERE disconnect_id = :id;
SELECT entered_by, status FROM terra_identity.events e JOIN terra_identity.connections c USING (dev_id, user_id) WHERE e.dev_id = 'disconnects' AND entered_by LIKE 'regress%';
SELECT * FROM terra_identity.verify();
DROP SCHEMA hostile CASCADE;
DROP OWNED BY regress_disconnects;
DROP ROLE regress_disconnects;

--
-- 7. Whoever may accept duplicates closes rows, and needs no right on them; readers read those of their environment
--
SELECT pg_temp.connects(1, 'una 1', 'una', 'lock'), pg_temp.connects(2, 'vic 1', 'vic', 'lock');
CREATE ROLE regress_acceptor;
GRANT USAGE ON SCHEMA terra_identity TO regress_acceptor;
GRANT INSERT (dev_id, provider, provider_user_id) ON terra_identity.accepted_duplicates TO regress_acceptor;
SET ROLE regress_acceptor;
INSERT INTO terra_identity.accepted_duplicates (dev_id, provider, provider_user_id) VALUES ('disconnects', 'GARMIN', 'lock');
SELECT terra_identity.take_disconnects();
RESET ROLE;
SELECT * FROM pg_temp.rows('lock');
DELETE FROM terra_identity.accepted_duplicates WHERE dev_id = 'disconnects';
SELECT * FROM pg_temp.rows('lock');
SELECT terra_identity.grant_reader('regress_acceptor', 'elsewhere');
GRANT EXECUTE ON FUNCTION terra_identity.take_disconnects TO regress_acceptor;
SET ROLE regress_acceptor;
SELECT count(*) FROM terra_identity.disconnects;
SELECT count(*) > 0 AS workers_see_all FROM terra_identity.take_disconnects(100);
RESET ROLE;
DROP OWNED BY regress_acceptor;
DROP ROLE regress_acceptor;

--
-- 8. The owner's columns and triggers: one that keeps rows from being written ends no worker's call in a loop
--
SELECT pg_temp.connects(1, 'sue 1', 'sue', 'pod'), pg_temp.connects(2, 'tom 1', 'tom', 'pod');
ALTER TABLE terra_identity.disconnects ADD COLUMN ticket text DEFAULT 'none';
CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER skip BEFORE UPDATE ON terra_identity.disconnects FOR EACH ROW EXECUTE FUNCTION skip();
SELECT user_id FROM terra_identity.take_disconnects(10);
SELECT pg_temp.ends(5, 'sue 1');
SELECT user_id FROM terra_identity.take_disconnects(10);
DROP FUNCTION skip CASCADE;
SELECT user_id, state, ticket FROM terra_identity.disconnects WHERE dev_id = 'disconnects' AND provider_user_id = 'pod';
SELECT user_id FROM terra_identity.take_disconnects(10);
SELECT state, closed_because FROM pg_temp.rows('pod');
ALTER TABLE terra_identity.disconnects DROP COLUMN ticket;
DELETE FROM terra_identity.environments WHERE dev_id = 'disconnects';
