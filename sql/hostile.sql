-- Whatever is sent is stored and read as far as it means something; under strict it is refused.
SET terra_identity.dev_id = 'hostile';
SET timezone = 'UTC';
SET datestyle = 'ISO';

-- The events received at one hour, in order, as they were read.
CREATE FUNCTION pg_temp.read_at(hour int)
RETURNS TABLE (payload text, event_type text, user_id text, problem text) LANGUAGE sql AS $$
    SELECT CASE WHEN length(payload::text) > 99 THEN left(payload::text, 96) || '...' ELSE payload::text END,
           event_type, user_id, problem
    FROM terra_identity.events
    WHERE dev_id = 'hostile' AND received_at = '2024-03-01 00:00Z'::timestamptz + $1 * interval '1 hour'
    ORDER BY event_id
$$;

--
-- 1. Payloads that are no events, and ids that are no ids
--
INSERT INTO terra_identity.events (received_at, payload)
SELECT '2024-03-01 00:00Z', payload FROM unnest(ARRAY[
    'null', 'true', '12e3', '"auth"', '[]', '{}', '[{"type": "auth"}]',
    '{"type": null}', '{"type": 7}', '{"type": {}}', '{"type": ""}', '{"type": " \t\n"}',
    '{"type": "healthcheck"}', '{"type": "a type of next year"}', '{"type": "Auth", "status": "success"}']::jsonb[]) payload;
SELECT * FROM pg_temp.read_at(0);

-- An auth with every kind of thing in the place of `user`, and in that of each id.
INSERT INTO terra_identity.events (received_at, payload)
SELECT '2024-03-01 01:00Z', jsonb_build_object('type', 'auth', 'status', 'success', 'user', thing)
FROM unnest(ARRAY['null', '1', 'true', '"u"', '[]', '[{"user_id": "u"}]', '{}']::jsonb[]) thing;
INSERT INTO terra_identity.events (received_at, payload)
SELECT '2024-03-01 01:00Z', jsonb_build_object('type', 'auth', 'status', 'success', 'user',
                                               '{"user_id": "u"}'::jsonb || jsonb_build_object(id, thing))
FROM unnest(ARRAY['user_id', 'reference_id', 'provider']) id,
     unnest(ARRAY['null', '7', 'false', '{"a": 1}', '["a"]', '""', '" \r\n\t\u000b\f"']::jsonb[]) thing;
SELECT payload, user_id, problem FROM pg_temp.read_at(1);
SELECT user_id, reference_id, provider, status FROM terra_identity.connections WHERE dev_id = 'hostile';

-- The two roles of user_reauth.
INSERT INTO terra_identity.events (received_at, payload)
SELECT '2024-03-01 02:00Z', '{"type": "user_reauth"}' || roles FROM unnest(ARRAY[
    '{}', '{"user": {"user_id": "u"}}', '{"new_user": null}', '{"new_user": [1]}', '{"new_user": {"user_id": 1}}',
    '{"new_user": {"user_id": "r0"}}', '{"new_user": {"user_id": "r1"}, "old_user": null}',
    '{"new_user": {"user_id": "r2"}, "old_user": {}}', '{"new_user": {"user_id": "r3"}, "old_user": {"user_id": " "}}',
    '{"new_user": {"user_id": "r4"}, "old_user": {"user_id": "r4"}}',
    '{"new_user": {"user_id": "r5"}, "old_user": {"user_id": " r5\n", "reference_id": 5, "provider": []}}',
    '{"new_user": {"user_id": "r6"}, "old_user": {"user_id": null, "reference_id": 6}}',
    '{"new_user": {"user_id": "bad1"}, "old_user": "old"}', '{"new_user": {"user_id": "bad2"}, "old_user": []}',
    '{"new_user": {"user_id": "bad3"}, "old_user": {"user_id": 3}}',
    '{"new_user": {"user_id": "bad4"}, "old_user": {"user_id": "old", "reference_id": 4}}']::jsonb[]) roles;
SELECT payload, user_id, problem FROM pg_temp.read_at(2);

