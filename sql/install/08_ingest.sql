-- Ingest: webhooks as raw bodies, and the secrets that they are signed with.

CREATE TABLE terra_identity.signing_secrets (
    secret_id   bigint GENERATED ALWAYS AS IDENTITY,
    dev_id      text COLLATE "C" NOT NULL,
    secret      text NOT NULL,
    valid_until timestamptz,
    created_at  timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    PRIMARY KEY (dev_id, secret_id)
) USING heap;
-- No key and no CHECK on the secret, because their error messages would show it; no statistics, which would sample it.
ALTER TABLE terra_identity.signing_secrets ALTER COLUMN secret SET STATISTICS 0;
-- Sessions remember whether an environment requires signatures, and with which secrets.
CREATE TRIGGER forget_rules AFTER INSERT OR UPDATE OR DELETE ON terra_identity.signing_secrets
    FOR EACH ROW EXECUTE FUNCTION terra_identity._forget_rules_everywhere();
ALTER TABLE terra_identity.signing_secrets ENABLE ALWAYS TRIGGER forget_rules;
COMMENT ON TABLE terra_identity.signing_secrets IS
    'The secrets that Terra signs webhooks with, written by set_signing_secret and drop_signing_secret. Only the owner '
    'may read them. They are not part of a dump: set them again after a restore.';
COMMENT ON COLUMN terra_identity.signing_secrets.secret_id IS 'Number of the secret, for drop_signing_secret';
COMMENT ON COLUMN terra_identity.signing_secrets.dev_id IS 'Environment (environments.dev_id). No personal data.';
COMMENT ON COLUMN terra_identity.signing_secrets.secret IS 'The secret, as Terra''s dashboard shows it. A secret.';
COMMENT ON COLUMN terra_identity.signing_secrets.valid_until IS
    'From when on it is not accepted; null: it does not expire';
COMMENT ON COLUMN terra_identity.signing_secrets.created_at IS 'When it was set';

CREATE TABLE terra_identity.signatures (
    dev_id   text COLLATE "C" NOT NULL,
    digest   bytea NOT NULL,
    event_id bigint NOT NULL,
    PRIMARY KEY (dev_id, digest)
) USING heap;
COMMENT ON TABLE terra_identity.signatures IS
    'The signed content (time and body) of each delivery that had to be signed, so that it counts once. Terra signs no '
    'headers: otherwise somebody could deliver a signed body again under another trace id and ordering timestamp.';
COMMENT ON COLUMN terra_identity.signatures.dev_id IS 'Environment (environments.dev_id). No personal data.';
COMMENT ON COLUMN terra_identity.signatures.digest IS
    'The time that was signed, and a hash of the time and the body. Personal data: a hash.';
COMMENT ON COLUMN terra_identity.signatures.event_id IS 'The event that the delivery became';

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
-- Of a delivery and its retries, one row is kept.
CREATE UNIQUE INDEX rejected_delivery_key
    ON terra_identity.rejected (dev_id, trace_id, pg_catalog.sha256(body)) NULLS NOT DISTINCT;
COMMENT ON TABLE terra_identity.rejected IS
    'Deliveries that ingest answered with 400, byte for byte. Their signature was good or not required, but the body '
    'cannot be jsonb, or under terra_identity.strict is not what its type needs, or a trigger of the application '
    'skipped it. replay_rejected() tries them again; DELETE what is of no use.';
COMMENT ON COLUMN terra_identity.rejected.rejected_id IS 'Number of the rejected delivery';
COMMENT ON COLUMN terra_identity.rejected.dev_id IS 'Environment (environments.dev_id). No personal data.';
COMMENT ON COLUMN terra_identity.rejected.received_at IS 'When the delivery was received';
COMMENT ON COLUMN terra_identity.rejected.trace_id IS
    'X-Terra-Trace-Id; null if the delivery has none. Personal data: an id.';
