-- At the door: webhooks as they come over HTTP, and what they are signed with.

CREATE TABLE terra_identity.signing_secrets (
    secret_id   bigint GENERATED ALWAYS AS IDENTITY,
    dev_id      text COLLATE "C" NOT NULL,
    secret      text NOT NULL,
    valid_until timestamptz,
    created_at  timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    PRIMARY KEY (dev_id, secret_id)
) USING heap;
-- No key and no check of the secret, whose errors would show it; no samples of it in pg_statistic.
ALTER TABLE terra_identity.signing_secrets ALTER COLUMN secret SET STATISTICS 0;
COMMENT ON TABLE terra_identity.signing_secrets IS
    'The secrets that Terra signs webhooks with. For the owner alone, and not part of a dump: set them again after a restore. Written by set_signing_secret and drop_signing_secret.';
COMMENT ON COLUMN terra_identity.signing_secrets.secret_id IS 'What drop_signing_secret takes';
COMMENT ON COLUMN terra_identity.signing_secrets.dev_id IS 'Environment';
COMMENT ON COLUMN terra_identity.signing_secrets.secret IS 'As Terra''s dashboard shows it';
COMMENT ON COLUMN terra_identity.signing_secrets.valid_until IS 'From when on it is not accepted; null: never';
COMMENT ON COLUMN terra_identity.signing_secrets.created_at IS 'When it was set';

CREATE TABLE terra_identity.signatures (
    dev_id   text COLLATE "C" NOT NULL,
    digest   bytea NOT NULL,
    event_id bigint NOT NULL,
    PRIMARY KEY (dev_id, digest)
) USING heap;
COMMENT ON TABLE terra_identity.signatures IS
    'What was signed of every delivery that had to be: Terra signs time and body, but no header, and without this a body could be delivered again under another trace id and another time.';
COMMENT ON COLUMN terra_identity.signatures.dev_id IS 'Environment';
COMMENT ON COLUMN terra_identity.signatures.digest IS 'A hash of the time and the body that were signed';
COMMENT ON COLUMN terra_identity.signatures.event_id IS 'The event that they are';

CREATE TABLE terra_identity.rejected (
    rejected_id bigint GENERATED ALWAYS AS IDENTITY,
    dev_id      text COLLATE "C" NOT NULL,
    received_at timestamptz NOT NULL,
    trace_id    text COLLATE "C",
    body        bytea NOT NULL,
    headers     jsonb,
    reason      text NOT NULL,
    digest      bytea,
    by_header   boolean NOT NULL DEFAULT false,
    PRIMARY KEY (dev_id, rejected_id)
) USING heap;
-- A retry is kept once.
CREATE UNIQUE INDEX rejected_delivery_key
    ON terra_identity.rejected (dev_id, trace_id, pg_catalog.sha256(body)) NULLS NOT DISTINCT;
COMMENT ON TABLE terra_identity.rejected IS
    'Deliveries that ingest answered with 400, byte for byte: their signature was good or not asked for, but their body cannot be jsonb (or, under strict, is not what its type needs). replay_rejected() tries them again; DELETE what is of no use.';
COMMENT ON COLUMN terra_identity.rejected.rejected_id IS 'Number of the rejected delivery';
COMMENT ON COLUMN terra_identity.rejected.dev_id IS 'Environment';
COMMENT ON COLUMN terra_identity.rejected.received_at IS 'When the delivery was received';
COMMENT ON COLUMN terra_identity.rejected.trace_id IS 'X-Terra-Trace-Id';
COMMENT ON COLUMN terra_identity.rejected.body IS 'The body as it came';
COMMENT ON COLUMN terra_identity.rejected.headers IS 'The headers as the handler passed them';
COMMENT ON COLUMN terra_identity.rejected.reason IS 'Why it was rejected';
COMMENT ON COLUMN terra_identity.rejected.by_header IS 'It was given no dev_id: replay_rejected asks again where its header leads';
COMMENT ON COLUMN terra_identity.rejected.digest IS 'A hash of the time and the body that were signed, if they had to be: see signatures';

CREATE TABLE terra_identity.refusal_counters (
    counter_id bigint GENERATED ALWAYS AS IDENTITY,
    dev_id     text COLLATE "C" NOT NULL,
    reason     text COLLATE "C" NOT NULL,
    refused    bigint NOT NULL,
    first_at   timestamptz NOT NULL,
    last_at    timestamptz NOT NULL,
    logged_at  timestamptz NOT NULL,
    PRIMARY KEY (dev_id, counter_id)
) USING heap WITH (fillfactor = 50);
COMMENT ON TABLE terra_identity.refusal_counters IS
    'What refusals sums up: several counters of each reason, so that refusals at once do not wait for each other. DELETE rows to count anew.';
COMMENT ON COLUMN terra_identity.refusal_counters.counter_id IS 'Number of the counter';
COMMENT ON COLUMN terra_identity.refusal_counters.dev_id IS 'Environment';
COMMENT ON COLUMN terra_identity.refusal_counters.reason IS 'What was wrong with the signature';
COMMENT ON COLUMN terra_identity.refusal_counters.refused IS 'How many';
COMMENT ON COLUMN terra_identity.refusal_counters.first_at IS 'When the first was received';
COMMENT ON COLUMN terra_identity.refusal_counters.last_at IS 'When the last was received';
COMMENT ON COLUMN terra_identity.refusal_counters.logged_at IS 'When one was written to the server''s log: at most once a minute';

