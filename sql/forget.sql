-- forget(): people are erased as they live, and nothing that others have changes. The ledger and the state agree after
-- every step.
SET terra_identity.dev_id = 'forget';
SET timezone = 'UTC';
\set SHOW_CONTEXT never

CREATE FUNCTION pg_temp.at(day int) RETURNS timestamptz LANGUAGE sql RETURN timestamptz '2026-03-01 00:00Z' + day * interval '1 day';
CREATE FUNCTION pg_temp.member(user_id text, reference_id text, provider text DEFAULT 'OURA') RETURNS jsonb LANGUAGE sql
    RETURN jsonb_strip_nulls(jsonb_build_object('user_id', user_id, 'provider', provider, 'reference_id', reference_id));
CREATE FUNCTION pg_temp.said(type text, user_id text, reference_id text DEFAULT NULL, provider text DEFAULT 'OURA') RETURNS jsonb LANGUAGE sql
    RETURN jsonb_strip_nulls(jsonb_build_object('type', type, 'status', CASE type WHEN 'auth' THEN 'success' END,
        'user', pg_temp.member(user_id, reference_id, provider)));
CREATE FUNCTION pg_temp.account(user_id text, reference_id text, account text, provider text DEFAULT 'OURA') RETURNS jsonb LANGUAGE sql
    RETURN pg_temp.said('athlete', user_id, reference_id, provider) || jsonb_build_object('athlete', jsonb_build_object(
        'provider_user_id', account, 'first_name', initcap(reference_id) || ' Name', 'email', reference_id || '@example.org'));
CREATE FUNCTION pg_temp.slept(user_id text, reference_id text DEFAULT NULL) RETURNS jsonb LANGUAGE sql
    RETURN pg_temp.said('sleep', user_id, reference_id) || '{"data": [{"hypnogram": "deep"}]}';
CREATE FUNCTION pg_temp.reauth(old jsonb, new jsonb) RETURNS jsonb LANGUAGE sql
    RETURN jsonb_build_object('type', 'user_reauth', 'status', 'warning', 'old_user', old, 'new_user', new);
CREATE FUNCTION pg_temp.hear(day int, payload jsonb, trace_id text DEFAULT NULL) RETURNS bigint LANGUAGE sql BEGIN ATOMIC
    INSERT INTO terra_identity.events (received_at, payload, headers)
    VALUES (pg_temp.at(day), payload, jsonb_build_object('x-terra-trace-id', trace_id)) RETURNING event_id; END;

-- The state, under the names that it has; the name of a forgotten id is shown as its number in the order of age.
CREATE VIEW pg_temp.names AS
    SELECT n.name, '!' || dense_rank() OVER (ORDER BY min(n.connection_id), n.name) AS shown
    FROM (SELECT connection_id, user_id AS name FROM terra_identity.connections WHERE dev_id = 'forget') n
    WHERE n.name LIKE '!forgotten:%' GROUP BY n.name, n.connection_id;
CREATE FUNCTION pg_temp.shown(name text) RETURNS text LANGUAGE sql
    RETURN CASE WHEN name LIKE '!forgotten:%' THEN coalesce((SELECT n.shown FROM pg_temp.names n WHERE n.name = shown.name), '!') ELSE name END;
CREATE FUNCTION pg_temp.state() RETURNS TABLE (user_id text, reference_id text, account text, status text, successor text, duplicate boolean, lineage text)
    LANGUAGE sql AS $$
    SELECT pg_temp.shown(c.user_id), pg_temp.shown(c.reference_id), pg_temp.shown(c.provider_user_id), c.status,
           pg_temp.shown(c.successor_user_id), c.duplicate,
           (SELECT string_agg(pg_temp.shown(l.user_id), ' ' ORDER BY l.connection_id) FROM terra_identity.connections l
            WHERE l.dev_id = c.dev_id AND l.lineage_id = c.lineage_id)
    FROM terra_identity.connections c WHERE c.dev_id = 'forget' ORDER BY c.connection_id
$$;
-- Whether ledger and state agree; then where a text still is, in every table that a dump has, but not in the key.
CREATE FUNCTION pg_temp.left_of(VARIADIC texts text[]) RETURNS TABLE (place text) LANGUAGE plpgsql AS $$
DECLARE
    place regclass;
    own text;
    wanted text;
    found bigint;
