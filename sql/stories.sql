-- Stories as people live them. Each is played in every order in which its webhooks may arrive, in an environment for each
-- order; a person's end state is the same in all of them.
SET timezone = 'UTC';
SET datestyle = 'ISO';

-- 'minute kind user_id key=value ...', received at that minute of 2024-03-01 and, with at=, stamped by Terra at that one.
-- Of a user_reauth, old= is the old user, ref= the end user of both, old_ref= and new_ref= that of one.
CREATE FUNCTION pg_temp.event(told text, OUT received_at timestamptz, OUT payload jsonb, OUT headers jsonb) LANGUAGE plpgsql AS $$
DECLARE
    words text[] := string_to_array(told, ' ');
    said jsonb := (SELECT coalesce(jsonb_object_agg(split_part(word, '=', 1), split_part(word, '=', 2)), '{}') FROM unnest(words[4:]) word);
    person jsonb := jsonb_strip_nulls(jsonb_build_object('user_id', words[3], 'provider', said -> 'provider', 'reference_id', said -> 'ref',
        'created_at', coalesce(to_jsonb(to_char(timestamptz '2024-03-01 00:00Z' + (said ->> 'created')::int * interval '1 minute', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')), said -> 'created_text')));
BEGIN
    received_at := timestamptz '2024-03-01 00:00Z' + words[1]::int * interval '1 minute';
    headers := CASE WHEN said ? 'at' THEN jsonb_build_object('X-Terra-Ordering-Timestamp',
        (extract(epoch FROM timestamptz '2024-03-01 00:00Z' + (said ->> 'at')::int * interval '1 minute') * 1000)::bigint) END;
    payload := CASE words[2]
        WHEN 'user_reauth' THEN jsonb_build_object('type', 'user_reauth',
            'old_user', jsonb_strip_nulls(jsonb_build_object('user_id', said -> 'old', 'provider', said -> 'provider', 'reference_id', coalesce(said -> 'old_ref', said -> 'ref'))),
            'new_user', jsonb_strip_nulls(person || jsonb_build_object('reference_id', coalesce(said -> 'new_ref', said -> 'ref'))))
        WHEN 'auth' THEN jsonb_build_object('type', 'auth', 'status', coalesce(said ->> 'status', 'success'), 'user', person)
        WHEN 'athlete' THEN jsonb_build_object('type', 'athlete', 'user', person, 'athlete', jsonb_build_object('provider_user_id', said -> 'account'))
        ELSE jsonb_build_object('type', words[2], 'user', person) END;
END $$;

CREATE FUNCTION pg_temp.orders(n int) RETURNS SETOF int[] LANGUAGE sql AS $$
    WITH RECURSIVE orders AS (
        SELECT '{}'::int[] AS o
        UNION ALL
        SELECT o || i FROM orders, generate_series(1, n) i WHERE i <> ALL (o))
    SELECT o FROM orders WHERE cardinality(o) = n
$$;

-- What became of everybody: each id with its status, its successor, what it resolves to, and its lineage's other ids.
CREATE FUNCTION pg_temp.state(dev_id text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('%s %s%s, resolves to %s%s', c.user_id, c.status, ' by ' || c.successor_user_id,
                             coalesce(terra_identity.resolve(c.user_id, c.dev_id), 'nothing'),
                             ', with ' || (SELECT string_agg(l.user_id, ' ' ORDER BY l.user_id) FROM terra_identity.connections l
                                           WHERE l.dev_id = c.dev_id AND l.lineage_id = c.lineage_id AND l.user_id <> c.user_id)),
                      E'\n' ORDER BY c.user_id)
    FROM terra_identity.connections c WHERE c.dev_id = state.dev_id
$$;

CREATE FUNCTION pg_temp.play(story text, VARIADIC told text[]) RETURNS TABLE (orders bigint, wrong bigint, state text) LANGUAGE plpgsql AS $$
DECLARE
    o int[]; i int;
BEGIN
    FOR o IN SELECT pg_temp.orders(cardinality(told)) LOOP
        IF story LIKE 'replace:%' THEN
            INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES (story || o::text, 'replace');
        END IF;
        FOREACH i IN ARRAY o LOOP
            INSERT INTO terra_identity.events (dev_id, received_at, payload, headers) SELECT story || o::text, (pg_temp.event(told[i])).*;
        END LOOP;
    END LOOP;
    RETURN QUERY SELECT count(*), sum((SELECT count(*) FROM terra_identity.verify(story || p::text)))::bigint, pg_temp.state(story || p::text)
                 FROM pg_temp.orders(cardinality(told)) p GROUP BY 3;
END $$;
\pset format unaligned
\pset tuples_only on
\pset recordsep '\n\n'
\pset fieldsep '\n'

-- She reconnects; then Terra sends the old auth and athlete again, hours late.
SELECT 'reconnected, then late retries', p.* FROM pg_temp.play('late retries', '0 auth B provider=GARMIN ref=alice', '1 user_reauth B old=A provider=GARMIN ref=alice',
    '2 athlete B account=G1', '60 auth A provider=GARMIN ref=alice', '61 athlete A account=G1') p;
-- A new phone, while data of the old one is under way.
SELECT 'a new phone, and data of the old one', p.* FROM pg_temp.play('new phone', '0 auth new provider=APPLE ref=alice', '1 user_reauth new old=old provider=APPLE ref=alice',
    '2 daily old provider=APPLE ref=alice') p;
-- Both ids were created in the same second.
SELECT 'created in the same second', p.* FROM pg_temp.play('same second', '0 auth zz provider=GARMIN ref=alice created=0', '1 auth aa provider=GARMIN ref=alice created=0',
    '2 user_reauth aa old=zz provider=GARMIN ref=alice', '3 athlete zz account=G1', '4 athlete aa account=G1') p;
-- The extension came later than the old phone: the first that is heard of it is its data.
SELECT 'the first data of an old phone', p.* FROM pg_temp.play('old phone', '0 auth new provider=APPLE ref=alice created=-1440', '5 daily old provider=APPLE ref=alice') p;
SELECT 'data of a phone that is gone', p.* FROM pg_temp.play('dead phone', '0 auth live provider=APPLE ref=alice', '5 deauth dead provider=APPLE ref=alice',
    '6 daily dead provider=APPLE ref=alice') p;
-- The account goes to another person, and a user_reauth says so. A second delivery that does not say it takes that back.
SELECT 'from alice to bob', p.* FROM pg_temp.play('alice to bob', '0 auth g1 provider=GARMIN ref=alice', '1 user_reauth g2 old=g1 provider=GARMIN old_ref=alice new_ref=bob', '2 athlete g2 account=G1') p;
SELECT 'from alice to somebody', p.* FROM pg_temp.play('alice to somebody', '0 auth g1 provider=GARMIN ref=alice', '1 user_reauth g2 old=g1 provider=GARMIN old_ref=alice new_ref=bob',
    '2 user_reauth g2 old=g1 provider=GARMIN old_ref=alice') p;
-- The reauth led to another account; then she connects the first one again.
SELECT 'two accounts of one person', p.* FROM pg_temp.play('two accounts', '0 athlete g1 provider=GARMIN ref=alice account=G1', '1 user_reauth g2 old=g1 provider=GARMIN ref=alice',
    '2 athlete g2 account=G2', '3 auth g3 provider=GARMIN ref=alice', '4 athlete g3 account=G1') p;
-- A family shares a tablet.
SELECT 'a family shares a tablet', p.* FROM pg_temp.play('replace: tablet', '0 athlete mum provider=APPLE ref=mum account=tablet', '1 athlete dad provider=APPLE ref=dad account=tablet',
    '2 athlete kid provider=APPLE ref=kid account=tablet') p;
-- Terra's contradictions.
SELECT 'connected in the year 1', p.* FROM pg_temp.play('year 1', '0 auth a provider=GARMIN ref=alice created_text=0001-01-01T00:00:00Z', '1 athlete a account=G1',
    '2 auth b provider=GARMIN ref=alice', '3 athlete b account=G1') p;
SELECT 'seconds for milliseconds', p.* FROM pg_temp.play('seconds', '0 auth a provider=GARMIN ref=alice', '5 deauth a at=-28477440') p;
SELECT 'an auth of a status nobody knows', p.* FROM pg_temp.play('unknown status', '0 auth a provider=GARMIN ref=alice', '5 auth a provider=GARMIN ref=alice status=authenticated') p;
SELECT 'the same, first', problem FROM terra_identity.problems WHERE dev_id LIKE 'unknown status%' GROUP BY 2;
-- An app renames its users between two connections.
SELECT 'an app renames its users', p.* FROM pg_temp.play('renamed', '0 auth a provider=GARMIN ref=alice', '1 athlete a account=G1', '5 permission_change a provider=GARMIN ref=user-1',
    '9 user_reauth b old=a provider=GARMIN ref=user-1') p;
-- The user_reauth is lost for ever.
SELECT 'a webhook is lost', p.* FROM pg_temp.play('lost', '0 auth a provider=GARMIN ref=alice created=0', '1 athlete a account=G1', '60 auth b provider=GARMIN ref=alice created=60',
    '61 athlete b account=G1', '62 daily a provider=GARMIN ref=alice') p;
-- She disconnects, comes back, and the deauth of the old id comes last.
SELECT 'disconnected and back', p.* FROM pg_temp.play('back', '0 auth a provider=GARMIN ref=alice created=0', '1 athlete a account=G1', '9 auth b provider=GARMIN ref=alice created=9',
    '10 athlete b account=G1', '5 deauth a provider=GARMIN ref=alice') p;
\pset format aligned
\pset tuples_only off
\pset recordsep '\n'
\pset fieldsep '|'

-- A provider that reports the same account for everybody: one UPDATE mends what it did, in the same transaction.
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('stories dash', 'replace');
INSERT INTO terra_identity.events (dev_id, received_at, payload, headers)
SELECT 'stories dash', e.* FROM generate_series(1, 3) n, pg_temp.event(format('%s athlete d%s provider=DASH ref=r%s account=-', n, n, n)) e;
SELECT user_id, status FROM terra_identity.connections WHERE dev_id = 'stories dash' ORDER BY 1;
INSERT INTO terra_identity.providers (provider) VALUES ('DASH');
BEGIN;
UPDATE terra_identity.providers SET account_ids = 'unusable' WHERE provider = 'DASH';
SELECT user_id, status, provider_user_id FROM terra_identity.connections WHERE dev_id = 'stories dash' ORDER BY 1;
SELECT count(*) AS wrong FROM terra_identity.verify('stories dash');
COMMIT;
INSERT INTO terra_identity.events (dev_id, received_at, payload, headers)
SELECT 'stories dash', e.* FROM pg_temp.event('9 athlete d4 provider=DASH ref=r1 account=-') e;
SELECT user_id, status FROM terra_identity.current_connections JOIN terra_identity.connections USING (dev_id, user_id) WHERE dev_id = 'stories dash' ORDER BY 1;
SELECT count(*) AS duplicates FROM terra_identity.duplicate_connections WHERE dev_id = 'stories dash';
SELECT count(*) AS wrong FROM terra_identity.verify('stories dash');
UPDATE terra_identity.environments SET account_policy = 'keep' WHERE dev_id = 'stories dash';
SELECT count(*) AS duplicates FROM terra_identity.duplicate_connections WHERE dev_id = 'stories dash';
UPDATE terra_identity.providers SET account_ids = 'unique' WHERE provider = 'DASH';
SELECT user_id, newest FROM terra_identity.duplicate_connections WHERE dev_id = 'stories dash' ORDER BY 1;
SELECT count(*) AS wrong FROM terra_identity.verify('stories dash');
DELETE FROM terra_identity.providers WHERE provider = 'DASH';

-- Who had the account, and who has it: by a newer connection, and by a user_reauth that names two people.
SELECT from_user_id, from_reference_id, to_user_id, to_reference_id, provider, provider_user_id FROM terra_identity.transferred_accounts
WHERE dev_id = 'alice to bob{1,2,3}';
SELECT count(*) AS transfers FROM terra_identity.transferred_accounts WHERE dev_id LIKE 'alice to somebody%';
SELECT kind, user_id, detail FROM terra_identity.changes WHERE dev_id = 'alice to bob{1,2,3}' ORDER BY change_id;
-- Of all orders, told as one connection to another person.
SELECT count(DISTINCT dev_id) AS orders FROM terra_identity.changes WHERE dev_id LIKE 'alice to bob%' AND kind = 'transferred';

-- What Terra and its users' handlers were seen to send.
INSERT INTO terra_identity.events (dev_id, received_at, payload) VALUES
    ('stories seen', '2024-03-01 10:00Z', '{"type": "auth", "status": "success", "user": {"user_id": "s1", "provider": "GARMIN", "reference_id": 4711}}'),
    ('stories seen', '2024-03-01 10:00Z', '{"type": "auth", "status": "success", "reference_id": 4712, "user": {"user_id": "s2", "provider": "GARMIN"}}'),
    ('stories seen', '2024-03-01 10:01Z', '{"type": "athlete", "athlete": [{"provider_user_id": "A1"}, {"provider_user_id": "A2"}], "user": {"user_id": "s1", "provider": "GARMIN"}}'),
    ('stories seen', '2024-03-01 10:01Z', '{"type": "athlete", "data": {"provider_user_id": 42}, "user": {"user_id": "s2", "provider": "GARMIN"}}'),
    ('stories seen', '2024-03-01 10:01Z', '{"athlete": [7, {"provider_user_id": "A3"}], "user": {"user_id": "s3", "provider": "GARMIN"}}'),
    ('stories seen', '2024-03-01 10:02Z', '{"type": "auth", "status": "success", "user": {"user_id": "s4", "reference_id": 4.5}}');
SELECT user_id, reference_id, provider_user_id, status FROM terra_identity.connections WHERE dev_id = 'stories seen' ORDER BY 1;
SELECT user_id, problem FROM terra_identity.problems WHERE dev_id = 'stories seen';
-- A progress notice is no cure.
INSERT INTO terra_identity.events (dev_id, received_at, payload) VALUES
    ('stories seen', '2024-03-01 11:00Z', '{"type": "connection_error", "status": "warning", "user": {"user_id": "s1"}}'),
    ('stories seen', '2024-03-01 11:01Z', '{"type": "large_request_processing", "user": {"user_id": "s1"}}'),
    ('stories seen', '2024-03-01 11:01Z', '{"type": "permission_change", "user": {"user_id": "s1"}}'),
    ('stories seen', '2024-03-01 11:00Z', '{"type": "connection_error", "status": "warning", "user": {"user_id": "s2"}}'),
    ('stories seen', '2024-03-01 11:01Z', '{"type": "daily", "data": [], "user": {"user_id": "s2"}}');
SELECT user_id, degraded FROM terra_identity.current_connections WHERE dev_id = 'stories seen' ORDER BY 1;
-- A document that was processed again has its trace id, and another body. The same body again is a duplicate.
INSERT INTO terra_identity.events (dev_id, received_at, payload, headers) VALUES
    ('stories seen', '2024-03-01 12:00Z', '{"type": "lab_report.completed", "n": 1}', '{"X-Terra-Trace-Id": "lab"}'),
    ('stories seen', '2024-03-01 12:01Z', '{"type": "lab_report.completed", "n": 2}', '{"X-Terra-Trace-Id": "lab"}'),
    ('stories seen', '2024-03-01 12:02Z', '{"n": 1,  "type": "lab_report.completed"}', '{"X-Terra-Trace-Id": "lab"}') RETURNING payload;
SELECT outcome FROM unnest('{"{\"type\": \"lab_report.completed\", \"n\": 2}", "{\"type\": \"lab_report.completed\", \"n\": 3}"}'::text[]) body,
    terra_identity.ingest(body, '{"x-terra-trace-id": "lab"}', 'stories seen');
SELECT count(*) AS wrong FROM terra_identity.verify('stories seen');

-- The history of every connection ends with the end user that it has.
SELECT count(*) > 1000 AS connections, count(*) FILTER (WHERE h.reference_id IS DISTINCT FROM c.reference_id) AS that_end_otherwise
FROM terra_identity.connections c
LEFT JOIN LATERAL terra_identity.reference_history(c.user_id, c.dev_id) h ON h."to" = 'infinity'
WHERE c.dev_id LIKE '%}' OR c.dev_id LIKE 'stories %';