-- The provider account: integers of 64 bits are ids too; text keeps its zeros.
INSERT INTO terra_identity.events (received_at, payload)
SELECT '2024-03-01 03:00Z', '{"type": "athlete"}' || jsonb_build_object('user', jsonb_build_object('user_id', 'a' || n, 'provider', 'x')) || told
FROM unnest(ARRAY[
    '{}', '{"athlete": null}', '{"athlete": []}', '{"athlete": "x", "data": {"provider_user_id": "x"}}', '{"data": []}',
    '{"data": [1, "x", null, [], {"provider_user_id": ""}]}', '{"athlete": {"provider_user_id": null}}',
    '{"athlete": {"provider_user_id": true}}', '{"athlete": {"provider_user_id": 1.5}}', '{"athlete": {"provider_user_id": 1e30}}',
    '{"data": [{"provider_user_id": {}}]}', '{"athlete": {"provider_user_id": 18446744073709551616}}',
    '{"athlete": {"provider_user_id": 18446744073709551615}}', '{"athlete": {"provider_user_id": -9223372036854775808}}',
    '{"athlete": {"provider_user_id": 0}}', '{"athlete": {"provider_user_id": -0}}', '{"athlete": {"provider_user_id": "007"}}',
    '{"athlete": {"provider_user_id": " 7 "}}', '{"data": [{}, {"provider_user_id": 8}, {"provider_user_id": "9"}]}',
    '{"athlete": {"provider_user_id": " "}, "data": [{"provider_user_id": "10"}]}']::jsonb[]) WITH ORDINALITY t (told, n);
SELECT r.user_id, r.problem, c.status, c.provider_user_id
FROM pg_temp.read_at(3) r LEFT JOIN terra_identity.connections c ON c.dev_id = 'hostile' AND c.user_id = r.user_id;

-- Length: 512 bytes after trimming are an id, 513 are none, nor are 10 kB; in every role.
CREATE FUNCTION pg_temp.told_length(id text) RETURNS TABLE (role text, problem text) LANGUAGE plpgsql AS $$
DECLARE
    payload jsonb;
    long jsonb := jsonb_build_object('user_id', 'long');
BEGIN
    FOR role, payload IN VALUES
        ('user_id', jsonb_build_object('type', 'auth', 'status', 'success', 'user', jsonb_build_object('user_id', id))),
        ('reference_id', jsonb_build_object('type', 'daily', 'user', long || jsonb_build_object('reference_id', id))),
        ('provider', jsonb_build_object('type', 'daily', 'user', long || jsonb_build_object('provider', id))),
        ('top level', jsonb_build_object('type', 'connection_error', 'reference_id', id, 'user', long)),
        ('old_user', jsonb_build_object('type', 'user_reauth', 'new_user', long, 'old_user', jsonb_build_object('user_id', id))),
        ('athlete', jsonb_build_object('type', 'athlete', 'user', long, 'athlete', jsonb_build_object('provider_user_id', id))),
        ('no user', jsonb_build_object('type', 'auth_cancelled', 'reference_id', id)),
        ('type', jsonb_build_object('type', id, 'user', long))
    LOOP
        INSERT INTO terra_identity.events AS e (received_at, payload) VALUES ('2024-03-01 04:00Z', payload)
        RETURNING e.problem INTO problem;
        RETURN NEXT;
    END LOOP;
END $$;
SELECT * FROM pg_temp.told_length(E' \t' || repeat('é', 256) || E'\n');
SELECT * FROM pg_temp.told_length(repeat('é', 256) || 'x');
SELECT * FROM pg_temp.told_length(repeat('x', 10240));
SELECT terra_identity.resolve(repeat('x', 10240)) IS NULL AS no_such_id;
-- The longest of everything at once, incompressible: every index takes it.
SELECT length(set_config('terra_identity.dev_id', string_agg(md5('dev' || n), ''), false)) AS longest FROM generate_series(1, 16) n;
INSERT INTO terra_identity.environments (dev_id, account_policy) SELECT current_setting('terra_identity.dev_id'), 'replace';
INSERT INTO terra_identity.events (received_at, payload, headers)
SELECT '2024-03-01 04:00Z',
       jsonb_build_object('type', 'athlete', 'user', jsonb_build_object('user_id', i[1 + which], 'provider', i[3], 'reference_id', i[4 + which]),
                          'athlete', jsonb_build_object('provider_user_id', i[6])),
       jsonb_build_object('X-Terra-Trace-Id', i[7 + which])
