-- import_users(): every shape of Terra's list, what it says among webhooks, and that nobody forges it.
SET terra_identity.dev_id = 'import';
SET timezone = 'UTC';
\set SHOW_CONTEXT never

CREATE FUNCTION pg_temp.at(day int) RETURNS timestamptz LANGUAGE sql RETURN timestamptz '2026-03-01 00:00Z' + day * interval '1 day';
CREATE FUNCTION pg_temp.said(type text, user_id text, reference_id text DEFAULT NULL, provider text DEFAULT 'OURA') RETURNS jsonb LANGUAGE sql
    RETURN jsonb_strip_nulls(jsonb_build_object('type', type, 'status', CASE type WHEN 'auth' THEN 'success' END,
        'user', jsonb_build_object('user_id', user_id, 'provider', provider, 'reference_id', reference_id)));
CREATE FUNCTION pg_temp.hear(day int, payload jsonb) RETURNS void LANGUAGE sql
    BEGIN ATOMIC INSERT INTO terra_identity.events (received_at, payload) VALUES (pg_temp.at(day), payload); END;
-- The state of these connections, and whether it is what the ledger says.
CREATE FUNCTION pg_temp.state(VARIADIC user_ids text[]) RETURNS TABLE (user_id text, status text, reference_id text, provider text, confirmed boolean, connected_at text, resolves_to text, verified boolean) LANGUAGE sql AS $$
    SELECT c.user_id, c.status, c.reference_id, c.provider, c.confirmed, to_char(c.connected_at, 'YYYY-MM-DD HH24:MI'), terra_identity.resolve(c.user_id, c.dev_id),
           NOT EXISTS (SELECT FROM terra_identity.verify(c.dev_id))
    FROM terra_identity.connections c WHERE c.dev_id = current_setting('terra_identity.dev_id') AND c.user_id = ANY (user_ids) ORDER BY c.user_id COLLATE "C"
$$;
CREATE SEQUENCE pg_temp.told MINVALUE 0;
SELECT setval('pg_temp.told', coalesce(max(change_id), 0)) >= 0 AS ready FROM terra_identity.changes;
-- The transitions since the last call.
CREATE FUNCTION pg_temp.news() RETURNS TABLE (kind text, user_id text, event_type text, detail jsonb) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT c.kind, c.user_id, e.event_type, c.detail FROM terra_identity.changes c JOIN terra_identity.events e USING (dev_id, event_id)
        WHERE c.change_id > (SELECT last_value FROM told) ORDER BY c.change_id;
    PERFORM setval('told', max(change_id)) FROM terra_identity.changes;
END $$;

--
-- 1. Every shape
--
SELECT * FROM terra_identity.import_users('{"users": [{"user_id": "a1", "provider": "oura", "reference_id": "ann", "scopes": "S", "created_at": "2025-06-01T10:00:00Z", "active": true},
                                                     {"user_id": "b1", "provider": "GARMIN", "reference_id": 17, "created_at": null, "last_webhook_update": null}]}', pg_temp.at(1));
SELECT * FROM terra_identity.import_users('[{"user_id": "a2"}, {"user_id": "b2", "reference_id": ""}]', pg_temp.at(1));
SELECT * FROM terra_identity.import_users('{"data": {"next": null, "max_page": 1, "results": [{"user_id": "a3"}, {"user_id": "b3"}]}}', pg_temp.at(1));
SELECT * FROM terra_identity.import_users('{"status": "success", "is_authenticated": true, "user": {"user_id": "a4", "provider": "FITBIT"}}', pg_temp.at(1));
SELECT * FROM terra_identity.import_users('{"user_id": "a5"}', pg_temp.at(1));
SELECT * FROM terra_identity.import_users('[{"data": {"next": 2, "max_page": 2, "results": [{"user_id": "a6"}]}}, {"data": {"next": null, "max_page": 2, "results": [{"user_id": "b6"}]}}, [{"user_id": "c6"}]]', pg_temp.at(1));
-- Rows of terra_users.
CREATE TEMP TABLE terra_users (user_id text, reference_id text, created_at timestamptz, granted_scopes text, provider text, state text);
INSERT INTO terra_users VALUES ('a7', 'ann', '2025-06-01 10:00Z', 'S,T', 'OURA', 'active'), ('b7', 'ann', '2025-05-01 10:00Z', NULL, 'OURA', 'user_reauth'),
                               ('c7', 'bob', '2025-06-01 10:00Z', 'S', 'GARMIN', 'deauth'), ('d7', 'bob', '2025-06-01 10:00Z', 'S', 'FITBIT', 'access_revoked'), ('e7', 'cleo', NULL, NULL, 'FITBIT', 'paused');