COMMENT ON COLUMN terra_identity.rejected.body IS 'The body as it came. Personal data: what Terra sent.';
COMMENT ON COLUMN terra_identity.rejected.headers IS
    'The headers as the handler passed them; null if it passed none. Personal data: what Terra sent.';
COMMENT ON COLUMN terra_identity.rejected.reason IS
    'Why it was rejected, which may quote the body. Personal data: what Terra sent.';
COMMENT ON COLUMN terra_identity.rejected.by_header IS
    'True: it was delivered without a dev_id, so replay_rejected() looks at its header dev-id again';
COMMENT ON COLUMN terra_identity.rejected.digest IS
    'What was signed, if the delivery had to be signed: see signatures; else null. Personal data: a hash.';

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
    'The counters behind the view refusals. Each reason has several, so that refusals at the same time do not wait for '
    'each other. DELETE rows to count from zero.';
COMMENT ON COLUMN terra_identity.refusal_counters.counter_id IS 'Number of the counter';
COMMENT ON COLUMN terra_identity.refusal_counters.dev_id IS 'Environment (environments.dev_id). No personal data.';
COMMENT ON COLUMN terra_identity.refusal_counters.reason IS
    'What was wrong with the signature; or forgotten, for deliveries that name somebody who was forgotten. No personal '
    'data.';
COMMENT ON COLUMN terra_identity.refusal_counters.refused IS 'Number of refused deliveries';
COMMENT ON COLUMN terra_identity.refusal_counters.first_at IS 'When the first one was received';
COMMENT ON COLUMN terra_identity.refusal_counters.last_at IS 'When the last one was received';
COMMENT ON COLUMN terra_identity.refusal_counters.logged_at IS
    'When one was last written to the server''s log: at most once a minute';

CREATE VIEW terra_identity.refusals WITH (security_invoker = true) AS
SELECT r.dev_id, r.reason, pg_catalog.sum(r.refused)::bigint AS refused, pg_catalog.min(r.first_at) AS first_at,
       pg_catalog.max(r.last_at) AS last_at
FROM terra_identity.refusal_counters r
GROUP BY r.dev_id, r.reason;
COMMENT ON VIEW terra_identity.refusals IS
    'How many deliveries ingest answered with 401 because of their signature; their bodies are not kept, so that '
    'strangers cannot fill the disk. And how many, of any way in, named somebody who was forgotten: see forget.';
COMMENT ON COLUMN terra_identity.refusals.dev_id IS 'Environment (environments.dev_id)';
COMMENT ON COLUMN terra_identity.refusals.reason IS
    'What was wrong with the signature; or forgotten, for deliveries that name somebody who was forgotten';
COMMENT ON COLUMN terra_identity.refusals.refused IS 'Number of refused deliveries';
COMMENT ON COLUMN terra_identity.refusals.first_at IS 'When the first one was received';
COMMENT ON COLUMN terra_identity.refusals.last_at IS 'When the last one was received';

CREATE FUNCTION terra_identity.ingest(
    body bytea, headers jsonb DEFAULT NULL, dev_id text DEFAULT NULL,
    OUT outcome text, OUT event_id bigint, OUT http_status int, OUT detail text)
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_ingest';
COMMENT ON FUNCTION terra_identity.ingest(bytea, jsonb, text) IS
    'Stores a webhook that an HTTP handler has as a raw body, checks its signature if the environment requires one, '
    'and returns how to answer. body: the bytes as they came. headers: an object from names, in upper or lower case, '
    'to strings, or to arrays whose first element counts. dev_id: the environment; null: the one that the header '
    'dev-id leads to (see environments.terra_dev_id). Where the default environment requires signatures, an '
    'environment that the header leads to accepts only what is signed with one of its own secrets. http_status 200, '
    'outcome stored or duplicate: event_id is the event; a duplicate has the trace id and the body of an earlier '
    'delivery or, where signatures are required, its signed content. http_status 200, outcome forgotten: it names '
    'somebody who was forgotten, and is not kept; counted in refusals. http_status 401, outcome rejected: '
    'X-Terra-Signature or terra-signature is not good for this body; counted in refusals. http_status 400, outcome '
    'rejected: the body cannot be jsonb; kept in rejected, up to 500 MB. detail: why it was rejected, or the problem '
    'of a stored event; else null. Nothing that the sender sent raises an error. An error is the server''s, such as '
    'TI003: answer it with 500, and Terra sends again.';

