-- Consumers of the feed: read_changes, commit_changes, skip_changes; what they refuse, who may call them, and that
-- they read what is new by index. Beside other transactions: test/isolation/specs/consumers.spec, test/t/consumers.sh.
SET terra_identity.dev_id = 'consumers';
\set SHOW_CONTEXT never
-- Positions as their rank among those of the environment, because other tests use the sequence, too.
CREATE FUNCTION pg_temp.connect(VARIADIC user_ids text[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO terra_identity.events (payload)
    SELECT jsonb_build_object('type', 'auth', 'status', 'success', 'user', jsonb_build_object('user_id', u, 'provider', 'OURA'))
    FROM unnest(user_ids) u
$$;
CREATE FUNCTION pg_temp.place(at bigint) RETURNS text LANGUAGE sql AS $$
    SELECT 'after ' || (SELECT count(*) FROM terra_identity.changes WHERE dev_id = current_setting('terra_identity.dev_id') AND position <= at)
$$;
CREATE FUNCTION pg_temp.read(consumer text, n int DEFAULT 100) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(kind || ' ' || user_id, ', ' ORDER BY ordinality) FROM terra_identity.read_changes(consumer, n) WITH ORDINALITY
$$;
-- Reads at most n and commits them.
CREATE FUNCTION pg_temp.take(consumer text, n int DEFAULT 100) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    taken text;
    last bigint;
BEGIN
    SELECT string_agg(user_id, ' ' ORDER BY position), max(position) INTO taken, last FROM terra_identity.read_changes(consumer, n);
    PERFORM terra_identity.commit_changes(consumer, last) WHERE last IS NOT NULL;
    RETURN taken;
END $$;

-- A new consumer begins with the first change, and is given the same until it commits.
SELECT pg_temp.connect('a', 'b', 'c', 'd', 'e');
SELECT count(*) FROM terra_identity.changes WHERE dev_id = 'consumers' AND position IS NULL;
SELECT pg_temp.read('mailer', 3);
SELECT pg_temp.read('mailer', 3);
-- Only as many have a position as were asked for.
SELECT user_id, position IS NULL AS unread FROM terra_identity.changes WHERE dev_id = 'consumers' ORDER BY change_id;
SELECT pg_temp.place(terra_identity.commit_changes('mailer', (SELECT position FROM terra_identity.changes WHERE dev_id = 'consumers' AND user_id = 'b')));
SELECT pg_temp.read('mailer', 3);
-- It does not go back by commit_changes, but by an UPDATE or a DELETE.
SELECT pg_temp.place(terra_identity.commit_changes('mailer', (SELECT position FROM terra_identity.changes WHERE dev_id = 'consumers' AND user_id = 'a')));
SELECT pg_temp.read('mailer', 3);
UPDATE terra_identity.consumers c SET position = (SELECT position FROM terra_identity.changes WHERE dev_id = 'consumers' AND user_id = 'a') WHERE (dev_id, consumer) = ('consumers', 'mailer');
SELECT pg_temp.read('mailer');
DELETE FROM terra_identity.consumers WHERE (dev_id, consumer) = ('consumers', 'mailer');
SELECT pg_temp.read('mailer');
-- Another consumer has a place of its own; the rows have the same positions.
SELECT pg_temp.take('biller', 2), pg_temp.take('biller', 2), pg_temp.take('biller', 2), pg_temp.take('biller', 2);
SELECT consumer, pg_temp.place(position), committed_at <= clock_timestamp() AS committed FROM terra_identity.consumers WHERE dev_id = 'consumers';
-- One that wants only what comes.
SELECT pg_temp.connect('f');
SELECT pg_temp.place(terra_identity.skip_changes('logger'));
SELECT pg_temp.read('logger');
SELECT pg_temp.connect('g');
SELECT pg_temp.read('logger'), pg_temp.read('biller');
-- Whole rows, with the columns of changes.
SELECT r = c AS same FROM terra_identity.read_changes('logger') r JOIN terra_identity.changes c USING (dev_id, change_id);

-- A rollback takes positions back; they are not given again, so what was read meanwhile cannot be committed for others.
SELECT pg_temp.connect('h');
BEGIN;
SELECT max(position) AS given FROM terra_identity.read_changes('logger') \gset
SELECT pg_temp.read('logger');
ROLLBACK;
SELECT count(*) FROM terra_identity.changes WHERE dev_id = 'consumers' AND position IS NULL;
\set VERBOSITY sqlstate
SELECT terra_identity.commit_changes('logger', :given);
\set VERBOSITY default
SELECT pg_temp.read('logger');
SELECT max(position) > :given AS greater FROM terra_identity.changes WHERE dev_id = 'consumers';
-- A sequence that is behind the rows, as after logical replication, gives nothing twice: a session compares them first.
SELECT setval('terra_identity.changes_position_seq', 1) \g /dev/null
\c -
SET terra_identity.dev_id = 'consumers';
\set SHOW_CONTEXT never
INSERT INTO terra_identity.events (payload) VALUES ('{"type": "auth", "status": "success", "user": {"user_id": "i"}}');
SELECT user_id FROM terra_identity.read_changes('logger');
SELECT count(*), count(DISTINCT position), bool_and(position IS NOT NULL) FROM terra_identity.changes WHERE dev_id = 'consumers';

-- Nor if there are no rows any more that could tell: the consumers' places do.
SELECT terra_identity.skip_changes('logger') = terra_identity.skip_changes('biller') AS all_read;
CALL terra_identity.prune('90 days', changes_older_than => '0');
VACUUM terra_identity.changes;
SELECT setval('terra_identity.changes_position_seq', 1) \g /dev/null
\c -
SET terra_identity.dev_id = 'consumers';
\set SHOW_CONTEXT never
SELECT count(*) FROM terra_identity.changes WHERE dev_id = 'consumers';
INSERT INTO terra_identity.events (payload) VALUES ('{"type": "auth", "status": "success", "user": {"user_id": "j"}}');
SELECT user_id FROM terra_identity.read_changes('logger');
-- Nor are numbers of events that prune has passed.
UPDATE terra_identity.prune_positions SET next_event_id = next_event_id + 1000 WHERE dev_id = 'consumers';
\c -
SET terra_identity.dev_id = 'consumers';
\set SHOW_CONTEXT never
INSERT INTO terra_identity.events (payload) VALUES ('{"type": "auth", "status": "success", "user": {"user_id": "k"}}');
SELECT e.event_id > p.next_event_id AS beyond FROM terra_identity.events e JOIN terra_identity.prune_positions p USING (dev_id) WHERE e.dev_id = 'consumers' AND e.user_id = 'k';

-- Each environment has its consumers.
INSERT INTO terra_identity.events (dev_id, payload) VALUES ('consumers 2', '{"type": "auth", "status": "success", "user": {"user_id": "z"}}');
SELECT user_id FROM terra_identity.read_changes('logger', dev_id => 'consumers 2');
SELECT dev_id, user_id FROM terra_identity.read_changes('logger', 1);
SELECT count(*) FROM terra_identity.read_changes('logger', dev_id => 'nobody''s');

-- What is refused.
SELECT * FROM terra_identity.read_changes('logger', 0);
SELECT * FROM terra_identity.read_changes('logger', NULL);
SELECT * FROM terra_identity.read_changes('');
SELECT * FROM terra_identity.read_changes(NULL);
SELECT * FROM terra_identity.read_changes('logger', dev_id => NULL);
SELECT terra_identity.commit_changes('logger', NULL);
SELECT terra_identity.commit_changes('', 1);
SELECT terra_identity.commit_changes('logger', 1, NULL);
SELECT terra_identity.commit_changes('logger', 9223372036854775807);
SELECT terra_identity.skip_changes('logger', NULL);
SELECT terra_identity.skip_changes('');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM terra_identity.read_changes('logger');
ROLLBACK;
BEGIN READ ONLY;
SELECT * FROM terra_identity.read_changes('logger');
ROLLBACK;

-- Who may: nobody, before grant_consumer; and row level security holds.
CREATE ROLE regress_consumer;
GRANT USAGE ON SCHEMA terra_identity TO regress_consumer;
SET ROLE regress_consumer;
SELECT * FROM terra_identity.read_changes('logger');
SELECT terra_identity.commit_changes('logger', 1);
RESET ROLE;
SELECT terra_identity.grant_consumer(NULL);
SELECT terra_identity.grant_consumer('regress_consumer');
SET ROLE regress_consumer;
SELECT count(*) > 0 AS some FROM terra_identity.read_changes('hers');
SELECT terra_identity.commit_changes('hers', position) = position AS moved FROM terra_identity.read_changes('hers', 1);
SELECT terra_identity.skip_changes('hers') > 0 AS skipped;
UPDATE terra_identity.consumers SET position = 0;
RESET ROLE;
BEGIN;
SELECT terra_identity.revoke_reader('regress_consumer'), terra_identity.grant_consumer('regress_consumer', 'consumers 2');
SELECT max(position) AS last FROM terra_identity.changes WHERE dev_id = 'consumers' \gset
SET LOCAL ROLE regress_consumer;
SELECT dev_id, user_id FROM terra_identity.read_changes('spy');
SELECT dev_id, user_id FROM terra_identity.read_changes('spy', dev_id => 'consumers 2');
SAVEPOINT refused;
\set VERBOSITY sqlstate
SELECT terra_identity.commit_changes('mailer', :last);
ROLLBACK TO refused;
SELECT terra_identity.skip_changes('mailer');
ROLLBACK;
\set VERBOSITY default
-- A policy that hides most changes from a consumer does not stop it, however many it hides.
BEGIN;
CREATE POLICY only_last ON terra_identity.changes AS RESTRICTIVE FOR SELECT TO regress_consumer USING (user_id = 'last');
INSERT INTO terra_identity.events (payload)
SELECT format('{"type": "auth", "status": "success", "user": {"user_id": "%s"}}', CASE WHEN i < 100 THEN 'hidden ' || i ELSE 'last' END)::jsonb FROM generate_series(1, 100) i;
SET LOCAL ROLE regress_consumer;
SELECT user_id FROM terra_identity.read_changes('filtered', 2);
SELECT terra_identity.commit_changes('filtered', position) = position AS moved FROM terra_identity.read_changes('filtered', 1);
SELECT user_id FROM terra_identity.read_changes('filtered', 2);
ROLLBACK;
-- And one that shows it another environment shows what it can read, and commit.
BEGIN;
SELECT terra_identity.revoke_reader('regress_consumer'), terra_identity.grant_consumer('regress_consumer', 'consumers');
CREATE POLICY more ON terra_identity.changes FOR SELECT TO regress_consumer USING (dev_id = 'consumers 2');
SET LOCAL ROLE regress_consumer;
SELECT dev_id, user_id FROM terra_identity.read_changes('more', dev_id => 'consumers 2');
SELECT terra_identity.commit_changes('more', position, 'consumers 2') = position AS moved FROM terra_identity.read_changes('more', dev_id => 'consumers 2');
SELECT dev_id, user_id FROM terra_identity.read_changes('more', dev_id => 'consumers 2');
ROLLBACK;
DROP OWNED BY regress_consumer;
DROP ROLE regress_consumer;

-- test/isolation/specs/consumers.spec has what is sent if it is on.
SELECT name, setting FROM pg_settings WHERE name = 'terra_identity.notify';

-- What costs how much: a poll reads what is new, by index, among any number of rows.
SET terra_identity.dev_id = 'consumers 3';
INSERT INTO terra_identity.changes (kind, dev_id, user_id, lineage_id)
    SELECT 'connected', 'consumers 3', 'u' || i, i FROM generate_series(1, 50000) i;
SELECT terra_identity.skip_changes('poller') > 0 AS skipped;
INSERT INTO terra_identity.events (payload) VALUES ('{"type": "auth", "status": "success", "user": {"user_id": "late"}}');
-- The first poll also looks at entries of rows that have been given positions since, once.
SELECT user_id FROM terra_identity.read_changes('poller');
CREATE FUNCTION pg_temp.rows_read(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    i bigint;
    s bigint;
    e bigint;
    by_index bigint;
    by_scan bigint;
    entries bigint;
    attempts int := 0;
BEGIN
    LOOP -- again if a snapshot of somebody else, such as autovacuum's, still needs entries that could be gone
        SELECT idx_tup_fetch, seq_tup_read, (SELECT sum(pg_stat_get_xact_tuples_returned(indexrelid)) FROM pg_index WHERE indrelid = relid)
            INTO i, s, e FROM pg_stat_xact_all_tables WHERE relid = 'terra_identity.changes'::regclass;
        EXECUTE call;
        SELECT idx_tup_fetch - i, seq_tup_read - s, (SELECT sum(pg_stat_get_xact_tuples_returned(indexrelid)) FROM pg_index WHERE indrelid = relid) - e
            INTO by_index, by_scan, entries FROM pg_stat_xact_all_tables WHERE relid = 'terra_identity.changes'::regclass;
        attempts := attempts + 1;
        EXIT WHEN entries <= 500 OR attempts = 20;
        PERFORM pg_sleep(0.2);
    END LOOP;
    RETURN CASE WHEN by_scan > 0 THEN 'SCANS ' || by_scan
                WHEN by_index > 500 OR entries > 500 THEN 'READS ' || by_index || ' rows, ' || entries || ' entries' WHEN by_index = 0 THEN 'READS NOTHING' ELSE 'few' END;
END $$;
SELECT pg_temp.rows_read($$SELECT * FROM terra_identity.read_changes('poller')$$) AS poll,
       pg_temp.rows_read($$SELECT * FROM terra_identity.read_changes('a new one')$$) AS a_hundred,
       pg_temp.rows_read($$SELECT terra_identity.commit_changes('a new one', (SELECT max(position) FROM terra_identity.read_changes('a new one')))$$) AS commit;
-- Whatever the statistics say.
ANALYZE terra_identity.changes;
SELECT pg_temp.rows_read($$SELECT * FROM terra_identity.read_changes('poller')$$) AS poll,
       pg_temp.rows_read($$SELECT * FROM terra_identity.read_changes('a new one')$$) AS a_hundred,
       pg_temp.rows_read($$SELECT terra_identity.commit_changes('a new one', (SELECT max(position) FROM terra_identity.read_changes('a new one')))$$) AS commit;
