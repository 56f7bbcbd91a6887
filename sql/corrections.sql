-- correct(): what a person decides, its way back, and everything that it refuses. And that nobody forges it.
SET terra_identity.dev_id = 'corrections';
SET timezone = 'UTC';
\set SHOW_CONTEXT never

CREATE FUNCTION pg_temp.at(day int) RETURNS timestamptz LANGUAGE sql RETURN timestamptz '2026-03-01 00:00Z' + day * interval '1 day';
CREATE FUNCTION pg_temp.said(type text, user_id text, reference_id text DEFAULT NULL, provider text DEFAULT 'OURA') RETURNS jsonb LANGUAGE sql
    RETURN jsonb_strip_nulls(jsonb_build_object('type', type, 'status', CASE type WHEN 'auth' THEN 'success' END,
        'user', jsonb_build_object('user_id', user_id, 'provider', provider, 'reference_id', reference_id)));
CREATE FUNCTION pg_temp.hear(day int, payload jsonb) RETURNS void LANGUAGE sql
    BEGIN ATOMIC INSERT INTO terra_identity.events (received_at, payload) VALUES (pg_temp.at(day), payload); END;
-- The state of these connections, and whether it is what the ledger says.
CREATE FUNCTION pg_temp.state(VARIADIC user_ids text[]) RETURNS TABLE (user_id text, status text, resolves_to text, lineage text, verified boolean) LANGUAGE sql AS $$
    SELECT c.user_id, c.status, terra_identity.resolve(c.user_id),
           (SELECT string_agg(l.user_id, ' ' ORDER BY l.user_id) FROM terra_identity.lineage(c.user_id) l),
           NOT EXISTS (SELECT FROM terra_identity.verify())
    FROM terra_identity.connections c WHERE c.dev_id = 'corrections' AND c.user_id = ANY (user_ids) ORDER BY 1
$$;
-- The transitions since the last call.
CREATE SEQUENCE pg_temp.told MINVALUE 0;
CREATE FUNCTION pg_temp.news() RETURNS TABLE (kind text, user_id text, event_type text, what text, detail jsonb) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT c.kind, c.user_id, e.event_type, e.payload #>> '{correction,what}', c.detail - 'merged_lineage_id' - 'previous_lineage_id'
        FROM terra_identity.changes c JOIN terra_identity.events e USING (dev_id, event_id)
        WHERE c.dev_id = 'corrections' AND c.change_id > (SELECT last_value FROM told) ORDER BY c.change_id;
    PERFORM setval('told', max(change_id)) FROM terra_identity.changes;
END $$;

--
-- 1. Alive, and ended
--
SELECT pg_temp.hear(1, pg_temp.said('auth', 'watch', 'ann')), pg_temp.hear(2, pg_temp.said('deauth', 'watch'));
SELECT kind FROM pg_temp.news();
SELECT terra_identity.correct('watch', 'active', 'she still sees her runs in the app') > 0 AS event_id;
SELECT * FROM pg_temp.state('watch');
SELECT * FROM pg_temp.news();
-- Who, what and why, in the ledger.
SELECT event_type, user_id, reference_id, entered_by = current_user AS by_me, headers, problem, contributes,
       event_time = received_at AND received_at BETWEEN now() - interval '1 minute' AND clock_timestamp() AS now, payload
FROM terra_identity.events WHERE dev_id = 'corrections' AND entered_by IS NOT NULL;
-- A retry of the old deauth does not win; a later one does.
SELECT pg_temp.hear(3, pg_temp.said('deauth', 'watch'));
SELECT * FROM pg_temp.state('watch');
INSERT INTO terra_identity.events (received_at, payload) VALUES ('2100-01-01 00:00Z', pg_temp.said('access_revoked', 'watch'));
SELECT * FROM pg_temp.state('watch');
-- Active again only after that.
SELECT terra_identity.correct('watch', 'active', 'no');
SELECT terra_identity.correct('watch', 'ended', 'no');
SELECT pg_temp.hear(1, pg_temp.said('auth', 'ring', 'ann'));
SELECT terra_identity.correct('ring', 'ended', 'she wrote to us') > 0 AS event_id;
SELECT * FROM pg_temp.state('ring');
-- The way back: another correction, or a webhook that is later.
SELECT terra_identity.correct('ring', 'active', 'it was her other ring') > 0 AS event_id;
SELECT * FROM pg_temp.state('ring');
SELECT terra_identity.correct('ring', 'ended', 'it was this one') > 0 AS event_id;
INSERT INTO terra_identity.events (received_at, headers, payload) VALUES (
    '2100-01-01 00:00Z', '{"X-Terra-Ordering-Timestamp": "4102444800000"}', pg_temp.said('auth', 'ring', 'ann'));
