-- The signature of a delivery, and the secrets that it is made with.
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET terra_identity.dev_id = 'signatures';

-- HMAC-SHA256 by its definition (RFC 2104).
CREATE FUNCTION pg_temp.hmac(secret text, message bytea) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
    inner_pad bytea := decode(repeat('36', 64), 'hex');
    outer_pad bytea := decode(repeat('5c', 64), 'hex');
    key bytea := convert_to(secret, 'UTF8');
BEGIN
    IF length(key) > 64 THEN
        key := sha256(key);
    END IF;
    FOR i IN 0..length(key) - 1 LOOP
        inner_pad := set_byte(inner_pad, i, get_byte(inner_pad, i) # get_byte(key, i));
        outer_pad := set_byte(outer_pad, i, get_byte(outer_pad, i) # get_byte(key, i));
    END LOOP;
    RETURN sha256(outer_pad || sha256(inner_pad || message));
END $$;
CREATE FUNCTION pg_temp.v1(secret text, t text, body bytea) RETURNS text LANGUAGE sql
    RETURN encode(pg_temp.hmac(secret, convert_to(t || '.', 'UTF8') || body), 'hex');
CREATE FUNCTION pg_temp.t(seconds_from_now int DEFAULT 0) RETURNS text LANGUAGE sql
    RETURN (extract(epoch FROM clock_timestamp())::bigint + seconds_from_now)::text;
CREATE FUNCTION pg_temp.signed(secret text, body bytea, seconds_from_now int DEFAULT 0) RETURNS text LANGUAGE sql AS
    $$ SELECT format('t=%s,v1=%s', t, pg_temp.v1(secret, t, body)) FROM (SELECT pg_temp.t(seconds_from_now) AS t OFFSET 0) now $$;

--
-- 1. verify_signature
--
-- Terra's test vector, by both.
SELECT pg_temp.v1('key', '12345678', '123') AS by_definition;
SELECT terra_identity.verify_signature('123', 't=12345678,v1=dca55eca8f595bd4d80250ab9609c7cbecec8e581c5c3822294f7c2ee1c99377', 'key', '0', to_timestamp(12345678));
-- Bodies of every kind of length and byte, secrets up to the length of a block and over it.
SELECT count(*) AS agree FROM generate_series(0, 300) n,
    LATERAL (SELECT convert_to(left(md5(n::text) || repeat('é', n), n), 'UTF8') AS body, left(repeat(md5(n::text) || 'ü', 4), 1 + n % 130) AS secret) b
WHERE terra_identity.verify_signature(body, 't=7,v1=' || pg_temp.v1(secret, '7', body), secret, NULL);
SELECT terra_identity.verify_signature('\x00ff0a'::bytea, 't=7,v1=' || pg_temp.v1('k', '7', '\x00ff0a'), 'k', NULL) AS binary,
       terra_identity.verify_signature(decode(repeat('61', 3 << 20), 'hex'), 't=7,v1=' || pg_temp.v1('k', '7', decode(repeat('61', 3 << 20), 'hex')), 'k', NULL) AS over_a_chunk;
-- Every form of the header.
SELECT header, terra_identity.verify_signature('b', replace(replace(replace(header, 'GOOD', good), 'UPPER', upper(good)), 'BAD', md5('a') || md5('b')), 'k', '5 minutes', to_timestamp(1000))
FROM (SELECT pg_temp.v1('k', '1000', 'b') AS good) g, unnest(ARRAY[
    't=1000,v1=GOOD', 'v1=GOOD,t=1000', ' t = 1000 , v1 = GOOD ', 't=1000,v1=UPPER', 't=1000,v1=BAD,v1=GOOD', 't=1000,v1=GOOD,v1=BAD',
    't=1000,v0=BAD,v1=GOOD', 't=1000,v1=GOOD,v0=GOOD', ',t=1000,,v1=GOOD,x,=,y=1', 't=1000,v1=xyz,v1=GOOD',
    't=1000,v1=BAD', 't=1000,v0=GOOD', 't=1000,v2=GOOD', 't=1000,V1=GOOD', 't=1000,v1=GOOD0', 't=1000,v1=', 't=1000', 'v1=GOOD', 'GOOD', '',
    't=1000,t=1000,v1=GOOD', 't=1001,v1=GOOD', 't=01000,v1=GOOD', 't=-1000,v1=GOOD', 't=+1000,v1=GOOD', 't=1000.0,v1=GOOD', 't=1e3,v1=GOOD', 't=,v1=GOOD',
    't=9223372036855,v1=GOOD', 't=99999999999999999999,v1=GOOD', 't=1000;v1=GOOD', 't=1000,v1=GOOD' || chr(160), repeat('t=1000,', 2) || 'v1=GOOD']) header;
-- The tolerance: either way, to the microsecond; milliseconds are far off.
SELECT "at", tolerance, terra_identity.verify_signature('b', 't=1000,v1=' || pg_temp.v1('k', '1000', 'b'), 'k', tolerance::interval, "at"::timestamptz)
FROM (VALUES ('1970-01-01 00:16:40+00', '0'), ('1970-01-01 00:21:40+00', '5 min'), ('1970-01-01 00:21:40.000001+00', '5 min'), ('1970-01-01 00:11:40+00', '5 min'),
             ('1970-01-01 00:11:39.999999+00', '5 min'), ('1970-01-31 00:16:40+00', '1 mon'), ('1970-01-31 00:16:40.000001+00', '1 mon'), ('2026-01-01', NULL),
             ('1970-01-01 00:16:40+00', '-1 s'), ('infinity', '1000000 years'), ('-infinity', '1 day'), ('infinity', NULL), ('4713-01-01 BC', '10000 years'),
             ('294276-12-31', '178000000 years'), ('294276-12-31', '1 year')) v ("at", tolerance);
SELECT terra_identity.verify_signature('b', 't=1000000,v1=' || pg_temp.v1('k', '1000000', 'b'), 'k', '5 min', to_timestamp(1000)) AS milliseconds,
       terra_identity.verify_signature('b', pg_temp.signed('k', 'b', -86000), 'k') AS by_default_a_day,
       terra_identity.verify_signature('b', pg_temp.signed('k', 'b', -87000), 'k') AS and_no_more;
-- An empty secret is none.
SELECT terra_identity.verify_signature('b', 't=1000,v1=' || pg_temp.v1('', '1000', 'b'), '', NULL) AS empty_secret;
-- Null is never unknown.
SELECT terra_identity.verify_signature(NULL, 't=1000,v1=x', 'k'), terra_identity.verify_signature('b', NULL, 'k'), terra_identity.verify_signature('b', 't=1000,v1=x', NULL),
       terra_identity.verify_signature('b', 't=1000,v1=' || pg_temp.v1('k', '1000', 'b'), 'k', NULL, NULL);

--
-- 2. An environment that requires signatures
--
CREATE FUNCTION pg_temp.deliver(header text, body text DEFAULT '{"type": "healthcheck"}') RETURNS text LANGUAGE sql
    RETURN (SELECT CASE http_status WHEN 200 THEN '200' ELSE concat_ws(': ', http_status, detail) END
            FROM terra_identity.ingest(body, jsonb_build_object('X-Terra-Signature', header)));
-- None does until it has a secret.
SELECT pg_temp.deliver(NULL), pg_temp.deliver('t=1,v1=2');
SELECT terra_identity.set_signing_secret('first') > 0 AS secret_id;
SELECT dev_id, account_policy, signature_required, signature_tolerance FROM terra_identity.environments WHERE dev_id = 'signatures';
SELECT pg_temp.deliver(NULL), pg_temp.deliver('t=1,v1=2'), pg_temp.deliver(pg_temp.signed('second', '{"type": "healthcheck"}')),
       pg_temp.deliver(pg_temp.signed('first', '{"type": "healthcheck"}')), pg_temp.deliver(pg_temp.signed('first', '{"type":"healthcheck"}'));
-- The bytes count, not what they mean.
SELECT pg_temp.deliver(pg_temp.signed('first', '{"type": "healthcheck"}'), '{"type":  "healthcheck"}') AS tampered,
       pg_temp.deliver(pg_temp.signed('first', convert_to(E' {"type": "h\u00e9"}\n', 'UTF8')), E' {"type": "h\u00e9"}\n') AS signed_as_it_is;
-- Both names, in any case; as a framework that splits headers passes them; the better of the two counts.
SELECT name, http_status FROM (SELECT pg_temp.signed('first', 'null') AS good) g, LATERAL (VALUES
    (jsonb_build_object('x-terra-signature', good)), (jsonb_build_object('X-TERRA-SIGNATURE', good)), (jsonb_build_object('terra-signature', good)),
    (jsonb_build_object('Terra-Signature', jsonb_build_array(good, 'x'))), (jsonb_build_object('terra-signature', 'x', 'X-Terra-Signature', good)),
    (jsonb_build_object('terra-signature', good, 'X-Terra-Signature', 'x')), (jsonb_build_object('X-Terra-Signature', jsonb_build_array('x', good))),
    (jsonb_build_object('signature', good)), (jsonb_build_object('X-Terra-Signature', jsonb_build_object('a', good))), (jsonb_build_array('X-Terra-Signature', good)), (NULL), ('null')) h (headers),
    LATERAL (SELECT replace(headers::text, good, 'GOOD')) n (name), terra_identity.ingest('null'::text, headers);
-- The tolerance of the environment.
SELECT pg_temp.deliver(pg_temp.signed('first', 'null', -86000), 'null') AS a_day, pg_temp.deliver(pg_temp.signed('first', 'null', -87000), 'null') AS more,
       pg_temp.deliver(pg_temp.signed('first', 'null', 87000), 'null') AS ahead;
UPDATE terra_identity.environments SET signature_tolerance = '5 min' WHERE dev_id = 'signatures';
SELECT pg_temp.deliver(pg_temp.signed('first', 'null', -290), 'null') AS within, pg_temp.deliver(pg_temp.signed('first', 'null', -310), 'null') AS more;
UPDATE terra_identity.environments SET signature_tolerance = NULL WHERE dev_id = 'signatures';
SELECT pg_temp.deliver('t=0,v1=' || pg_temp.v1('first', '0', 'null'), 'null') AS any_time;
UPDATE terra_identity.environments SET signature_tolerance = '-1 s' WHERE dev_id = 'signatures';

-- Rotation: both are good until the old one ends.
SELECT terra_identity.set_signing_secret('second') AS second \gset
SELECT pg_temp.deliver(pg_temp.signed('first', 'null'), 'null') AS first, pg_temp.deliver(pg_temp.signed('second', 'null'), 'null') AS second;
SELECT terra_identity.set_signing_secret('first', clock_timestamp() + '1 hour') < :second AS the_same_one;
SELECT pg_temp.deliver(pg_temp.signed('first', 'null'), 'null') AS still;
SELECT terra_identity.set_signing_secret('first', clock_timestamp()) < :second AS the_same_one;
SELECT pg_temp.deliver(pg_temp.signed('first', 'null'), 'null') AS first, pg_temp.deliver(pg_temp.signed('second', 'null'), 'null') AS second;
SELECT secret, valid_until IS NULL AS for_ever FROM terra_identity.signing_secrets WHERE dev_id = 'signatures' ORDER BY secret_id;

-- One environment's secret is not another's; an account policy is not touched.
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('signatures too', 'replace');
SELECT terra_identity.set_signing_secret('third', dev_id => 'signatures too') > 0 AS secret_id;
SELECT dev_id, account_policy, signature_required FROM terra_identity.environments WHERE dev_id LIKE 'signatures%' ORDER BY 1;
SELECT dev_id, secret, http_status FROM unnest('{signatures,signatures too}'::text[]) dev_id, unnest('{second,third}'::text[]) secret,
    terra_identity.ingest('null'::text, jsonb_build_object('terra-signature', pg_temp.signed(secret, 'null')), dev_id) ORDER BY 1, 2;

-- Without a secret nothing is accepted any more, and that is an error: the sender is to try again.
SELECT terra_identity.drop_signing_secret(:second, 'signatures too') AS elsewhere, terra_identity.drop_signing_secret(:second) AS here, terra_identity.drop_signing_secret(:second) AS again;
\set VERBOSITY sqlstate
\set SHOW_CONTEXT never
SELECT pg_temp.deliver(pg_temp.signed('second', 'null'), 'null');
\set VERBOSITY default
UPDATE terra_identity.environments SET signature_required = false WHERE dev_id = 'signatures';
SELECT pg_temp.deliver(NULL, 'null');

-- What is no secret; no message shows it.
SELECT terra_identity.set_signing_secret(NULL);
SELECT terra_identity.set_signing_secret('');
SELECT terra_identity.set_signing_secret(' pasted');
SELECT terra_identity.set_signing_secret(E'pasted\n');
SELECT terra_identity.set_signing_secret(repeat('long', 257));
SELECT terra_identity.set_signing_secret('ours', dev_id => '');
SELECT count(*) AS secrets FROM terra_identity.signing_secrets WHERE dev_id IN ('signatures', '');

--
-- 3. Refusals are counted, not kept
--
SELECT dev_id, reason, refused, first_at <= last_at AS in_order FROM terra_identity.refusals WHERE dev_id LIKE 'signatures%' ORDER BY 1, 2;
SELECT count(*) AS kept FROM terra_identity.rejected WHERE dev_id LIKE 'signatures%';
-- Logged once a minute.
BEGIN;
UPDATE terra_identity.environments SET signature_required = true WHERE dev_id = 'signatures too';
UPDATE terra_identity.refusal_counters SET logged_at = logged_at - interval '2 minutes', last_at = last_at - interval '2 minutes' WHERE dev_id = 'signatures too';
SELECT http_status FROM terra_identity.ingest('null'::text, jsonb_build_object('terra-signature', pg_temp.signed('fourth', 'null')), 'signatures too');
SELECT refused, logged_at = last_at AS logged FROM terra_identity.refusal_counters WHERE dev_id = 'signatures too';
SELECT http_status FROM terra_identity.ingest('null'::text, jsonb_build_object('terra-signature', pg_temp.signed('fourth', 'null')), 'signatures too');
SELECT refused, logged_at = last_at AS logged FROM terra_identity.refusal_counters WHERE dev_id = 'signatures too';
ROLLBACK;

--
-- 4. What was signed is stored once, whatever headers come with it
--
CREATE FUNCTION pg_temp.send(signature text, body text, trace text, sent_at timestamptz) RETURNS text LANGUAGE sql
    RETURN (SELECT concat_ws(' ', outcome, http_status) FROM terra_identity.ingest(body, jsonb_build_object('X-Terra-Signature', signature,
        'X-Terra-Trace-Id', trace, 'X-Terra-Ordering-Timestamp', (extract(epoch FROM sent_at) * 1000)::bigint::text), 'signatures too'));
SELECT '{"type": "auth", "status": "success", "user": {"user_id": "u1", "reference_id": "alice"}}' AS auth, '{"type": "deauth", "user": {"user_id": "u1"}}' AS deauth \gset
SELECT pg_temp.signed('third', :'auth') AS auth_signature, pg_temp.signed('third', :'deauth') AS deauth_signature, pg_temp.signed('third', '{"type":') AS bad_signature,
       pg_temp.signed('third', :'auth', -60) AS earlier_signature \gset
SELECT pg_temp.send(:'auth_signature', :'auth', '1', now() - interval '2 min') AS auth, pg_temp.send(:'deauth_signature', :'deauth', '2', now() - interval '1 min') AS deauth;
SELECT user_id, status FROM terra_identity.connections WHERE dev_id = 'signatures too';
-- Captured, and sent again as something new: it would revive the connection.
SELECT pg_temp.send(:'auth_signature', :'auth', 'evil', now() + interval '1 h') AS revive, pg_temp.send(upper(:'auth_signature'), :'auth', 'evil', now()) AS malformed,
       pg_temp.send(' ' || replace(:'auth_signature', ',', ' , ') || ',v1=0', :'auth', 'evil', now()) AS otherwise;
-- A second secret that signs the same does not make it another one.
SELECT terra_identity.set_signing_secret('fifth', dev_id => 'signatures too') > 0 AS secret_id;
SELECT split_part(:'auth_signature', ',', 1) AS t \gset
SELECT pg_temp.send(:'t' || ',v1=' || pg_temp.v1('fifth', substr(:'t', 3), :'auth'), :'auth', 'evil', now()) AS by_another_secret;
SELECT user_id, status FROM terra_identity.connections WHERE dev_id = 'signatures too';
-- A retry that was signed anew is the same by its trace id, and what is rejected may come again.
SELECT pg_temp.send(:'earlier_signature', :'auth', '1', now()) AS retry, pg_temp.send(:'earlier_signature', :'auth', 'evil', now()) AS again;
SELECT pg_temp.send(:'bad_signature', '{"type":', '3', now()) AS bad, pg_temp.send(:'bad_signature', '{"type":', '3', now()) AS again;
-- A validly signed body under a trace id that is taken is an event of its own, once.
SELECT '{"type": "daily", "user": {"user_id": "u1"}}' AS daily \gset
SELECT pg_temp.signed('third', :'daily') AS daily_signature, pg_temp.signed('third', :'daily', -60) AS earlier_daily_signature \gset
SELECT pg_temp.send(:'daily_signature', :'daily', '1', now()) AS another_body, pg_temp.send(:'daily_signature', :'daily', '1', now()) AS again,
       pg_temp.send(:'earlier_daily_signature', :'daily', '1', now()) AS signed_anew;
-- Nor does a replay make room for another.
SET terra_identity.strict = on;
SELECT '{"type": "auth", "user": {"user_id": "u1"}}' AS strict \gset
SELECT pg_temp.signed('third', :'strict') AS strict_signature \gset
SELECT pg_temp.send(:'strict_signature', :'strict', '4', now()) AS strict;
RESET terra_identity.strict;
SELECT outcome, detail IS NOT NULL AS told FROM terra_identity.replay_rejected('signatures too') ORDER BY 1;
SELECT pg_temp.send(:'strict_signature', :'strict', 'evil', now()) AS replayed;
SELECT count(*) AS signed, count(DISTINCT s.event_id) AS events, bool_and(e.event_id IS NOT NULL) AS there
FROM terra_identity.signatures s LEFT JOIN terra_identity.events e USING (dev_id, event_id)
WHERE s.dev_id = 'signatures too' AND e.trace_id IS NOT NULL;
SELECT * FROM terra_identity.verify('signatures too');

--
-- 5. The door does not open by itself
--
CREATE FUNCTION pg_temp.unsigned() RETURNS text LANGUAGE sql
    RETURN (SELECT concat_ws(' ', outcome, http_status) FROM terra_identity.ingest('{"type": "healthcheck"}'::text, NULL, 'signatures too'));
UPDATE terra_identity.environments SET signature_tolerance = '5 min' WHERE dev_id = 'signatures too';
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('signatures too', 'keep');
INSERT INTO terra_identity.environments (dev_id) VALUES ('signatures too') ON CONFLICT DO NOTHING;
SELECT account_policy, signature_required, signature_tolerance, pg_temp.unsigned() FROM terra_identity.environments WHERE dev_id = 'signatures too';
BEGIN;
UPDATE terra_identity.environments SET dev_id = 'signatures elsewhere' WHERE dev_id = 'signatures too';
SELECT pg_temp.unsigned() AS renamed;
DELETE FROM terra_identity.environments WHERE dev_id LIKE 'signatures%';
SELECT pg_temp.unsigned() AS deleted;
-- Nor where the secrets went too, as in a restore that lost the row: something was signed there.
SAVEPOINT lost;
DELETE FROM terra_identity.signing_secrets WHERE dev_id LIKE 'signatures%';
SELECT count(*) > 0 AS some FROM terra_identity.signatures WHERE dev_id = 'signatures';
SELECT outcome FROM terra_identity.ingest('{"type": "healthcheck"}'::text, NULL, 'signatures');
ROLLBACK TO lost;
INSERT INTO terra_identity.environments (dev_id) VALUES ('signatures too');
SELECT pg_temp.unsigned() AS inserted;
ROLLBACK;
UPDATE terra_identity.environments SET signature_required = false WHERE dev_id = 'signatures too';
SELECT pg_temp.unsigned() AS on_purpose;