SELECT i.* FROM terra_identity.import_users((SELECT jsonb_agg(to_jsonb(u)) FROM terra_users u), pg_temp.at(1)) i;
SELECT * FROM pg_temp.state('a1', 'b1', 'a2', 'b2', 'a3', 'b3', 'a4', 'a5', 'a6', 'b6', 'c6', 'a7', 'b7', 'c7', 'd7', 'e7');
SELECT kind, user_id, event_type, detail FROM pg_temp.news() WHERE user_id IN ('a1', 'a7', 'c7', 'd7');
-- One event for each, which says who entered it. Its time is that of the list.
SELECT event_type, user_id, reference_id, provider, trace_id, entered_by = current_user AS by_me, headers, problem, event_time = pg_temp.at(1) AND received_at = pg_temp.at(1) AS at_that_time, payload
FROM terra_identity.events WHERE dev_id = 'import' AND user_id IN ('a1', 'b1', 'a4', 'd7') ORDER BY event_id;

--
-- 2. Again, and in parts
--
SELECT count(*) AS events FROM terra_identity.events WHERE dev_id = 'import' \gset before_
SELECT max(change_id) AS change FROM terra_identity.changes \gset before_
SELECT i.* FROM terra_identity.import_users((SELECT jsonb_agg(to_jsonb(u)) FROM terra_users u), pg_temp.at(1)) i;
SELECT i.* FROM terra_identity.import_users((SELECT jsonb_agg(to_jsonb(u) ORDER BY u.user_id DESC) FROM terra_users u), pg_temp.at(1)) i;
SELECT * FROM terra_identity.import_users('{"data": {"next": null, "results": [{"user_id": "b3"}, {"user_id": "a3"}, {"user_id": "b3"}]}}', pg_temp.at(1));
SELECT count(*) - :before_events AS more_events FROM terra_identity.events WHERE dev_id = 'import';
SELECT max(change_id) - :before_change AS more_changes FROM terra_identity.changes;
-- Later it is a new event, and no other state: it was alive then as well. What had ended goes on having ended, at the same time.
SELECT i.* FROM terra_identity.import_users((SELECT jsonb_agg(to_jsonb(u)) FROM terra_users u), pg_temp.at(2)) i;
SELECT user_id, status, ended_at = pg_temp.at(1) AS ended_before, alive_at = pg_temp.at(2) AS alive FROM terra_identity.connections WHERE dev_id = 'import' AND user_id LIKE '_7' ORDER BY 1;
SELECT max(change_id) - :before_change AS more_changes FROM terra_identity.changes;
-- At the same time another word of one user: both count, the greater value wins.
SELECT * FROM terra_identity.import_users('[{"user_id": "a5", "reference_id": "zoe"}, {"user_id": "a5", "reference_id": "ann"}]', pg_temp.at(1));
SELECT * FROM pg_temp.state('a5');

--
-- 3. Among webhooks
--
SELECT pg_temp.hear(5, pg_temp.said('auth', 'w1', 'ann')), pg_temp.hear(6, pg_temp.said('deauth', 'w1', 'ann')),
       pg_temp.hear(5, pg_temp.said('auth', 'w2', 'bob')), pg_temp.hear(5, pg_temp.said('daily', 'w3', 'cleo')), pg_temp.hear(9, pg_temp.said('permission_change', 'w4', 'dora'));