FROM generate_series(0, 1) which,
     (SELECT array_agg(id ORDER BY k) FROM (
        SELECT k, string_agg(md5(k || ' ' || n), '') AS id FROM generate_series(1, 8) k, generate_series(1, 16) n GROUP BY k) ids) t (i);
INSERT INTO terra_identity.events (received_at, payload)
SELECT '2024-03-01 04:00Z', jsonb_build_object('type', string_agg(md5('type' || n), ''), 'user', jsonb_build_object('user_id', string_agg(md5('user' || n), '')))
FROM generate_series(1, 16) n RETURNING octet_length(event_type), octet_length(user_id), problem;
SELECT octet_length(user_id), octet_length(reference_id), octet_length(provider), octet_length(provider_user_id), status
FROM terra_identity.connections WHERE dev_id = current_setting('terra_identity.dev_id') ORDER BY status;
SELECT terra_identity.rebuild();
SELECT * FROM terra_identity.verify();
SET terra_identity.dev_id = 'hostile';

-- Words: what trims to a word is the word; another case is another word, another Unicode form another id.
INSERT INTO terra_identity.events (received_at, payload)
SELECT '2024-03-01 05:00Z', payload FROM unnest(ARRAY[
    '{"type": " auth\n", "status": "\tsuccess ", "user": {"user_id": " w1 ", "provider": " gärmin\t", "scopes": " a,b "}}',
    '{"type": "auth", "status": "SUCCESS", "user": {"user_id": "w2"}}',
    '{"type": "auth", "status": "", "user": {"user_id": "w3"}}',
    '{"type": "auth", "status": true, "user": {"user_id": "w3"}}',
    '{"type": "AUTH", "status": "success", "user": {"user_id": "W1"}}',
    '{"type": "daily", "user": {"user_id": "w4", "scopes": 5, "created_at": 5, "active": "maybe"}}']::jsonb[]) payload;
SELECT r.event_type, r.user_id, c.provider, c.status, c.confirmed, c.scopes, c.created_at, r.problem
FROM pg_temp.read_at(5) r LEFT JOIN terra_identity.connections c ON c.dev_id = 'hostile' AND c.user_id = r.user_id;
INSERT INTO terra_identity.events (received_at, payload)
SELECT '2024-03-01 05:30Z', jsonb_build_object('type', 'daily', 'user', jsonb_build_object('user_id', id))
FROM unnest(ARRAY[E'\u00e4', E'a\u0308', E'\u00a0w1', 'w1']) id;
SELECT count(*) AS ids_of_their_own FROM terra_identity.connections WHERE dev_id = 'hostile' AND first_seen_at = '2024-03-01 05:30Z';
-- Of duplicate keys jsonb keeps the last, and that is the one that is read.
INSERT INTO terra_identity.events (received_at, payload) VALUES ('2024-03-01 05:45Z',
    '{"type": "daily", "type": "auth", "status": "error", "status": "success", "user": {"user_id": "x", "user_id": "last"}}');
SELECT user_id, confirmed FROM terra_identity.connections WHERE dev_id = 'hostile' AND user_id IN ('x', 'last');

--
-- 2. Large and deep
--
INSERT INTO terra_identity.events (received_at, payload)
SELECT '2024-03-01 06:00Z', jsonb_build_object('type', type, 'user', '{"user_id": "large", "provider": "x"}'::jsonb, 'data',
    (SELECT jsonb_agg(jsonb_build_object(CASE n WHEN 99999 THEN 'provider_user_id' ELSE 'heart_rate' END, n)) FROM generate_series(1, 100000) n))
FROM unnest(ARRAY['daily', 'athlete']) type;
-- 10,000 levels deep, which jsonb itself needs some stack for, in every place that is looked at.
SET max_stack_depth = '6MB';
INSERT INTO terra_identity.events (received_at, payload)
SELECT '2024-03-01 06:00Z', jsonb_build_object('type', type, 'status', 'success', 'user', jsonb_build_object('user_id', 'deep', 'extra', deep),
                                               'data', deep, 'athlete', deep, 'deep', deep)
FROM unnest(ARRAY['daily', 'auth', 'athlete', 'deauth', 'a type of next year']) type,
     (SELECT (repeat('[', 10000) || repeat(']', 10000))::jsonb) d (deep);
