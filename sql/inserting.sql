-- Every way of inserting events works, a repeated delivery is skipped, and the ledger is append-only.
SET terra_identity.dev_id = 'inserting';
SET timezone = 'UTC';
SET datestyle = 'ISO';

-- How much there is of everything in this file's environments; to be equal before and after what leaves no trace.
CREATE VIEW pg_temp.counts AS
SELECT (SELECT count(*) FROM terra_identity.events WHERE dev_id LIKE 'inserting%') AS events,
       (SELECT count(*) FROM terra_identity.deliveries WHERE dev_id LIKE 'inserting%') AS deliveries,
       (SELECT count(*) FROM terra_identity.connections WHERE dev_id LIKE 'inserting%') AS connections,
       (SELECT count(*) FROM terra_identity.reauths WHERE dev_id LIKE 'inserting%') AS reauths,
       (SELECT count(*) FROM terra_identity.changes WHERE dev_id LIKE 'inserting%') AS changes;
CREATE VIEW pg_temp.connections AS
SELECT dev_id, user_id, reference_id, provider, status, successor_user_id, confirmed, first_seen_at
FROM terra_identity.connections WHERE dev_id LIKE 'inserting%' ORDER BY dev_id, user_id;
CREATE FUNCTION pg_temp.auth(user_id text, reference_id text DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('type', 'auth', 'status', 'success',
                              'user', jsonb_build_object('user_id', $1, 'provider', 'GARMIN', 'reference_id', $2))
$$;

--
-- 1. Ways to insert
--
-- The whole integration.
INSERT INTO terra_identity.events (payload) VALUES ('{"type": "auth", "status": "success", "user": {"user_id": "only the payload"}}');
SELECT user_id, status, first_seen_at <= clock_timestamp() AND first_seen_at > clock_timestamp() - interval '1 minute' AS now
FROM terra_identity.connections WHERE dev_id = 'inserting';

-- RETURNING has the columns that are filled in, also through a CTE.
INSERT INTO terra_identity.events (received_at, payload, headers)
VALUES ('2024-03-01 10:00Z', '{"type": "user_reauth", "reference_id": "top", "old_user": {"user_id": "o", "reference_id": "own"},
         "new_user": {"user_id": "n", "provider": "oura"}}', '{"x-terra-trace-id": "t1", "x-terra-ordering-timestamp": "1709287200000"}')
RETURNING dev_id, event_type, user_id, reference_id, provider, trace_id, event_time, problem, contributes;
WITH stored AS (
    INSERT INTO terra_identity.events (received_at, payload)
    VALUES ('2024-03-01 10:01Z', pg_temp.auth('cte 1')), ('2024-03-01 10:01Z', '{"type": "daily", "user": {"user_id": "n"}}'),
           ('2024-03-01 10:01Z', '{"type": "healthcheck"}'), ('2024-03-01 10:01Z', '[]')
    RETURNING *)
SELECT dev_id, event_type, user_id, event_time, problem, contributes FROM stored ORDER BY event_id;
-- Two data-modifying CTEs in one statement.
WITH a AS (INSERT INTO terra_identity.events (received_at, payload) VALUES ('2024-03-01 10:02Z', pg_temp.auth('cte 2')) RETURNING user_id),
     b AS (INSERT INTO terra_identity.events (received_at, payload) SELECT '2024-03-01 10:02Z', pg_temp.auth('after ' || user_id) FROM a RETURNING user_id)
SELECT a.user_id, b.user_id FROM a, b;

-- Rows in one statement combine, whatever their order.
INSERT INTO terra_identity.events (received_at, payload) VALUES
    ('2024-03-01 10:05Z', '{"type": "deauth", "user": {"user_id": "m1"}}'), ('2024-03-01 10:03Z', pg_temp.auth('m1', 'r')),
    ('2024-03-01 10:04Z', pg_temp.auth('m2', 'r'));
INSERT INTO terra_identity.events (received_at, payload)
SELECT '2024-03-01 10:06Z', pg_temp.auth('select ' || n) FROM generate_series(1, 3) n;
-- Nothing to insert.
INSERT INTO terra_identity.events (received_at, payload) SELECT '2024-03-01 10:06Z', '{}' WHERE false;
COPY terra_identity.events (received_at, payload, headers) FROM STDIN;
2024-03-01 10:07Z	{"type": "auth", "status": "success", "user": {"user_id": "copy 1"}}	{"X-Terra-Trace-Id": "copied"}
2024-03-01 10:07Z	{"type": "deauth", "user": {"user_id": "copy 1"}}	\N
2024-03-01 10:07Z	{"type": "auth", "status": "success", "user": {"user_id": "copy 1"}}	{"X-Terra-Trace-Id": "copied"}
2024-03-01 10:08Z	{"type": "auth", "status": "success", "user": {"user_id": "copy 2"}}	{}
\.
PREPARE deliver (timestamptz, jsonb, jsonb) AS INSERT INTO terra_identity.events (received_at, payload, headers) VALUES ($1, $2, $3) RETURNING user_id;
EXECUTE deliver ('2024-03-01 10:09Z', pg_temp.auth('prepared 1'), NULL);
EXECUTE deliver ('2024-03-01 10:09Z', pg_temp.auth('prepared 2'), '{"X-Terra-Trace-Id": "prepared"}');
EXECUTE deliver ('2024-03-01 10:10Z', pg_temp.auth('prepared 2'), '{"X-Terra-Trace-Id": "prepared"}');
DEALLOCATE deliver;
-- What ON CONFLICT leaves out says nothing.
INSERT INTO terra_identity.events (received_at, payload) VALUES ('2024-03-01 10:10Z', pg_temp.auth('no conflict')) ON CONFLICT DO NOTHING;
INSERT INTO terra_identity.events (event_id, received_at, payload) OVERRIDING SYSTEM VALUE
SELECT event_id, '2024-03-01 10:10Z', pg_temp.auth('conflict') FROM terra_identity.events WHERE dev_id = 'inserting' AND user_id = 'no conflict'
ON CONFLICT DO NOTHING RETURNING user_id;
SELECT user_id, status, successor_user_id, confirmed, first_seen_at FROM pg_temp.connections WHERE first_seen_at < '2024-04-01';

-- Through a view and by MERGE.
CREATE VIEW pg_temp.inbox AS SELECT received_at, payload FROM terra_identity.events;
INSERT INTO pg_temp.inbox VALUES ('2024-03-01 10:11Z', pg_temp.auth('view'));
MERGE INTO terra_identity.events e USING (VALUES (pg_temp.auth('merge'))) v (payload) ON false
WHEN NOT MATCHED THEN INSERT (received_at, payload) VALUES ('2024-03-01 10:11Z', v.payload);
DROP VIEW pg_temp.inbox;
SELECT user_id, status FROM pg_temp.connections WHERE first_seen_at = '2024-03-01 10:11Z';

--
-- 2. dev_id and received_at
--
INSERT INTO terra_identity.events (dev_id, received_at, payload) VALUES
    (DEFAULT, '2024-03-02', pg_temp.auth('d')), ('inserting explicit', '2024-03-02', pg_temp.auth('d')), (NULL, '2024-03-02', pg_temp.auth('null'));
SET terra_identity.dev_id = 'inserting set';
INSERT INTO terra_identity.events (received_at, payload) VALUES ('2024-03-02', pg_temp.auth('d'));
BEGIN;
SET LOCAL terra_identity.dev_id = '';
INSERT INTO terra_identity.events (received_at, payload) VALUES ('2024-03-02', '{"type": "healthcheck"}') RETURNING dev_id;
RESET terra_identity.dev_id;
INSERT INTO terra_identity.events (received_at, payload) VALUES ('2024-03-02', '{"type": "healthcheck"}') RETURNING dev_id;
ROLLBACK;
SET terra_identity.dev_id = 'inserting';
SELECT dev_id, user_id FROM pg_temp.connections WHERE first_seen_at = '2024-03-02';
INSERT INTO terra_identity.events (dev_id, payload) VALUES ('', pg_temp.auth('nowhere'));
INSERT INTO terra_identity.events (dev_id, payload) VALUES (repeat('x', 513), pg_temp.auth('nowhere'));
-- A null received_at is now.
INSERT INTO terra_identity.events (received_at, payload) VALUES (NULL, pg_temp.auth('now'))
RETURNING received_at = now() OR received_at > now() - interval '1 minute' AS now, event_time = received_at AS at_once;
INSERT INTO terra_identity.events (received_at, payload) VALUES ('infinity', pg_temp.auth('nowhere'));
INSERT INTO terra_identity.events (received_at, payload) VALUES ('-infinity', pg_temp.auth('nowhere'));
DO $$
BEGIN
    INSERT INTO terra_identity.events (received_at, payload) VALUES ('2024-03-02', NULL);
EXCEPTION WHEN not_null_violation THEN
    RAISE NOTICE '%', sqlerrm;
END $$;

--
-- 3. A repeated delivery: the trace id and the payload of one that is there
--
SET terra_identity.dev_id = 'inserting trace';
CREATE FUNCTION pg_temp.traced(trace_id text) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('X-Terra-Trace-Id', $1) $$;
-- Within a statement the first is stored, across statements and transactions too; another payload is another event.
INSERT INTO terra_identity.events (received_at, payload, headers) VALUES
    ('2024-03-03', pg_temp.auth('first'), pg_temp.traced('a')), ('2024-03-03', pg_temp.auth('first'), pg_temp.traced('a')),
    ('2024-03-03', pg_temp.auth('second'), pg_temp.traced('a')), ('2024-03-03', pg_temp.auth('first'), pg_temp.traced('A')) RETURNING user_id, trace_id;
INSERT INTO terra_identity.events (received_at, payload, headers) VALUES ('2024-03-03', pg_temp.auth('first'), pg_temp.traced(' a ')) RETURNING user_id;
-- Another environment has its own.
INSERT INTO terra_identity.events (dev_id, received_at, payload, headers) VALUES
    ('inserting trace', '2024-03-03', pg_temp.auth('second'), pg_temp.traced('a')),
    ('inserting trace 2', '2024-03-03', pg_temp.auth('first'), pg_temp.traced('a')) RETURNING dev_id, user_id;
-- A delivery that was rolled back was none.
BEGIN;
SAVEPOINT s;
INSERT INTO terra_identity.events (received_at, payload, headers) VALUES ('2024-03-03', pg_temp.auth('stays'), pg_temp.traced('b'));
ROLLBACK TO s;
INSERT INTO terra_identity.events (received_at, payload, headers) VALUES ('2024-03-03', pg_temp.auth('stays'), pg_temp.traced('b')) RETURNING user_id;
SAVEPOINT s;
INSERT INTO terra_identity.events (received_at, payload, headers) VALUES ('2024-03-03', pg_temp.auth('stays'), pg_temp.traced('b')) RETURNING user_id;
RELEASE s;
COMMIT;
-- One with a problem was delivered all the same. Chunks of one reference, and deliveries without a trace id, are many.
INSERT INTO terra_identity.events (received_at, payload, headers) VALUES
    ('2024-03-03', '[]', pg_temp.traced('c')), ('2024-03-03', '[]', pg_temp.traced('c')),
    ('2024-03-03', pg_temp.auth('chunk'), '{"terra-reference": "big", "X-Terra-Trace-Id": "big:chunk:1"}'),
    ('2024-03-03', pg_temp.auth('chunk'), '{"terra-reference": "big", "X-Terra-Trace-Id": "big:chunk:2"}'),
    ('2024-03-03', pg_temp.auth('chunk'), '{"terra-reference": "big"}'), ('2024-03-03', pg_temp.auth('chunk'), '{"terra-reference": "big"}')
RETURNING user_id, trace_id, problem;
SELECT dev_id, user_id FROM pg_temp.connections WHERE dev_id LIKE 'inserting trace%';
SELECT d.dev_id, d.trace_id, e.user_id FROM terra_identity.deliveries d JOIN terra_identity.events e USING (dev_id, event_id)
WHERE dev_id LIKE 'inserting trace%' AND e.trace_id = d.trace_id ORDER BY 1, 2;

--
-- 4. Triggers and handlers of the user's own
--
SET terra_identity.dev_id = 'inserting triggers';
-- A BEFORE trigger skips and changes rows; ours comes after it and reads what is left.
CREATE FUNCTION pg_temp.sieve() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF new.payload @> '{"user": {"user_id": "unwanted"}}' THEN
        RETURN NULL;
    END IF;
    new.payload := replace(new.payload::text, 'wrong', 'right');
    new.headers := pg_temp.traced(new.payload ->> 'trace');
    RETURN new;
END $$;
CREATE TRIGGER sieve BEFORE INSERT ON terra_identity.events FOR EACH ROW WHEN (new.payload ? 'trace') EXECUTE FUNCTION pg_temp.sieve();
INSERT INTO terra_identity.events (received_at, payload) VALUES
    ('2024-03-04', pg_temp.auth('unwanted') || '{"trace": "unwanted"}'), ('2024-03-04', pg_temp.auth('wrong') || '{"trace": "1"}'),
    ('2024-03-04', pg_temp.auth('wrong') || '{"trace": "1"}') RETURNING user_id, trace_id;
DROP TRIGGER sieve ON terra_identity.events;
SELECT user_id FROM pg_temp.connections WHERE dev_id = 'inserting triggers';
SELECT trace_id FROM terra_identity.deliveries WHERE dev_id = 'inserting triggers';
-- An AFTER trigger that inserts more events, row by row and for each statement, before and after ours by name.
CREATE FUNCTION pg_temp.echo() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() = 1 THEN
        INSERT INTO terra_identity.events (received_at, payload)
        SELECT '2024-03-04', jsonb_build_object('type', 'user_reauth', 'old_user', jsonb_build_object('user_id', 'echo ' || n),
                                                'new_user', jsonb_build_object('user_id', tg_name || ' ' || n))
        FROM generate_series(1, 2) n;
        BEGIN
            INSERT INTO terra_identity.events (received_at, payload) VALUES ('2024-03-04', pg_temp.auth('caught'));
            RAISE EXCEPTION 'caught';
        EXCEPTION WHEN raise_exception THEN
        END;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER aa_echo AFTER INSERT ON terra_identity.events FOR EACH ROW EXECUTE FUNCTION pg_temp.echo();
CREATE TRIGGER apply_fewer_echo AFTER INSERT ON terra_identity.events FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.echo();
CREATE TRIGGER zz_echo AFTER INSERT ON terra_identity.events FOR EACH ROW EXECUTE FUNCTION pg_temp.echo();
CREATE TRIGGER zz_echo_too AFTER INSERT ON terra_identity.events FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.echo();
INSERT INTO terra_identity.events (received_at, payload) VALUES ('2024-03-04', pg_temp.auth('echo 1')), ('2024-03-04', pg_temp.auth('echo 2'));
DROP TRIGGER aa_echo ON terra_identity.events;
DROP TRIGGER apply_fewer_echo ON terra_identity.events;
DROP TRIGGER zz_echo ON terra_identity.events;
DROP TRIGGER zz_echo_too ON terra_identity.events;
SELECT user_id, status, successor_user_id FROM pg_temp.connections WHERE dev_id = 'inserting triggers';
SELECT terra_identity.rebuild();
SELECT * FROM terra_identity.verify();
-- An AFTER trigger for each statement that comes after apply_events by name sees what followed.
CREATE FUNCTION pg_temp.see() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE 'resolves to %', terra_identity.resolve('seen before');
    RETURN NULL;
END $$;
CREATE TRIGGER see AFTER INSERT ON terra_identity.events FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.see();
INSERT INTO terra_identity.events (received_at, payload)
VALUES ('2024-03-04', '{"type": "user_reauth", "old_user": {"user_id": "seen before"}, "new_user": {"user_id": "seen now"}}');
DROP TRIGGER see ON terra_identity.events;
-- A handler that stores what its own work trips over.
CREATE FUNCTION pg_temp.handle(payload jsonb, headers jsonb) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        INSERT INTO terra_identity.events (received_at, payload, headers) VALUES ('2024-03-04', $1, $2);
        PERFORM 1 / ($1 ->> 'divisor')::int;
        RETURN 'stored';
    EXCEPTION WHEN division_by_zero THEN
        INSERT INTO terra_identity.events (received_at, payload, headers) VALUES ('2024-03-04', $1 || '{"status": "error"}', $2);
        RETURN 'stored as failed';
    END;
END $$;
SELECT pg_temp.handle(pg_temp.auth('handled 1') || '{"divisor": 1}', pg_temp.traced('h1')),
       pg_temp.handle(pg_temp.auth('handled 2') || '{"divisor": 0}', pg_temp.traced('h2'));
SELECT user_id, status FROM pg_temp.connections WHERE user_id LIKE 'handled%';

--
-- 5. What fails leaves no trace
--
SET terra_identity.dev_id = 'inserting failures';
CREATE TEMP TABLE before AS SELECT * FROM pg_temp.counts;
BEGIN;
INSERT INTO terra_identity.events (received_at, payload, headers) SELECT '2024-03-05', pg_temp.auth('u' || n, 'r'), pg_temp.traced('t' || n) FROM generate_series(1, 10) n;
SAVEPOINT s;
INSERT INTO terra_identity.events (received_at, payload) SELECT '2024-03-05', pg_temp.auth('v' || n, 'r') FROM generate_series(1, 10) n;
ROLLBACK TO s;
SELECT a.events - b.events AS events, a.deliveries - b.deliveries AS deliveries, a.connections - b.connections AS connections, a.changes - b.changes AS changes
FROM pg_temp.counts a, before b;
ROLLBACK;
-- A statement whose last row is an error; a COPY of which one line is none.
\set VERBOSITY terse
INSERT INTO terra_identity.events (received_at, payload, headers)
SELECT CASE n WHEN 10 THEN 'infinity' ELSE '2024-03-05'::timestamptz END, pg_temp.auth('u' || n), pg_temp.traced('t' || n) FROM generate_series(1, 10) n;
COPY terra_identity.events (received_at, payload) FROM STDIN;
2024-03-05	{"type": "auth", "status": "success", "user": {"user_id": "copied"}}
infinity	{"type": "auth", "status": "success", "user": {"user_id": "copied"}}
\.
-- An error after the events have been collected: by a trigger of the user's, and by a failing subtransaction.
CREATE FUNCTION pg_temp.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
CREATE TRIGGER fail AFTER INSERT ON terra_identity.events FOR EACH ROW EXECUTE FUNCTION pg_temp.fail();
INSERT INTO terra_identity.events (received_at, payload) VALUES ('2024-03-05', pg_temp.auth('failing'));
DO $$
BEGIN
    INSERT INTO terra_identity.events (received_at, payload) VALUES ('2024-03-05', pg_temp.auth('failing'));
EXCEPTION WHEN raise_exception THEN
    RAISE NOTICE '%', sqlerrm;
END $$;
DROP TRIGGER fail ON terra_identity.events;
\set VERBOSITY default
SELECT * FROM pg_temp.counts EXCEPT SELECT * FROM before;
-- ... so that what follows says nothing of it either.
INSERT INTO terra_identity.events (received_at, payload) VALUES ('2024-03-05', pg_temp.auth('good'));
SELECT user_id FROM pg_temp.connections WHERE dev_id = 'inserting failures';

--
-- 6. Append-only, also where no row is meant
--
CREATE FUNCTION pg_temp.refused(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; detail text; hint text;
BEGIN
    EXECUTE statement;
    RETURN 'not refused';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', state, message, detail, hint);
END $$;
SELECT DISTINCT pg_temp.refused(statement) FROM unnest(ARRAY[
    $$UPDATE terra_identity.events SET payload = '{}' WHERE dev_id = 'inserting'$$, 'UPDATE terra_identity.events SET problem = NULL WHERE false',
    $$DELETE FROM terra_identity.events WHERE dev_id = 'inserting'$$, 'DELETE FROM terra_identity.events WHERE false', 'TRUNCATE terra_identity.events',
    $$MERGE INTO terra_identity.events e USING (VALUES (1)) v (n) ON e.dev_id = 'inserting' WHEN MATCHED THEN DELETE$$,
    $$INSERT INTO terra_identity.events (event_id, received_at, payload) OVERRIDING SYSTEM VALUE
      SELECT event_id, received_at, payload FROM terra_identity.events WHERE dev_id = 'inserting failures'
      ON CONFLICT (dev_id, event_id) DO UPDATE SET payload = '{}'$$]) statement;
SELECT count(*) FROM terra_identity.events WHERE dev_id = 'inserting failures';

--
-- 7. 5,000 in one statement
--
SET terra_identity.dev_id = 'inserting bulk';
INSERT INTO terra_identity.events (received_at, payload, headers)
SELECT '2024-03-06'::timestamptz + n * interval '1 second', CASE n % 5
           WHEN 0 THEN pg_temp.auth('u' || n, 'r' || n % 50)
           WHEN 1 THEN jsonb_build_object('type', 'daily', 'user', jsonb_build_object('user_id', 'u' || n % 1000))
           WHEN 2 THEN jsonb_build_object('type', 'athlete', 'user', jsonb_build_object('user_id', 'u' || n - 2, 'provider', 'garmin'), 'athlete', jsonb_build_object('provider_user_id', 'p' || n % 500))
           WHEN 3 THEN jsonb_build_object('type', 'user_reauth', 'old_user', jsonb_build_object('user_id', 'u' || n - 3), 'new_user', jsonb_build_object('user_id', 'u' || (n * 7) % 5000))
           ELSE jsonb_build_object('type', 'deauth', 'user', jsonb_build_object('user_id', 'u' || (n * 3) % 2000)) END,
       pg_temp.traced('b' || n)
FROM generate_series(1, 5000) n;
SELECT status, count(*) FROM terra_identity.connections WHERE dev_id = 'inserting bulk' GROUP BY 1 ORDER BY 1;
SELECT terra_identity.rebuild();
SELECT * FROM terra_identity.verify();

SELECT dev_id, terra_identity.rebuild(dev_id), (SELECT count(*) FROM terra_identity.verify(dev_id)) AS differences
FROM (SELECT DISTINCT dev_id FROM pg_temp.connections) t ORDER BY 1;