-- Taken before the deauth: nothing changes. Of data alone it was not known since when it exists.
SELECT * FROM terra_identity.import_users('[{"user_id": "w1", "reference_id": "ann"}, {"user_id": "w2", "reference_id": "bert"}, {"user_id": "w3", "created_at": "2025-01-01T00:00:00Z"}, {"user_id": "w4", "reference_id": "ann", "created_at": "2025-01-01T00:00:00Z"}]', pg_temp.at(4));
SELECT * FROM pg_temp.state('w1', 'w2', 'w3', 'w4');
-- Taken after it: Terra lists it, so it was connected again. But not where Terra says that it is not active.
SELECT * FROM terra_identity.import_users('[{"user_id": "w1", "active": false}]', pg_temp.at(7));
SELECT * FROM terra_identity.import_users('{"user": {"user_id": "w1"}, "is_authenticated": false}', pg_temp.at(7));
SELECT * FROM pg_temp.state('w1');
SELECT * FROM terra_identity.import_users('[{"user_id": "w1"}, {"user_id": "w2", "reference_id": "bert"}]', pg_temp.at(7));
SELECT * FROM pg_temp.state('w1', 'w2');
SELECT pg_temp.hear(8, pg_temp.said('access_revoked', 'w1', 'ann')), pg_temp.hear(8, pg_temp.said('auth', 'w2', 'bob'));
SELECT * FROM pg_temp.state('w1', 'w2');
-- Whose it was, and why.
SELECT h.reference_id, to_char(h."from", 'DD') AS "from", to_char(h."to", 'DD') AS "to" FROM terra_identity.reference_history('w2') h;
SELECT terra_identity.reference_at('w2', pg_temp.at(7));
SELECT e.kind, regexp_replace(replace(e.sentence, current_user, 'me'), 'lineage \d+', 'its lineage') AS sentence FROM terra_identity.explain('w1') e WHERE e.kind IN ('import', 'first_seen', 'conclusion');
SELECT e.kind, regexp_replace(replace(e.sentence, current_user, 'me'), 'lineage \d+', 'its lineage') AS sentence FROM terra_identity.explain('c7') e WHERE e.kind IN ('import', 'first_seen', 'conclusion');
SELECT e.kind, regexp_replace(replace(e.sentence, current_user, 'me'), 'lineage \d+', 'its lineage') AS sentence FROM terra_identity.explain('d7') e WHERE e.kind IN ('import', 'conclusion');
-- It is no webhook and no data: nobody fell silent later because of it, and it cures nothing.
SELECT pg_temp.hear(1, pg_temp.said('connection_error', 'w2', 'bob')), pg_temp.hear(10, pg_temp.said('connection_error', 'w2', 'bob'));
SELECT * FROM terra_identity.import_users('[{"user_id": "w2"}]', pg_temp.at(11));
SELECT c.degraded, f.last_event_type, f.last_data_at FROM terra_identity.current_connections c JOIN terra_identity.freshness f USING (dev_id, user_id) WHERE c.dev_id = 'import' AND c.user_id = 'w2';
SELECT last_event_at, last_event_type FROM terra_identity.freshness WHERE dev_id = 'import' AND user_id = 'a1';
SELECT count(*) AS stale_imports FROM terra_identity.stale_events WHERE dev_id = 'import' AND event_type = 'import';
SELECT last_received_at, sum(events_day) FROM terra_identity.overview WHERE dev_id = 'import' AND provider = 'FITBIT' GROUP BY 1;
SELECT * FROM terra_identity.verify();
SELECT terra_identity.rebuild();

--
-- 4. What cannot be read
--
SELECT * FROM terra_identity.import_users('[5, null, "x", {}, {"user_id": 7}, {"user_id": "x1", "provider": 5}, {"user_id": "x2"}]', pg_temp.at(1));
SELECT event_type, user_id, problem, payload FROM terra_identity.problems WHERE dev_id = 'import' ORDER BY event_id;
SELECT * FROM terra_identity.import_users('[5, null, "x", {}, {"user_id": 7}, {"user_id": "x1", "provider": 5}, {"user_id": "x2"}]', pg_temp.at(1));
SET terra_identity.strict = on;
SELECT * FROM terra_identity.import_users('[{"user_id": "x3"}, {"user_id": 7}]', pg_temp.at(3));
RESET terra_identity.strict;
SELECT * FROM pg_temp.state('x1', 'x2', 'x3');
SELECT * FROM terra_identity.import_users('[]', now());
SELECT * FROM terra_identity.import_users('{"users": []}', now());
SELECT * FROM terra_identity.import_users('{"status": "error", "message": "dev_id not found"}', now());
SELECT * FROM terra_identity.import_users('7', now());
SELECT * FROM terra_identity.import_users(NULL, now());
SELECT * FROM terra_identity.import_users('[{"user_id": "x4"}]', NULL);
SELECT * FROM terra_identity.import_users('[{"user_id": "x4"}]', now(), NULL);
\set VERBOSITY sqlstate
SELECT * FROM terra_identity.import_users('[{"user_id": "x4"}]', now() + interval '2 minutes');
SELECT * FROM terra_identity.import_users('[{"user_id": "x4"}]', 'infinity');
SELECT * FROM terra_identity.import_users('[{"user_id": "x4"}]', '-infinity');
SELECT * FROM terra_identity.import_users('[{"user_id": "x4"}]', '2014-12-31 23:59Z');
\set VERBOSITY default
SELECT * FROM pg_temp.state('x4');