CREATE VIEW terra_identity.refusals WITH (security_invoker = true) AS
SELECT r.dev_id, r.reason, pg_catalog.sum(r.refused)::bigint AS refused, pg_catalog.min(r.first_at) AS first_at,
       pg_catalog.max(r.last_at) AS last_at
FROM terra_identity.refusal_counters r
GROUP BY r.dev_id, r.reason;
COMMENT ON VIEW terra_identity.refusals IS
    'How many deliveries ingest answered with 401, for their signature. Their bodies are not kept: strangers could fill the disk.';
COMMENT ON COLUMN terra_identity.refusals.dev_id IS 'Environment';
COMMENT ON COLUMN terra_identity.refusals.reason IS 'What was wrong with the signature';
COMMENT ON COLUMN terra_identity.refusals.refused IS 'How many';
COMMENT ON COLUMN terra_identity.refusals.first_at IS 'When the first was received';
COMMENT ON COLUMN terra_identity.refusals.last_at IS 'When the last was received';

CREATE FUNCTION terra_identity.ingest(
    body bytea, headers jsonb DEFAULT NULL, dev_id text DEFAULT NULL,
    OUT outcome text, OUT event_id bigint, OUT http_status int, OUT detail text)
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_ingest';
COMMENT ON FUNCTION terra_identity.ingest(bytea, jsonb, text) IS
    'Stores a webhook given as its raw body, for HTTP handlers; answer Terra with http_status. headers: an object of names, in any case, to strings, or to arrays whose first element counts. dev_id null: the environment that the header dev-id leads to (environments.terra_dev_id); where the default environment requires signatures, another one takes only what is signed with one of its own secrets. outcome: stored or duplicate (200; event_id says which event; of the same trace id and body or, where signatures are required, of the same signed content), or rejected: 401 if the environment requires a signature and X-Terra-Signature or terra-signature does not stand for these bytes (counted in refusals), 400 if the body cannot be jsonb (kept in rejected, up to 500 MB). detail: why, or the problem of a stored event. Never an error for what the sender sent; an error is the server''s, so answer it with 500 and Terra will send again.';

CREATE FUNCTION terra_identity.ingest(
    body text, headers jsonb DEFAULT NULL, dev_id text DEFAULT NULL,
    OUT outcome text, OUT event_id bigint, OUT http_status int, OUT detail text)
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_ingest';
COMMENT ON FUNCTION terra_identity.ingest(text, jsonb, text) IS
    'The same for a body that is at hand as text: its bytes in UTF-8 are what the signature is checked over. Invalid UTF-8 cannot be text, and is an error before it gets here: pass bytea where you can.';

CREATE FUNCTION terra_identity.webhook(json) RETURNS json
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_webhook';
COMMENT ON FUNCTION terra_identity.webhook(json) IS
    'ingest for PostgREST and Supabase: the raw body as the single unnamed parameter, the headers from the setting request.headers, the environment by the header dev-id. Sets response.status, returns {"outcome", "detail"}. What is no JSON at all does not get here: PostgREST answers it, and it is not kept.';

CREATE FUNCTION terra_identity.replay_rejected(
    dev_id text DEFAULT NULL, OUT rejected_id bigint, OUT outcome text, OUT event_id bigint, OUT detail text)
RETURNS SETOF record LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_replay_rejected';
COMMENT ON FUNCTION terra_identity.replay_rejected(text) IS
    'Tries the environment''s rejected deliveries again, oldest first, as received when they were: one row for each. For after what stood in their way has changed: strict is off, a trigger is gone, or somebody has mended their bodies by UPDATE. What is stored, or turns out to be stored already, leaves the table rejected.';

CREATE FUNCTION terra_identity.verify_signature(
    body bytea, signature text, secret text, tolerance interval DEFAULT '24 hours',
    at timestamptz DEFAULT pg_catalog.clock_timestamp())
RETURNS boolean LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'terra_identity_verify_signature';
COMMENT ON FUNCTION terra_identity.verify_signature(bytea, text, text, interval, timestamptz) IS
    'Whether a signature header, t=<unix seconds>,v1=<hex>, stands for a raw body: v1 is the HMAC-SHA256 of t, a dot and the body under the secret, and t is at most tolerance away from at, either way (tolerance null: any time). False, never null, for whatever is malformed or null, and for an empty secret.';

CREATE FUNCTION terra_identity.set_signing_secret(
    secret text, valid_until timestamptz DEFAULT NULL, dev_id text DEFAULT NULL)
RETURNS bigint LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_set_signing_secret';
COMMENT ON FUNCTION terra_identity.set_signing_secret(text, timestamptz, text) IS
    'Adds a secret that Terra signs the environment''s webhooks with, valid until then (null: for ever); one that is there gets the new end. From the first on ingest requires signatures for this environment (environments.signature_required), and for this one alone. Returns its secret_id. To rotate: set the new one, then the old one again with an end. The secret is part of the statement: see docs/handler.md on keeping it out of the log.';

CREATE FUNCTION terra_identity.drop_signing_secret(
    secret_id bigint,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
RETURNS boolean LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH dropped AS (
        DELETE FROM terra_identity.signing_secrets s
        WHERE s.dev_id = drop_signing_secret.dev_id AND s.secret_id = drop_signing_secret.secret_id RETURNING 1)
    SELECT EXISTS (SELECT FROM dropped);
END;
COMMENT ON FUNCTION terra_identity.drop_signing_secret(bigint, text) IS
    'Takes a signing secret back; false if there is none. Signatures stay required without any: ingest fails until another is set, or environments.signature_required is set to false.';