SELECT * FROM pg_temp.state('ring');
SELECT terra_identity.correct('ring', 'ended', 'no');
-- Alive already: that protects it from what is earlier.
SELECT pg_temp.hear(1, pg_temp.said('auth', 'band', 'ann'));
SELECT terra_identity.correct('band', 'active', 'sure') > 0 AS event_id;
SELECT pg_temp.hear(9, pg_temp.said('deauth', 'band'));
SELECT * FROM pg_temp.state('band');
-- The slot is another's.
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('corrections', 'replace');
SELECT pg_temp.hear(day, pg_temp.said('athlete', user_id, reference_id) || '{"athlete": {"provider_user_id": "shared"}}')
FROM (VALUES (1, 'first', 'ann'), (2, 'second', 'bob')) v (day, user_id, reference_id);
SELECT * FROM pg_temp.state('first', 'second');
SELECT terra_identity.correct('first', 'active', 'no');
UPDATE terra_identity.environments SET account_policy = 'keep' WHERE dev_id = 'corrections';
SELECT terra_identity.correct('first', 'active', 'yes') > 0 AS event_id;
SELECT * FROM pg_temp.state('first', 'second');

--
-- 2. Of one person
--
SELECT pg_temp.hear(1, pg_temp.said('auth', 'old ring', 'cid')), pg_temp.hear(2, pg_temp.said('deauth', 'old ring')),
       pg_temp.hear(3, pg_temp.said('auth', 'new ring', 'cid'));
SELECT count(*) > 0 AS some FROM pg_temp.news();
SELECT terra_identity.correct('old ring', 'same_person_as', 'he bought a new one', 'new ring') > 0 AS event_id;
SELECT * FROM pg_temp.state('old ring', 'new ring');
SELECT * FROM pg_temp.news();
SELECT user_id, same_person_as, same_person_as_at IS NOT NULL AS at FROM terra_identity.connections WHERE dev_id = 'corrections' AND user_id LIKE '% ring' ORDER BY 1;
SELECT terra_identity.correct('new ring', 'same_person_as', 'no', 'old ring');
-- The way back may be said of either.
SELECT terra_identity.correct('new ring', 'not_same_person_as', 'it was his brother', 'old ring') > 0 AS event_id;
SELECT * FROM pg_temp.state('old ring', 'new ring');
SELECT * FROM pg_temp.news();
SELECT terra_identity.correct('new ring', 'not_same_person_as', 'no', 'old ring');
SELECT terra_identity.correct('new ring', 'same_person_as', 'his brother says not', 'old ring') > 0 AS event_id;
SELECT * FROM pg_temp.state('old ring', 'new ring');
-- Terra says that the new ring is somebody else's: from then on nothing leads from one to the other.
SELECT pg_temp.hear(4, pg_temp.said('permission_change', 'new ring', 'dan'));
SELECT * FROM pg_temp.state('old ring', 'new ring');
-- And that it was his after all.
SELECT pg_temp.hear(5, pg_temp.said('permission_change', 'new ring', 'cid'));
SELECT * FROM pg_temp.state('old ring', 'new ring');
-- Taken back where the account links them, too.
SELECT count(pg_temp.hear(6, pg_temp.said('athlete', id, 'cid') || '{"athlete": {"provider_user_id": "his"}}')) FROM unnest('{old ring,new ring}'::text[]) id;
SELECT terra_identity.correct('old ring', 'not_same_person_as', 'let us see', 'new ring') > 0 AS event_id;
SELECT * FROM pg_temp.state('old ring', 'new ring');
-- Three: one connection names one other.
SELECT pg_temp.hear(1, pg_temp.said('auth', id)) FROM unnest('{x,y,z}'::text[]) id;
SELECT terra_identity.correct('x', 'same_person_as', 'yes', 'y') > 0 AS event_id;
SELECT terra_identity.correct('x', 'same_person_as', 'no', 'z');
SELECT terra_identity.correct('z', 'same_person_as', 'yes', 'x') > 0 AS event_id;
SELECT * FROM pg_temp.state('x', 'y', 'z');
SELECT terra_identity.correct('y', 'not_same_person_as', 'but z is', 'x') > 0 AS event_id;
SELECT * FROM pg_temp.state('x', 'y', 'z');

--
-- 3. What cannot be said
--
SELECT pg_temp.hear(1, pg_temp.said('auth', 'ann''s', 'ann', 'FITBIT')), pg_temp.hear(1, pg_temp.said('auth', 'bob''s', 'bob', 'FITBIT')),
       pg_temp.hear(1, pg_temp.said('auth', 'nobody''s', NULL, 'FITBIT'));