--
-- 5. Many, in parts; all or nothing
--
SET terra_identity.dev_id = 'import of many';
CREATE FUNCTION pg_temp.many(count int) RETURNS jsonb LANGUAGE sql
    RETURN (SELECT jsonb_agg(jsonb_build_object('user_id', 'm' || i, 'reference_id', 'r' || i, 'provider', 'GARMIN', 'created_at', '2025-01-01T00:00:00Z')) FROM generate_series(1, count) i);
BEGIN;
SELECT * FROM terra_identity.import_users(pg_temp.many(12000), pg_temp.at(1));
SELECT count(*) FROM terra_identity.connections WHERE dev_id = 'import of many' AND status = 'active' AND confirmed;
SELECT count(*) FROM terra_identity.verify();
ROLLBACK;
SELECT * FROM terra_identity.import_users(pg_temp.many(10001) || '[{"user_id": "m7"}]', pg_temp.at(1));
SELECT count(*) FROM terra_identity.connections WHERE dev_id = 'import of many';
SELECT * FROM terra_identity.import_users(pg_temp.many(10001), pg_temp.at(1));
SELECT * FROM terra_identity.import_users(pg_temp.many(10003), pg_temp.at(1));
-- Several lists in one statement.
SELECT sum(i.imported), sum(i.new_connections) FROM generate_series(1, 3) n, terra_identity.import_users(jsonb_build_array(jsonb_build_object('user_id', 'n' || n)), pg_temp.at(n)) i;
SELECT count(*) FROM terra_identity.verify();