INSERT INTO terra_identity.events (received_at, payload)
SELECT '2024-03-01 06:00Z', ('{"type": "auth", "status": "success", "user": ' || repeat('{"user_id": ', 10000) || '"deep"' || repeat('}', 10001))::jsonb;
RESET max_stack_depth;
SELECT event_type, user_id, problem FROM pg_temp.read_at(6);
SELECT user_id, provider_user_id, status FROM terra_identity.connections
WHERE dev_id = 'hostile' AND user_id IN ('large', 'deep') ORDER BY 1;

--
-- 3. Headers and times
--
INSERT INTO terra_identity.events (received_at, payload, headers)
SELECT '2024-03-01 07:00Z', jsonb_build_object('type', 'daily', 'user', jsonb_build_object('user_id', 'h' || n)), headers
FROM unnest(ARRAY[
    'null', '[]', '["X-Terra-Trace-Id", "h"]', '7', '"x"', '{}',
    '{"X-Terra-Trace-Id": null, "X-Terra-Ordering-Timestamp": null}',
    '{"X-Terra-Trace-Id": 8, "X-Terra-Ordering-Timestamp": 1709251200000}',
    '{"X-Terra-Trace-Id": ["h9", "h"], "X-Terra-Ordering-Timestamp": ["1709251200000", "1"]}',
    '{"X-Terra-Trace-Id": [["h"]], "X-Terra-Ordering-Timestamp": [1709251200000]}',
    '{"x-TERRA-trace-ID": " h11 ", "x-terra-ordering-TIMESTAMP": " 1709251200000\n"}',
    '{"X-Terra-Trace-Id": "", "X-Terra-Ordering-Timestamp": "yesterday"}',
    '{"X-Terra-Trace-Id": {"a": 1}, "X-Terra-Ordering-Timestamp": true}',
    '{"X-Terra-Trace-Id": " ", "X-Terra-Ordering-Timestamp": "-1"}', '{"X-Terra-Ordering-Timestamp": 1709251200000.5}',
    '{"X-Terra-Ordering-Timestamp": "0"}', '{"X-Terra-Ordering-Timestamp": "1709251200000000"}',
    '{"X-Terra-Ordering-Timestamp": "999999999999999999"}', '{"X-Terra-Ordering-Timestamp": "9223372036854775808"}',
    '{"X-Terra-Ordering-Timestamp": "1709362800000"}', '{"X-Terra-Ordering-Timestamp": "1709362800001"}',
    '{"terra-reference": "h", "X-Terra-Trace-Id ": "h", "X Terra Trace Id": "h"}']::jsonb[]) WITH ORDINALITY t (headers, n);
SELECT user_id, trace_id, event_time, headers
FROM terra_identity.events WHERE dev_id = 'hostile' AND received_at = '2024-03-01 07:00Z' ORDER BY event_id;
INSERT INTO terra_identity.events (received_at, payload, headers)
SELECT '2024-03-01 07:30Z', '{"type": "auth", "status": "success", "user": {"user_id": "long trace"}}', jsonb_build_object('X-Terra-Trace-Id', repeat('t', n))
FROM generate_series(512, 513) n, generate_series(1, 2) again
RETURNING length(trace_id), problem;

-- created_at: what does not parse, is no date, or is more than a day ahead is not believed.
INSERT INTO terra_identity.events (received_at, payload)
SELECT '2024-03-01 08:00Z', jsonb_build_object('type', 'auth', 'status', 'success', 'user', jsonb_build_object('user_id', 't' || n, 'created_at', told))
FROM unnest(ARRAY['2024-02-29T10:00:00.123456789+01:00', ' 2024-02-29 10:00 ', '2024-02-29T10:00:00-0130', '2024-02-29T10:00:00+14',
    '2024-02-29T10:00:00Z', '2024-02-29T10:00:00', '0001-01-01T00:00:00Z', '2024-03-02T08:00:00Z', '2024-03-02T08:00:00.000001Z',
    '0000-01-01T00:00:00Z', '9999-12-31T23:59:59Z', '99999-01-01T00:00:00Z', '2023-02-29T10:00:00Z', '2024-13-01T00:00:00Z',
    '2024-02-29T24:00:00Z', '2024-02-29T10:00:60Z', '2024-02-29', 'infinity', 'now', '', '1709251200', '2024-02-29T10:00:00Zulu',
    '2024-02-29T10:00:00+99:00', '2024-02-29t10:00:00z', '2024-02-29T10:00:00.Z', '-2024-02-29T10:00:00Z']) WITH ORDINALITY t (told, n);