CREATE FUNCTION terra_identity.ingest(
    body text, headers jsonb DEFAULT NULL, dev_id text DEFAULT NULL,
    OUT outcome text, OUT event_id bigint, OUT http_status int, OUT detail text)
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_ingest';
COMMENT ON FUNCTION terra_identity.ingest(text, jsonb, text) IS
    'The same for a body that is at hand as text: the signature is checked over its bytes in UTF-8. Pass bytea where '
    'you can: invalid UTF-8 cannot be text, and is an error before ingest can reject it.';

CREATE FUNCTION terra_identity.webhook(json) RETURNS json
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_webhook';
COMMENT ON FUNCTION terra_identity.webhook(json) IS
    'ingest for PostgREST and Supabase. The single unnamed argument is the raw body; the headers come from the setting '
    'request.headers, and the environment from the header dev-id. Sets response.status and returns {"outcome", '
    '"detail"}. A delivery of somebody who was forgotten is answered as stored, because whoever sends need not know. A '
    'body that is not JSON does not get here: PostgREST answers it, and it is not kept.';

CREATE FUNCTION terra_identity.replay_rejected(
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'),
    OUT rejected_id bigint, OUT outcome text, OUT event_id bigint, OUT detail text)
RETURNS SETOF record LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_replay_rejected';
COMMENT ON FUNCTION terra_identity.replay_rejected(text) IS
    'Tries the rejected deliveries of an environment again, oldest first, with the time at which each was received: '
    'one row for each. Call it when their cause is gone: strict is off, a trigger was removed, or somebody corrected '
    'bodies by UPDATE. What is stored now, was stored already, or names somebody who was forgotten, leaves the table '
    'rejected. Error: 22004 if dev_id is '
    'null.';

CREATE FUNCTION terra_identity.verify_signature(
    body bytea, signature text, secret text, tolerance interval DEFAULT '24 hours',
    at timestamptz DEFAULT pg_catalog.clock_timestamp())
RETURNS boolean LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'terra_identity_verify_signature';
COMMENT ON FUNCTION terra_identity.verify_signature(bytea, text, text, interval, timestamptz) IS
    'Whether a signature, t=<unix seconds>,v1=<hex digits>, is good for a raw body: v1 is the HMAC-SHA256 of t, a dot '
    'and the body under the secret, and t is at most tolerance away from at, either way (tolerance null: any time). '
    'Never null: false if the signature is malformed, if the secret is empty, or if another argument is null.';

CREATE FUNCTION terra_identity.set_signing_secret(
    secret text, valid_until timestamptz DEFAULT NULL,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
RETURNS bigint LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_set_signing_secret';
COMMENT ON FUNCTION terra_identity.set_signing_secret(text, timestamptz, text) IS
    'Adds a secret that Terra signs the environment''s webhooks with, valid until valid_until (null: it does not '
    'expire), and returns its secret_id. A secret that the environment has already gets the new end. From the first '
    'secret on, ingest requires signatures for this environment (environments.signature_required). To rotate: set the '
    'new secret, then the old one again with an end. Errors: 22004 if secret or dev_id is null; 22023 if it is empty, '
    'has more than 1024 bytes, or begins or ends with white space. The secret is part of the statement: '
    'docs/handler.md says how to keep it out of the server''s log.';

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
    'Removes a signing secret; returns false if the environment has none of that secret_id. Signatures stay required: '
    'without any valid secret ingest fails (TI003), until another is set or environments.signature_required is set to '
    'false.';