BEGIN
    RETURN QUERY SELECT 'not verified: ' || v.user_id || '.' || v."column" FROM terra_identity.verify() v;
    FOR place IN SELECT oid FROM pg_class WHERE relnamespace = 'terra_identity'::regnamespace AND relkind = 'r' ORDER BY relname COLLATE "C" LOOP
        own := CASE WHEN EXISTS (SELECT FROM pg_attribute WHERE attrelid = place AND attname = 'dev_id') THEN 'WHERE dev_id = ''forget''' ELSE '' END;
        FOREACH wanted IN ARRAY texts LOOP
            EXECUTE format('SELECT count(*) FROM (SELECT to_jsonb(t)::text FROM %s t %s) r (text)
                WHERE position($1 in text) > 0 OR position(encode(convert_to($1, ''UTF8''), ''hex'') in text) > 0', place, own) INTO found USING wanted;
            IF found > 0 THEN
                RETURN QUERY SELECT format('%s: %s', place, wanted);
            END IF;
        END LOOP;
    END LOOP;
    IF terra_identity.rebuild() <> 0 THEN
        RETURN QUERY SELECT 'rebuild() changed something';
    END IF;
END $$;
-- What forget() did, without the tables where it did nothing.
CREATE FUNCTION pg_temp.forget(who text) RETURNS TABLE (table_name text, erased bigint, changed bigint) LANGUAGE sql AS $$
    SELECT f.* FROM terra_identity.forget(who) f WHERE f.erased + f.changed > 0 ORDER BY 1
$$;
CREATE FUNCTION pg_temp.refused() RETURNS bigint LANGUAGE sql
    RETURN (SELECT sum(refused) FROM terra_identity.refusals WHERE dev_id = 'forget' AND reason = 'forgotten');

--
-- 1. A person whom nobody else has to do with
--
SELECT pg_temp.hear(1, pg_temp.said('auth', 'u-ann-1', 'ref-ann'), 'trace-1') > 0, pg_temp.hear(1, pg_temp.account('u-ann-1', 'ref-ann', 'oura-ann')) > 0,
       pg_temp.hear(2, pg_temp.slept('u-ann-1', 'ref-ann'), 'trace-2') > 0, pg_temp.hear(2, pg_temp.slept('u-ann-1')) > 0,
       pg_temp.hear(3, pg_temp.reauth(pg_temp.member('u-ann-1', 'ref-ann'), pg_temp.member('u-ann-2', 'ref-ann')), 'trace-3') > 0,
       pg_temp.hear(4, '{"type": "auth_cancelled", "status": "error", "reference_id": "ref-ann"}') > 0,
       pg_temp.hear(4, pg_temp.said('auth', 'u-ann-2', 'ref-ann') || '{"status": "perhaps"}') > 0;
SELECT pg_temp.hear(1, pg_temp.said('auth', 'u-bob', 'ref-bob')) > 0, pg_temp.hear(1, pg_temp.account('u-bob', 'ref-bob', 'oura-bob')) > 0;
SELECT terra_identity.correct('u-ann-2', 'ended', 'ref-ann wrote from ref-ann@example.org') > 0;
INSERT INTO terra_identity.accepted_duplicates (provider, provider_user_id, note) VALUES ('OURA', 'oura-ann', 'her own'), ('OURA', 'oura-bob', 'like ref-ann''s, not ref-anna''s');
SELECT outcome FROM terra_identity.ingest('{"type": "auth", "user": {"user_id": "u-ann-2", "reference_id": "r\u0065f-ann"', NULL, 'forget');
SELECT outcome FROM terra_identity.ingest('user=ref-ann&type=auth', NULL, 'forget');
SELECT outcome FROM terra_identity.ingest('user=ref-anna&type=auth', NULL, 'forget');
SELECT * FROM pg_temp.state();
SELECT * FROM pg_temp.left_of('ann', 'bob') ORDER BY 1;
SELECT * FROM pg_temp.forget('ref-ann');
SELECT * FROM pg_temp.state();
SELECT * FROM pg_temp.left_of('u-ann', 'ref-ann@', 'oura-ann', 'Ref-Ann', 'trace-1', 'trace-2', 'trace-3');
SELECT convert_from(body, 'UTF8') FROM terra_identity.rejected WHERE dev_id = 'forget';
SELECT note FROM terra_identity.accepted_duplicates WHERE dev_id = 'forget' AND note NOT LIKE 'like !forgotten:%, not ref-anna''s';
SELECT kind, count(*), count(DISTINCT hash), bool_and(octet_length(hash) = 32) FROM terra_identity.tombstones WHERE dev_id = 'forget' GROUP BY 1 ORDER BY 1;

-- Late deliveries: retries, data, an auth under a new id, a reauth, an import, and each way in.
SELECT pg_temp.hear(1, pg_temp.said('auth', 'u-ann-1', 'ref-ann'), 'trace-1'), pg_temp.hear(9, pg_temp.slept('u-ann-2')), pg_temp.hear(9, pg_temp.said('auth', 'u-ann-3', 'ref-ann')),
       pg_temp.hear(9, pg_temp.reauth(pg_temp.member('u-ann-2', NULL), pg_temp.member('u-ann-3', NULL))),
       pg_temp.hear(9, pg_temp.reauth(NULL, pg_temp.member('u-ann-2', NULL))),
       pg_temp.hear(9, '{"type": "auth_cancelled", "status": "error", "reference_id": " ref-ann "}'),
       pg_temp.hear(9, '{"type": "auth", "status": 7, "user": {"user_id": "u-ann-2", "provider": 7}}'),
       pg_temp.hear(9, '{"type": "body", "user": [], "old_user": {"user_id": "u-ann-2"}}'), pg_temp.hear(9, '[{"type": "auth", "user": {"user_id": "u-ann-2"}}]');
SELECT outcome, event_id, http_status, detail FROM terra_identity.ingest(pg_temp.slept('u-ann-2')::text, NULL, 'forget');
SET terra_identity.strict = on;
SELECT outcome, event_id, http_status, detail FROM terra_identity.ingest('{"type": "auth", "user": {"user_id": "u-ann-2"}}', NULL, 'forget');
RESET terra_identity.strict;
-- Whoever sends to an open endpoint learns nothing.
SELECT terra_identity.webhook(pg_temp.slept('u-ann-2')::json)::jsonb - 'detail';
SELECT terra_identity.webhook(pg_temp.slept('u-cec')::json)::jsonb - 'detail';
SELECT listed, imported, known, new_connections, problems
FROM terra_identity.import_users('[{"user_id": "u-ann-1", "provider": "OURA"}, {"user_id": "u-new", "provider": "OURA", "reference_id": "ref-ann"}, {"user_id": "u-bob", "provider": "OURA"}]', '2026-04-01');
INSERT INTO terra_identity.events (payload) SELECT pg_temp.slept(u) FROM unnest('{u-ann-1,u-bob,u-ann-2}'::text[]) u;
CREATE TABLE their_webhooks (id int PRIMARY KEY, body jsonb, at timestamptz);
INSERT INTO their_webhooks VALUES (1, pg_temp.said('auth', 'u-ann-1', 'ref-ann'), pg_temp.at(1)), (2, pg_temp.said('auth', 'u-dan', 'ref-dan'), pg_temp.at(1));
SELECT terra_identity.attach('their_webhooks', 'body', received_at_column => 'at', backfill => true);
SELECT terra_identity.detach('their_webhooks');
INSERT INTO terra_identity.rejected (dev_id, received_at, body, reason) VALUES ('forget', pg_temp.at(1), convert_to(pg_temp.slept('u-ann-1')::text, 'UTF8'), 'as if strict');
SELECT outcome, event_id, detail FROM terra_identity.replay_rejected() WHERE outcome <> 'rejected';
SELECT terra_identity.correct('u-ann-2', 'active', 'she is back');
SELECT pg_temp.refused();
SELECT * FROM pg_temp.state();
SELECT * FROM pg_temp.left_of('u-ann', '"ref-ann"');
DROP TABLE their_webhooks;
-- Again, and somebody whom nobody knows; ids that are null, empty, or none.
SELECT * FROM pg_temp.forget('ref-ann');
SELECT * FROM pg_temp.forget('ref-nobody');
SELECT pg_temp.hear(9, pg_temp.said('auth', 'u-nobody', 'ref-nobody'));
SELECT * FROM terra_identity.forget(NULL);
SELECT * FROM terra_identity.forget(' ');
SELECT * FROM terra_identity.forget(repeat('x', 513));
SELECT * FROM terra_identity.forget('ref-bob', NULL);
-- Another environment has its own people.
INSERT INTO terra_identity.events (dev_id, payload) VALUES ('forget elsewhere', pg_temp.said('auth', 'u-ann-1', 'ref-ann'));
SELECT user_id, reference_id FROM terra_identity.current_connections WHERE dev_id = 'forget elsewhere';
SELECT * FROM terra_identity.forget('ref-ann', 'forget elsewhere') f WHERE f.erased + f.changed > 0 ORDER BY 1;

-- She comes back of her own will: with a new connection. Her old ids stay forgotten.
SELECT terra_identity.remember('ref-ann'), terra_identity.remember('ref-ann'), terra_identity.remember('ref-bob');
SELECT pg_temp.hear(20, pg_temp.said('auth', 'u-ann-4', 'ref-ann')) > 0, pg_temp.hear(1, pg_temp.said('auth', 'u-ann-1', 'ref-ann'));
SELECT terra_identity.remember_user('u-ann-1'), terra_identity.remember_user('u-ann-1');
SELECT pg_temp.hear(21, pg_temp.slept('u-ann-1', 'ref-ann')) > 0;
SELECT * FROM pg_temp.state();
SELECT * FROM pg_temp.forget('ref-ann');
SELECT * FROM pg_temp.left_of('u-ann', '"ref-ann"');

--
-- 2. A provider account that others hold, under keep
--
SELECT pg_temp.hear(1, pg_temp.said('auth', 'u-eve', 'ref-eve')) > 0, pg_temp.hear(1, pg_temp.account('u-eve', 'ref-eve', 'shared')) > 0,
       pg_temp.hear(2, pg_temp.said('auth', 'u-fay-1', 'ref-fay')) > 0, pg_temp.hear(2, pg_temp.account('u-fay-1', 'ref-fay', 'shared')) > 0,
       pg_temp.hear(3, pg_temp.reauth(pg_temp.member('u-fay-1', 'ref-fay'), pg_temp.member('u-fay-2', 'ref-fay'))) > 0,
       pg_temp.hear(4, pg_temp.slept('u-fay-2', 'ref-fay')) > 0;
SELECT * FROM pg_temp.state() WHERE account = 'shared';
SELECT * FROM pg_temp.forget('ref-fay');
SELECT * FROM pg_temp.state() WHERE account = 'shared';
SELECT * FROM pg_temp.left_of('u-fay', 'ref-fay', 'Ref-Fay');
-- The feed tells that the duplicate is gone, and not whose it was.
SELECT kind, pg_temp.shown(user_id) AS user_id, (SELECT jsonb_agg(pg_temp.shown(h ->> 'user_id') || ' ' || pg_temp.shown(h ->> 'reference_id')) FROM jsonb_array_elements(detail -> 'connections') h) AS connections
FROM terra_identity.changes WHERE dev_id = 'forget' AND (user_id = 'u-eve' OR user_id LIKE '!%') ORDER BY change_id;
SELECT event_type, payload - '{user,old_user,new_user}'::text[] AS payload, (SELECT string_agg(k, ' ') FROM jsonb_object_keys(coalesce(payload -> 'user', payload -> 'new_user')) k) AS keys_of_user, headers FROM terra_identity.events WHERE dev_id = 'forget' AND user_id LIKE '!forgotten:%' ORDER BY event_id;
-- What is left of her ends with the last whom it concerns.
SELECT * FROM pg_temp.forget('ref-eve');
SELECT * FROM pg_temp.state() WHERE account = 'shared' OR user_id LIKE '!%';
SELECT * FROM pg_temp.left_of('u-eve', 'ref-eve', 'shared');

--
-- 3. Under replace: what was superseded by hers stays superseded, and a transfer stays one
--
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('forget', 'replace');
SELECT pg_temp.hear(1, pg_temp.said('auth', 'u-gus', 'ref-gus')) > 0, pg_temp.hear(1, pg_temp.account('u-gus', 'ref-gus', 'watch')) > 0,
       pg_temp.hear(2, pg_temp.said('auth', 'u-hal', 'ref-hal')) > 0, pg_temp.hear(2, pg_temp.account('u-hal', 'ref-hal', 'watch')) > 0,
       pg_temp.hear(3, pg_temp.reauth(pg_temp.member('u-hal', 'ref-hal'), pg_temp.member('u-ida', 'ref-ida'))) > 0;
SELECT * FROM pg_temp.state() WHERE account = 'watch';
SELECT pg_temp.shown(from_user_id) AS from_user_id, pg_temp.shown(to_user_id) AS to_user_id, left(to_reference_id, 10) AS to_reference_id FROM terra_identity.transferred_accounts WHERE dev_id = 'forget' ORDER BY transferred_at;
SELECT * FROM pg_temp.forget('ref-hal');
SELECT * FROM pg_temp.state() WHERE account = 'watch';
SELECT pg_temp.shown(from_user_id) AS from_user_id, pg_temp.shown(to_user_id) AS to_user_id, left(to_reference_id, 10) AS to_reference_id FROM terra_identity.transferred_accounts WHERE dev_id = 'forget' ORDER BY transferred_at;
SELECT * FROM pg_temp.left_of('u-hal', 'ref-hal', 'Ref-Hal');
-- Edits of the rules find the same people.
UPDATE terra_identity.environments SET account_policy = 'keep' WHERE dev_id = 'forget';
SELECT * FROM pg_temp.state() WHERE account = 'watch';
UPDATE terra_identity.environments SET account_policy = 'replace' WHERE dev_id = 'forget';
SELECT * FROM pg_temp.state() WHERE account = 'watch';
UPDATE terra_identity.environments SET account_policy = 'keep' WHERE dev_id = 'forget';

-- A late reauth from hers to another person: what is true of the other is kept.
SELECT pg_temp.hear(5, pg_temp.reauth(pg_temp.member('u-hal', 'ref-hal'), pg_temp.member('u-joe', 'ref-joe')) || '{"message": "ref-hal"}', 'trace-j') > 0,
       pg_temp.hear(5, pg_temp.reauth(pg_temp.member('u-hal', 'ref-hal'), pg_temp.member('u-joe', 'ref-joe')) || '{"message": "ref-hal"}', 'trace-j');
SELECT payload FROM terra_identity.events WHERE dev_id = 'forget' AND user_id = 'u-joe';
SELECT * FROM pg_temp.state() WHERE user_id = 'u-joe';
-- Of whom it does not say so, it is hers.
SELECT pg_temp.hear(5, pg_temp.reauth(pg_temp.member('u-hal', NULL), pg_temp.member('u-kim', NULL)));
SELECT * FROM pg_temp.left_of('u-hal', 'ref-hal');

--
-- 4. A connection that changes hands
--
-- It was hers, and is somebody else's.
SELECT pg_temp.hear(1, pg_temp.said('auth', 'u-tab', 'ref-lea')) > 0, pg_temp.hear(2, pg_temp.slept('u-tab', 'ref-lea')) > 0, pg_temp.hear(2, pg_temp.slept('u-tab'), 'trace-l') > 0,
       pg_temp.hear(3, pg_temp.said('auth', 'u-tab', 'ref-max')) > 0, pg_temp.hear(4, pg_temp.slept('u-tab', 'ref-max')) > 0, pg_temp.hear(4, pg_temp.slept('u-tab')) > 0,
       pg_temp.hear(5, pg_temp.slept('u-tab', 'ref-lea')) > 0;
SELECT * FROM terra_identity.reference_history('u-tab');
SELECT * FROM pg_temp.forget('ref-lea');
SELECT * FROM pg_temp.state() WHERE user_id = 'u-tab';
SELECT pg_temp.shown(reference_id) AS reference_id, from_at, to_at FROM terra_identity.reference_history('u-tab') AS h (reference_id, from_at, to_at);
SELECT event_type, received_at, reference_id IS NOT NULL AS names_one, payload ? 'data' AS has_data, disputes_reference FROM terra_identity.events
WHERE dev_id = 'forget' AND user_id = 'u-tab' ORDER BY event_id;
SELECT * FROM pg_temp.left_of('ref-lea');
-- A retry from her time is known, whether it names her or not.
SELECT pg_temp.hear(2, pg_temp.slept('u-tab'), 'trace-l'), pg_temp.hear(2, pg_temp.slept('u-tab', 'ref-lea')), pg_temp.hear(6, pg_temp.slept('u-tab')) > 0;
-- It was somebody else's, and is hers.
SELECT pg_temp.hear(1, pg_temp.said('auth', 'u-pad', 'ref-max')) > 0, pg_temp.hear(3, pg_temp.said('auth', 'u-pad', 'ref-nan')) > 0;
SELECT * FROM pg_temp.forget('ref-nan');
SELECT * FROM pg_temp.state() WHERE user_id IN ('u-pad', 'u-tab');
SELECT * FROM terra_identity.user_ids('ref-max');
SELECT * FROM pg_temp.left_of('ref-nan', 'u-pad');

--
-- 5. Somebody without reference_id
--
SELECT pg_temp.hear(1, pg_temp.said('auth', 'u-x1')) > 0, pg_temp.hear(2, pg_temp.reauth(pg_temp.member('u-x1', NULL), pg_temp.member('u-x2', NULL))) > 0;
SELECT * FROM terra_identity.forget_user('u-bob');
SELECT * FROM terra_identity.forget_user('u-x1') f WHERE f.erased + f.changed > 0 ORDER BY 1;
SELECT pg_temp.hear(3, pg_temp.slept('u-x1')), pg_temp.hear(3, pg_temp.slept('u-x2'));
SELECT * FROM terra_identity.forget_user('u-unknown') f WHERE f.erased + f.changed > 0 ORDER BY 1;
SELECT pg_temp.hear(3, pg_temp.slept('u-unknown'));
SELECT * FROM pg_temp.left_of('u-x1', 'u-x2', 'u-unknown');
-- A connection of nobody in her lineage is hers.
SELECT pg_temp.hear(1, pg_temp.said('auth', 'u-y1')) > 0, pg_temp.hear(2, pg_temp.reauth(pg_temp.member('u-y1', NULL), pg_temp.member('u-y2', 'ref-yan'))) > 0;
SELECT * FROM terra_identity.forget_user('u-y1');
SELECT * FROM pg_temp.forget('ref-yan');
SELECT * FROM pg_temp.left_of('u-y1', 'u-y2', 'ref-yan');

--
-- 6. Ids as hostile as they come
--
SELECT pg_temp.hear(1, pg_temp.said('auth', u, r)) > 0, pg_temp.hear(1, pg_temp.account(u, r, 'hostile')) > 0
FROM (VALUES ('anna', 'anna-r'), ('ann', 'ann-r'), ('a%', 'a%-r'), ('it''s "x"\', 'o''r"\'), ('active', 'superseded'), (repeat('é', 256), repeat('r', 512)), ('1', '1')) v (u, r);
SELECT terra_identity.correct('anna', 'ended', 'like ann and ann-r, not like a%') > 0;
SELECT f.table_name, f.changed FROM unnest(ARRAY['ann-r', 'a%-r', 'o''r"\', 'superseded', repeat('r', 512), '1']) r, terra_identity.forget(r) f WHERE f.table_name = 'connections';
SELECT * FROM pg_temp.state() WHERE account = 'hostile';
SELECT regexp_replace(payload #>> '{correction,note}', '!forgotten:[0-9a-f]{32}', '!', 'g') FROM terra_identity.events WHERE dev_id = 'forget' AND user_id = 'anna' AND event_type = 'correction';
SELECT kind, detail ->> 'previous_status' AS previous_status FROM terra_identity.changes WHERE dev_id = 'forget' AND user_id = 'anna' AND kind = 'deauthenticated';
SELECT * FROM pg_temp.left_of('"ann"', 'ann-r"', 'a%-r', 'it''s', 'o''r', repeat('é', 256), repeat('r', 512));
SELECT user_id FROM terra_identity.lineage('anna');

--
-- 7. What an attacker found
--
-- An account that another person inherits is hers, too, and stays; one that she had before goes.
SELECT pg_temp.hear(1, pg_temp.said('auth', 'u-ola', 'ref-ola')) > 0, pg_temp.hear(1, pg_temp.account('u-ola', 'ref-ola', 'ola-before')) > 0, pg_temp.hear(2, pg_temp.account('u-ola', 'ref-ola', 'ola-now')) > 0,
       pg_temp.hear(3, pg_temp.reauth(pg_temp.member('u-ola', 'ref-ola'), jsonb_build_object('user_id', 'u-pam', 'reference_id', 'ref-pam'))) > 0;
SELECT * FROM pg_temp.state() WHERE user_id IN ('u-ola', 'u-pam');
SELECT * FROM pg_temp.forget('ref-ola');
SELECT * FROM pg_temp.state() WHERE user_id = 'u-pam' OR successor = 'u-pam';
SELECT * FROM pg_temp.left_of('u-ola', 'ref-ola', 'ola-before');
-- Of two values of one time the greater counts, as before, and not the name.
SELECT pg_temp.hear(1, pg_temp.said('auth', 'u-qi', '7ref')) > 0, pg_temp.hear(1, pg_temp.said('deauth', 'u-qi', 'qi-ref')) > 0, pg_temp.hear(1, pg_temp.account('u-qi', 'qi-ref', '1-lesser')) > 0,
       pg_temp.hear(1, pg_temp.account('u-qi', 'qi-ref', 'qi-greater')) > 0, pg_temp.hear(2, pg_temp.account('u-rob', '7ref', 'qi-greater')) > 0, pg_temp.hear(2, pg_temp.account('u-rob2', 'rob', '1-lesser')) > 0;
SELECT * FROM pg_temp.forget('qi-ref');
SELECT * FROM pg_temp.state() WHERE account IN ('qi-greater', '1-lesser');
SELECT * FROM pg_temp.left_of('u-qi', 'qi-ref');
-- Data that changed nothing when it came says what others said that prune() has removed since.
SELECT pg_temp.hear(3, pg_temp.slept('u-xen', 'ref-xen')) > 0, pg_temp.hear(3, pg_temp.slept('u-xen', 'ref-xen') || '{"type": "body"}') > 0, pg_temp.hear(4, pg_temp.account('u-xen', 'ref-xen', 'xen-shared')) > 0, pg_temp.hear(4, pg_temp.account('u-yul', 'ref-yul', 'xen-shared')) > 0;
SET session_replication_role = replica; -- as prune() may
DELETE FROM terra_identity.events WHERE dev_id = 'forget' AND user_id = 'u-xen' AND event_type = 'sleep';
RESET session_replication_role;
SELECT * FROM pg_temp.forget('ref-xen');
SELECT * FROM pg_temp.state() WHERE account = 'xen-shared';
SELECT * FROM pg_temp.left_of('u-xen', 'ref-xen');
-- Somebody else's event that has her reference_id at the top level alone.
SELECT pg_temp.hear(3, pg_temp.slept('u-rob', '7ref') || '{"reference_id": "ref-sue"}') > 0;
SELECT * FROM pg_temp.forget('ref-sue');
SELECT pg_temp.hear(4, pg_temp.slept('u-rob', '7ref') || '{"reference_id": "ref-sue"}') > 0, pg_temp.hear(4, pg_temp.slept('u-rob') || '{"reference_id": "ref-sue"}');
SELECT event_type, reference_id, payload ? 'data' AS has_data FROM terra_identity.events WHERE dev_id = 'forget' AND user_id = 'u-rob' ORDER BY event_id;
-- What names her where no ids stand, and nobody else.
SELECT pg_temp.hear(3, '{"type": "a_new_type", "data": {"who": ["u-tess-0001"]}}') > 0, pg_temp.hear(3, pg_temp.said('auth', 'u-tess-0001', 'ref-tess')) > 0;
SELECT * FROM pg_temp.forget('ref-tess');
SELECT * FROM pg_temp.left_of('ref-sue', 'u-tess');
-- Forgotten, remembered, and forgotten again: what is left of the first time has another name.
SELECT pg_temp.hear(1, pg_temp.said('auth', 'u-una', 'ref-una')) > 0, pg_temp.hear(1, pg_temp.account('u-una', 'ref-una', 'several')) > 0, pg_temp.hear(1, pg_temp.account('u-vic', 'ref-vic', 'several')) > 0;
SELECT count(*) FROM terra_identity.forget('ref-una');
SELECT terra_identity.remember('ref-una'), terra_identity.remember_user('u-una');
SELECT pg_temp.hear(8, pg_temp.said('auth', 'u-una', 'ref-una')) > 0, pg_temp.hear(8, pg_temp.account('u-una', 'ref-una', 'several')) > 0;
SELECT count(*) FROM terra_identity.forget('ref-una');
SELECT * FROM pg_temp.state() WHERE account = 'several';
SELECT * FROM pg_temp.left_of('u-una', 'ref-una');
-- Nobody makes a stub his own.
SELECT user_id AS stub FROM terra_identity.connections WHERE dev_id = 'forget' AND provider_user_id = 'several' AND user_id LIKE '!%' ORDER BY connection_id LIMIT 1 \gset
SELECT pg_temp.hear(9, pg_temp.said('auth', :'stub', 'ref-wu'));
\set VERBOSITY sqlstate
SELECT terra_identity.correct(:'stub', 'active', 'mine');
SELECT terra_identity.correct('u-vic', 'same_person_as', 'mine', :'stub');
SELECT * FROM terra_identity.forget_user(:'stub');
SELECT terra_identity.remember_user(:'stub');
\set VERBOSITY default
-- A trigger of the application does not get through the door that forget() opens.
CREATE FUNCTION pg_temp.meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM terra_identity.events WHERE dev_id = 'forget'; RETURN NULL; END $$;
CREATE TRIGGER meddle AFTER DELETE ON terra_identity.connections FOR EACH ROW EXECUTE FUNCTION pg_temp.meddle();
CREATE TRIGGER meddle AFTER DELETE ON terra_identity.events FOR EACH ROW EXECUTE FUNCTION pg_temp.meddle();
SELECT * FROM pg_temp.forget('ref-bob');
DROP TRIGGER meddle ON terra_identity.events;
SELECT * FROM pg_temp.forget('ref-bob');
DROP TRIGGER meddle ON terra_identity.connections;
SELECT * FROM pg_temp.left_of('u-tess');

--
-- 8. Who may, and the key
--
SELECT length(terra_identity.tombstone_key()), terra_identity.tombstone_key() = key AS is_the_key FROM terra_identity.tombstone_key;
BEGIN;
CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT * FROM terra_identity.tombstone_key;
DELETE FROM terra_identity.tombstone_key;
SAVEPOINT without_key;
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.slept('u-bob'));
ROLLBACK TO without_key;
SELECT outcome FROM terra_identity.ingest(pg_temp.slept('u-bob')::text, NULL, 'forget');
ROLLBACK TO without_key;
SELECT * FROM terra_identity.forget('ref-bob');
ROLLBACK TO without_key;
SELECT terra_identity.remember('ref-ann');
ROLLBACK TO without_key;
SELECT terra_identity.set_tombstone_key(sha256('a guess'));
ROLLBACK TO without_key;
SELECT terra_identity.set_tombstone_key('too short');
ROLLBACK TO without_key;
SELECT terra_identity.set_tombstone_key(NULL);
ROLLBACK TO without_key;
-- Tombstones that come into a database that has a key of its own: nobody can be known among them by that.
INSERT INTO terra_identity.tombstone_key (key) SELECT key FROM kept;
INSERT INTO terra_identity.tombstones (dev_id, kind, hash, key_check) VALUES ('forget', 'user', sha256('another'), '\xff');
SAVEPOINT two_keys;
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.slept('u-bob'));
ROLLBACK TO two_keys;
SELECT * FROM terra_identity.forget('ref-bob');
ROLLBACK TO without_key;
-- Where nobody was forgotten, deliveries are taken.
INSERT INTO terra_identity.events (dev_id, payload) VALUES ('forget nobody', pg_temp.slept('u-bob'));
SELECT terra_identity.set_tombstone_key(key) FROM kept;
INSERT INTO terra_identity.events (payload) VALUES (pg_temp.slept('u-bob')), (pg_temp.slept('u-ann-2'));
ROLLBACK;
-- A rollback takes all of it back.
BEGIN;
SELECT * FROM pg_temp.forget('ref-bob');
SELECT pg_temp.hear(9, pg_temp.slept('u-bob'));
ROLLBACK;
SELECT pg_temp.hear(9, pg_temp.slept('u-bob')) > 0;
SELECT * FROM pg_temp.left_of('u-hal');
-- A connection of nobody in a lineage that two end users are in is erased with neither of them, but by itself.
INSERT INTO terra_identity.events (dev_id, received_at, payload)
SELECT 'forget mixed', '2026-03-01Z', jsonb_build_object('type', 'user_reauth', 'new_user', '{"user_id": "mixed-new", "provider": "GARMIN"}'::jsonb, 'old_user', old)
FROM (VALUES ('{"user_id": "mixed-nobody", "provider": "GARMIN"}'::jsonb), ('{"user_id": "mixed-ann", "provider": "GARMIN", "reference_id": "mixed ann"}')) v (old);
INSERT INTO terra_identity.events (dev_id, received_at, payload)
VALUES ('forget mixed', '2026-03-02Z', '{"type": "athlete", "user": {"user_id": "mixed-new", "provider": "GARMIN", "reference_id": "mixed bob"}}');
SELECT user_id, reference_id, dense_rank() OVER (ORDER BY lineage_id) AS lineage FROM terra_identity.connections WHERE dev_id = 'forget mixed' ORDER BY 1;
SELECT * FROM terra_identity.forget_user('mixed-new', 'forget mixed');
SELECT count(*) FROM unnest('{mixed ann,mixed bob}'::text[]) who, terra_identity.forget(who, 'forget mixed');
SELECT count(*) FROM terra_identity.forget_user('mixed-nobody', 'forget mixed');
SELECT (SELECT count(*) FROM terra_identity.connections WHERE dev_id = 'forget mixed') AS connections, (SELECT count(*) FROM terra_identity.events WHERE dev_id = 'forget mixed') AS events;
SELECT * FROM terra_identity.verify('forget mixed');
-- Whom a correction linked that was taken back: its events name both, so the other stays, too, where one does.
INSERT INTO terra_identity.events (dev_id, payload)
SELECT 'forget taken back', jsonb_build_object('type', type, 'status', 'success', 'user', jsonb_build_object('user_id', u, 'provider', 'GARMIN', 'reference_id', who), 'athlete', jsonb_build_object('provider_user_id', account))
FROM (VALUES ('back-1', 'back ann', 'G-back'), ('back-2', 'back ann', 'G-alone'), ('back-3', 'back bob', 'G-back')) v (u, who, account), unnest('{auth,athlete}'::text[]) type;
SELECT FROM terra_identity.correct('back-1', 'same_person_as', 'a mistake', 'back-2', 'forget taken back');
SELECT FROM terra_identity.correct('back-1', 'not_same_person_as', 'taken back', 'back-2', 'forget taken back');
SELECT count(*) FROM terra_identity.forget('back ann', 'forget taken back');
SELECT CASE WHEN user_id LIKE '!forgotten:%' THEN 'forgotten' ELSE user_id END AS who, status FROM terra_identity.connections WHERE dev_id = 'forget taken back' ORDER BY connection_id;
SELECT * FROM terra_identity.verify('forget taken back');
-- So it is with all in a chain, whichever end of it is linked with somebody else.
INSERT INTO terra_identity.events (dev_id, payload)
SELECT 'forget chain', jsonb_build_object('type', type, 'status', 'success', 'user', jsonb_build_object('user_id', u, 'provider', 'GARMIN', 'reference_id', who), 'athlete', jsonb_build_object('provider_user_id', account))
FROM (VALUES ('chain-1', 'chain ann', 'G-1'), ('chain-2', 'chain ann', 'G-2'), ('chain-3', 'chain ann', 'G-3'), ('chain-4', 'chain bob', 'G-3')) v (u, who, account), unnest('{auth,athlete}'::text[]) type;
SELECT FROM unnest('{same_person_as,not_same_person_as}'::text[]) what, (VALUES ('chain-1', 'chain-2'), ('chain-2', 'chain-3')) v (u, other), terra_identity.correct(u, what, 'a mistake', other, 'forget chain');
SELECT count(*) FROM terra_identity.forget('chain ann', 'forget chain');
SELECT CASE WHEN user_id LIKE '!forgotten:%' THEN 'forgotten' ELSE user_id END AS who, status FROM terra_identity.connections WHERE dev_id = 'forget chain' ORDER BY connection_id;
SELECT * FROM terra_identity.verify('forget chain');
-- Where no data is stored, either: what has her reference_id at the top level alone is kept without it.
INSERT INTO terra_identity.environments (dev_id, account_policy, store_data) VALUES ('forget envelopes', 'keep', false);
INSERT INTO terra_identity.events (dev_id, payload)
SELECT 'forget envelopes', jsonb_build_object('type', 'auth', 'status', 'success', 'user', jsonb_build_object('user_id', 'envelope of ' || who, 'reference_id', who))
FROM unnest('{envelope ann,envelope bob}'::text[]) who;
SELECT count(*) FROM terra_identity.forget('envelope ann', 'forget envelopes');
INSERT INTO terra_identity.events (dev_id, received_at, payload, headers)
SELECT 'forget envelopes', '2026-03-03Z', jsonb_build_object('type', type, 'reference_id', 'envelope ann', 'user', jsonb_build_object('user_id', 'envelope of envelope bob', 'reference_id', 'envelope bob'), 'data', '[1, 2]'::jsonb),
       '{"X-Terra-Trace-Id": "envelope", "X-Terra-Ordering-Timestamp": "1772000000000"}'
FROM unnest('{daily,permission_change,s3_payload}'::text[]) type;
SELECT event_type, reference_id, payload, headers FROM terra_identity.events WHERE dev_id = 'forget envelopes' AND trace_id IS NOT NULL ORDER BY event_id;
SELECT * FROM terra_identity.verify('forget envelopes');
-- The ledger is append-only for everybody else, as before.
DELETE FROM terra_identity.events WHERE dev_id = 'forget';
UPDATE terra_identity.events SET payload = '{}' WHERE dev_id = 'forget';
DELETE FROM terra_identity.accepted_duplicates WHERE dev_id = 'forget';

-- What named her is no refusal that an operator has to look at.
SELECT pg_temp.refused() > 0 AS counted, (SELECT sum(refused) FROM terra_identity.overview WHERE dev_id = 'forget') AS in_overview;