INSERT INTO terra_identity.events (dev_id, payload) VALUES ('elsewhere', pg_temp.said('auth', 'elsewhere''s', 'ann', 'FITBIT'));
SELECT terra_identity.correct('ann''s', 'same_person_as', 'no', 'bob''s');
SELECT terra_identity.correct('ann''s', 'same_person_as', 'no', 'nobody''s');
SELECT terra_identity.correct('nobody''s', 'same_person_as', 'no', 'x');
SELECT terra_identity.correct('ann''s', 'same_person_as', 'no', 'ann''s');
SELECT terra_identity.correct('ann''s', 'same_person_as', 'no', 'elsewhere''s');
SELECT terra_identity.correct('ann''s', 'same_person_as', 'no');
SELECT terra_identity.correct('ann''s', 'same_person_as', 'no', ' ');
SELECT terra_identity.correct('ann''s', 'active', 'no', 'bob''s');
SELECT terra_identity.correct('nobody', 'active', 'no');
SELECT terra_identity.correct('elsewhere''s', 'active', 'no');
SELECT terra_identity.correct('elsewhere''s', 'ended', 'yes', dev_id => 'elsewhere') > 0 AS event_id;
SELECT terra_identity.correct('ann''s', 'Active', 'no');
SELECT terra_identity.correct('ann''s', 'revoked', 'no');
SELECT terra_identity.correct('ann''s', '', 'no');
SELECT terra_identity.correct('ann''s', NULL, 'no');
SELECT terra_identity.correct('ann''s', 'ended', NULL);
SELECT terra_identity.correct('ann''s', 'ended', E' \n');
SELECT terra_identity.correct(NULL, 'ended', 'no');
SELECT terra_identity.correct('ann''s', 'ended', 'no', dev_id => NULL);
-- A trigger of the application.
CREATE FUNCTION pg_temp.skip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER skip BEFORE INSERT ON terra_identity.events FOR EACH ROW EXECUTE FUNCTION pg_temp.skip();
SELECT terra_identity.correct('ann''s', 'ended', 'no');
DROP TRIGGER skip ON terra_identity.events;
-- Nothing of that was stored.
SELECT count(*) FROM terra_identity.events WHERE entered_by IS NOT NULL AND payload #>> '{correction,note}' = 'no';
SELECT * FROM pg_temp.state('ann''s', 'bob''s', 'nobody''s');
-- Ids and notes of every kind come through as they are.
SELECT pg_temp.hear(1, pg_temp.said('auth', E'\\"{}\u202e<script>', 'eve', 'FITBIT')), pg_temp.hear(1, pg_temp.said('auth', repeat('é', 256), 'eve', 'FITBIT'));
SELECT terra_identity.correct(E'\\"{}\u202e<script>', 'same_person_as', E'"\\\u202e\n', repeat('é', 256)) > 0 AS event_id;
SELECT status, resolves_to = user_id AS itself, verified FROM pg_temp.state(E'\\"{}\u202e<script>', repeat('é', 256));
SELECT (SELECT payload #>> '{correction,note}' FROM terra_identity.events WHERE entered_by IS NOT NULL ORDER BY event_id DESC LIMIT 1) = E'"\\\u202e\n' AS note;

--
-- 4. The ledger knows them
--
SELECT (SELECT count(*) FROM terra_identity.verify()) AS differences, terra_identity.rebuild() AS changed;
SET session_replication_role = replica;
UPDATE terra_identity.connections SET same_person_as = NULL, lineage_id = connection_id WHERE dev_id = 'corrections';
SET session_replication_role = origin;
SELECT DISTINCT "column" FROM terra_identity.verify() ORDER BY 1;
SELECT terra_identity.rebuild() > 0 AS changed;
SELECT (SELECT count(*) FROM terra_identity.verify()) AS differences;
SELECT * FROM pg_temp.state('x', 'y', 'z', 'old ring', 'new ring', 'watch');

--
-- 5. Who may, and who forges
--
CREATE ROLE regress_support;
CREATE ROLE regress_loader;
CREATE ROLE regress_handler;
CREATE ROLE regress_analyst;
SELECT terra_identity.grant_writer('regress_handler'), terra_identity.grant_reader('regress_analyst');
GRANT USAGE ON SCHEMA terra_identity TO regress_support, regress_loader;
GRANT EXECUTE ON FUNCTION terra_identity.correct TO regress_support;
GRANT INSERT ON terra_identity.events TO regress_loader;
SELECT pg_temp.hear(1, pg_temp.said('auth', 'target', 'ann')), pg_temp.hear(2, pg_temp.said('deauth', 'target'));
SELECT pg_temp.said('correction', 'target') || '{"correction": {"what": "active", "note": "trust me"}}' AS forged \gset
-- Webhooks of the type: like any type that is not known.
SET ROLE regress_handler;
SELECT outcome, detail FROM terra_identity.ingest(:'forged'::text);
SELECT outcome, detail FROM terra_identity.ingest((:'forged'::jsonb || '{"entered_by": "postgres"}')::text, '{"entered_by": "postgres"}');
SET request.headers = '{}';
SELECT terra_identity.webhook(:'forged');
SELECT terra_identity.correct('target', 'active', 'trust me');
SET ROLE regress_analyst;
SELECT terra_identity.correct('target', 'active', 'trust me');
-- Who may insert into every column: also what pretends to be of a dump.
SET ROLE regress_loader;
SELECT terra_identity.correct('target', 'active', 'trust me');
INSERT INTO terra_identity.events (payload) VALUES (:'forged');
INSERT INTO terra_identity.events (payload, entered_by) VALUES (:'forged', 'postgres');
INSERT INTO terra_identity.events (dev_id, payload, entered_by, contributes, event_type, user_id, event_time)
VALUES ('corrections', :'forged', 'postgres', true, 'correction', 'target', now());
-- COPY FROM is for who owns a table, or is above row level security.
RESET ROLE;
ALTER ROLE regress_loader BYPASSRLS;
SET ROLE regress_loader;
COPY terra_identity.events (dev_id, payload, entered_by) FROM STDIN;
corrections	{"type": "correction", "user": {"user_id": "target"}, "correction": {"what": "active", "note": "trust me"}}	postgres
\.
COPY terra_identity.events (dev_id, payload, entered_by, event_time) FROM STDIN;
corrections	{"type": "correction", "user": {"user_id": "target"}, "correction": {"what": "active", "note": "trust me"}}	postgres	2027-01-01 00:00:00Z
\.
RESET ROLE;
SELECT count(*) AS forged, count(entered_by) AS believed FROM terra_identity.events WHERE dev_id = 'corrections' AND event_type = 'correction' AND user_id = 'target';
SELECT terra_identity.rebuild() >= 0 AS rebuilt;
SELECT * FROM pg_temp.state('target');
-- The owner restores a dump, in which corrections are what they were.
INSERT INTO terra_identity.events (dev_id, payload, entered_by, event_type, user_id, event_time, received_at)
VALUES ('corrections', :'forged', 'regress_support', 'correction', 'target', pg_temp.at(9), pg_temp.at(9));
SELECT terra_identity.rebuild() > 0 AS rebuilt;
SELECT * FROM pg_temp.state('target');
-- Support, from a search_path that is not hers: operators, functions and tables of the same names.
CREATE SCHEMA regress_trap;
CREATE FUNCTION regress_trap.jsonb_build_object(VARIADIC "any") RETURNS jsonb LANGUAGE internal IMMUTABLE AS 'jsonb_build_object_noargs';
CREATE FUNCTION regress_trap.yes(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN true;
CREATE OPERATOR regress_trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = regress_trap.yes);
CREATE TABLE regress_trap.events (LIKE terra_identity.events);
GRANT USAGE ON SCHEMA regress_trap TO regress_support;
SET ROLE regress_support;
SET search_path = regress_trap, pg_temp, pg_catalog;
SELECT terra_identity.correct('target', 'ended', 'she asked') > 0 AS event_id;
RESET search_path;
RESET ROLE;
SELECT entered_by, payload FROM terra_identity.events WHERE dev_id = 'corrections' ORDER BY event_id DESC LIMIT 1;
SELECT * FROM pg_temp.state('target');
SELECT count(*) FROM regress_trap.events;
-- Row level security hides nothing from it: who may correct, may correct everybody.
SET ROLE regress_support;
SELECT terra_identity.correct('target', 'active', 'she asked again') > 0 AS event_id;
RESET ROLE;
-- Many at once, and in a transaction that fails: nothing stays.
BEGIN;
SELECT count(terra_identity.correct(id, 'ended', 'cleaning up')) FROM unnest('{x,y,z}'::text[]) id;
ROLLBACK;
SELECT * FROM pg_temp.state('x', 'y', 'z');
SELECT count(terra_identity.correct(id, 'ended', 'cleaning up')) FROM unnest('{x,y,z}'::text[]) id;
SELECT * FROM pg_temp.state('x', 'y', 'z');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT terra_identity.correct('x', 'active', 'at any isolation level') > 0 AS event_id;
COMMIT;
SELECT * FROM pg_temp.state('x');

-- stale_events has what came for connections that are not active, and no correction.
SELECT count(*) > 0 AS corrected, count(*) FILTER (WHERE s.event_id IS NOT NULL) AS stale
FROM terra_identity.events e JOIN terra_identity.connections c USING (dev_id, user_id) LEFT JOIN terra_identity.stale_events s USING (dev_id, event_id)
WHERE e.dev_id = 'corrections' AND e.entered_by IS NOT NULL AND c.status <> 'active';

DROP SCHEMA regress_trap CASCADE;
DROP OWNED BY regress_support, regress_loader, regress_handler, regress_analyst;
DROP ROLE regress_support, regress_loader, regress_handler, regress_analyst;