--
-- 6. Who may, and who forges
--
SET terra_identity.dev_id = 'import';
CREATE ROLE regress_importer;
CREATE ROLE regress_loader;
CREATE ROLE regress_handler;
CREATE ROLE regress_analyst;
SELECT terra_identity.grant_writer('regress_handler'), terra_identity.grant_reader('regress_analyst');
GRANT USAGE ON SCHEMA terra_identity TO regress_importer, regress_loader;
GRANT EXECUTE ON FUNCTION terra_identity.import_users TO regress_importer;
GRANT INSERT ON terra_identity.events TO regress_loader;
SELECT pg_temp.hear(1, pg_temp.said('auth', 'target', 'ann')), pg_temp.hear(2, pg_temp.said('deauth', 'target'));
SELECT '{"type": "import", "user": {"user_id": "target", "reference_id": "mallory"}}' AS forged \gset
-- Webhooks of the type: like any type that is not known.
SET ROLE regress_handler;
SELECT outcome, detail FROM terra_identity.ingest(:'forged'::text);
SELECT outcome, detail FROM terra_identity.ingest((:'forged'::jsonb || '{"entered_by": "postgres"}')::text, '{"entered_by": "postgres", "X-Terra-Trace-Id": " import 2026-03-10T00:00:00Z target"}');
SET request.headers = '{}';
SELECT terra_identity.webhook(:'forged');
SELECT * FROM terra_identity.import_users('[{"user_id": "target"}]', now());
SET ROLE regress_analyst;
SELECT * FROM terra_identity.import_users('[{"user_id": "target"}]', now());
SET ROLE regress_loader;
SELECT * FROM terra_identity.import_users('[{"user_id": "target"}]', now());
INSERT INTO terra_identity.events (payload) VALUES (:'forged');
INSERT INTO terra_identity.events (payload, entered_by) VALUES (:'forged', 'postgres');
INSERT INTO terra_identity.events (dev_id, payload, entered_by, contributes, event_type, user_id, event_time) VALUES ('import', :'forged', 'postgres', true, 'import', 'target', now());
-- COPY FROM is for who owns a table, or is above row level security.
RESET ROLE;
ALTER ROLE regress_loader BYPASSRLS;
SET ROLE regress_loader;
COPY terra_identity.events (dev_id, payload, entered_by) FROM STDIN;
import	{"type": "import", "user": {"user_id": "target", "reference_id": "mallory"}}	postgres
\.
COPY terra_identity.events (dev_id, payload, entered_by, event_time) FROM STDIN;
import	{"type": "import", "user": {"user_id": "target", "reference_id": "mallory"}}	postgres	2027-01-01 00:00:00Z
\.
RESET ROLE;
SELECT count(*) AS forged, count(entered_by) AS believed FROM terra_identity.events WHERE dev_id = 'import' AND event_type = 'import' AND user_id = 'target';
SELECT * FROM pg_temp.state('target');
SELECT terra_identity.rebuild() >= 0 AS rebuilt;
SELECT * FROM pg_temp.state('target');
SELECT h.reference_id FROM terra_identity.reference_history('target') h;
SELECT count(*) AS told FROM terra_identity.explain('target') e WHERE e.sentence LIKE '%Terra''s list%';
-- A header cannot claim what an import is recognised by: it is stored all the same.
INSERT INTO terra_identity.events (payload, headers) VALUES ('{"type": "import", "user": {"user_id": "claimed"}}', '{"X-Terra-Trace-Id": " import 2026-03-10T00:00:00Z claimed"}');
SELECT * FROM terra_identity.import_users('[{"user_id": "claimed"}]', '2026-03-10 00:00Z');
SELECT * FROM pg_temp.state('claimed');
-- Who may import, from a search_path that is not hers, and past row level security; a trigger of the application that imports and hears webhooks meanwhile.
CREATE SCHEMA regress_trap;
CREATE FUNCTION regress_trap.jsonb_build_object(VARIADIC "any") RETURNS jsonb LANGUAGE internal IMMUTABLE AS 'jsonb_build_object_noargs';
CREATE FUNCTION regress_trap.unnest(jsonb[]) RETURNS SETOF jsonb LANGUAGE sql AS 'SELECT NULL::jsonb';
CREATE FUNCTION regress_trap.yes(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN true;
CREATE OPERATOR regress_trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = regress_trap.yes);
CREATE TABLE regress_trap.events (LIKE terra_identity.events);
GRANT USAGE ON SCHEMA regress_trap TO regress_importer;
CREATE FUNCTION regress_trap.meanwhile() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.payload #>> '{user,user_id}' = 'target' THEN
        PERFORM terra_identity.import_users('[{"user_id": "inner"}]', '2026-03-10 00:00Z');
        PERFORM terra_identity.ingest('{"type": "import", "user": {"user_id": "not imported"}}'::text);
        INSERT INTO terra_identity.events (payload) VALUES ('{"type": "import", "user": {"user_id": "not imported"}}');
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER meanwhile BEFORE INSERT ON terra_identity.events FOR EACH ROW EXECUTE FUNCTION regress_trap.meanwhile();
SET ROLE regress_importer;
SET search_path = regress_trap, pg_temp, pg_catalog;
SELECT * FROM terra_identity.import_users('[{"user_id": "target", "reference_id": "ann"}, {"user_id": "another"}]', '2026-03-10 00:00Z');
RESET search_path;
RESET ROLE;
DROP TRIGGER meanwhile ON terra_identity.events;
SELECT user_id, count(*) AS events, count(entered_by) AS entered, replace(min(entered_by), current_user, 'the owner of the trigger''s statement') AS by FROM terra_identity.events WHERE dev_id = 'import' AND user_id IN ('target', 'another', 'inner', 'not imported') AND event_type = 'import' AND received_at > '2026-03-01Z' GROUP BY 1 ORDER BY 1;
SELECT user_id, status, reference_id, confirmed FROM pg_temp.state('target', 'another', 'inner', 'not imported');
SELECT count(*) FROM regress_trap.events;
-- The owner restores a dump, in which imports are what they were.
INSERT INTO terra_identity.events (dev_id, payload, entered_by, event_type, user_id, event_time, received_at) VALUES ('import', '{"type": "import", "user": {"user_id": "c7"}}', 'regress_importer', 'import', 'c7', pg_temp.at(9), pg_temp.at(9));
SELECT terra_identity.rebuild() > 0 AS rebuilt;
SELECT * FROM pg_temp.state('c7');
-- In a transaction that fails, and at any isolation level.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM terra_identity.import_users('[{"user_id": "gone"}]', pg_temp.at(1));
ROLLBACK;
SELECT * FROM pg_temp.state('gone');
SELECT * FROM terra_identity.verify();

DROP SCHEMA regress_trap CASCADE;
DROP OWNED BY regress_importer, regress_loader, regress_handler, regress_analyst;
DROP ROLE regress_importer, regress_loader, regress_handler, regress_analyst;