SELECT payload #>> '{user,created_at}' AS told, created_at, connected_at
FROM terra_identity.events e JOIN terra_identity.connections c USING (dev_id, user_id)
WHERE e.dev_id = 'hostile' AND received_at = '2024-03-01 08:00Z' ORDER BY event_id;

-- Received near the ends of time.
INSERT INTO terra_identity.events (received_at, payload) VALUES
    ('4713-01-01 00:00Z BC', '{"type": "auth", "status": "success", "user": {"user_id": "ancient", "created_at": "0001-01-01T00:00Z"}}'),
    ('290000-01-01 00:00Z', '{"type": "auth", "status": "success", "user": {"user_id": "far", "created_at": "9999-12-31T23:59Z"}}'),
    ('4713-01-01 00:00Z BC', '{"type": "deauth", "user": {"user_id": "far"}}'),
    ('290000-01-01 00:00Z', '{"type": "deauth", "user": {"user_id": "ancient"}}');
SELECT user_id, created_at, first_seen_at, connected_at, status, ended_at FROM terra_identity.connections
WHERE dev_id = 'hostile' AND user_id IN ('ancient', 'far') ORDER BY 1;

SELECT terra_identity.rebuild();
SELECT * FROM terra_identity.verify();

--
-- 4. Strict: what would be a problem is an error, and leaves nothing
--
SET terra_identity.dev_id = 'hostile strict';
SET terra_identity.strict = on;
CREATE FUNCTION pg_temp.refused(payload jsonb, headers jsonb DEFAULT NULL)
RETURNS TABLE (state text, message text, detail text, hint text) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO terra_identity.events (received_at, payload, headers) VALUES
        ('2024-03-01', '{"type": "auth", "status": "success", "user": {"user_id": "good"}}', '{"X-Terra-Trace-Id": "good"}'),
        ('2024-03-01', payload, headers);
    message := 'not refused';
    RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN NEXT;
END $$;
SELECT hint FROM pg_temp.refused('7');
SELECT r.state, r.message, r.detail FROM unnest(ARRAY['[]', '{"type": 1}', '{"type": "auth", "user": {"user_id": "x"}}',
    '{"type": "deauth"}', '{"type": "deauth", "user": []}', '{"type": "athlete", "user": {"user_id": 5}}',
    '{"type": "daily", "user": {"user_id": " "}}', '{"type": "new type", "user": "x"}',
    '{"type": "daily", "user": {"user_id": "x", "provider": 1}}', '{"type": "daily", "reference_id": [], "user": {"user_id": "x"}}',
    '{"type": "athlete", "user": {"user_id": "x"}, "athlete": {"provider_user_id": 0.5}}',
    '{"type": "user_reauth", "user": {"user_id": "x"}}', '{"type": "user_reauth", "new_user": {"user_id": "x"}, "old_user": 1}']::jsonb[]) p,
    pg_temp.refused(p) r;
SELECT r.state, r.message, r.detail
FROM unnest('{user_id,trace id}'::text[]) too_long,
     pg_temp.refused(jsonb_build_object('type', 'daily', 'user', jsonb_build_object('user_id', repeat('x', CASE too_long WHEN 'user_id' THEN 600 ELSE 1 END))),
                     jsonb_build_object('X-Terra-Trace-Id', repeat('x', CASE too_long WHEN 'trace id' THEN 600 ELSE 1 END))) r;
SELECT (SELECT count(*) FROM terra_identity.events WHERE dev_id = 'hostile strict') AS events,
       (SELECT count(*) FROM terra_identity.deliveries WHERE dev_id = 'hostile strict') AS deliveries,
       (SELECT count(*) FROM terra_identity.connections WHERE dev_id = 'hostile strict') AS connections,
       (SELECT count(*) FROM terra_identity.changes WHERE dev_id = 'hostile strict') AS changes;
-- What is well-formed is stored, new types included.
INSERT INTO terra_identity.events (received_at, payload)
VALUES ('2024-03-01', '{"type": "a type of next year", "status": 5}'), ('2024-03-01', '{"type": "s3_payload", "url": "x", "user": null}')
RETURNING event_type, problem;
RESET terra_identity.strict;
SELECT * FROM terra_identity.verify();
