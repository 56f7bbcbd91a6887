-- Forgetting: erasing a person, and the tombstones that keep her from coming back.

CREATE TABLE terra_identity.tombstones (
    dev_id       text COLLATE "C" NOT NULL,
    kind         text COLLATE "C" NOT NULL CHECK (kind IN ('reference', 'user')),
    hash         bytea NOT NULL,
    key_check    bytea NOT NULL,
    forgotten_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    PRIMARY KEY (dev_id, kind, hash)
) USING heap;
-- For whether all were made with one key.
CREATE INDEX tombstones_key_check_idx ON terra_identity.tombstones (dev_id, key_check);
-- Sessions remember whether an environment has tombstones, and which ids are not forgotten.
CREATE TRIGGER forget_rules AFTER INSERT OR UPDATE OR DELETE ON terra_identity.tombstones
    FOR EACH ROW EXECUTE FUNCTION terra_identity._forget_rules_everywhere();
ALTER TABLE terra_identity.tombstones ENABLE ALWAYS TRIGGER forget_rules;
COMMENT ON TABLE terra_identity.tombstones IS
    'Who was forgotten, as keyed hashes: without the key nobody can tell whose they are, or test a guess. A delivery '
    'that names one of these ids is acknowledged, counted in refusals, and not kept. Written by forget and '
    'forget_user, removed by remember and remember_user.';
COMMENT ON COLUMN terra_identity.tombstones.dev_id IS 'Environment (environments.dev_id). No personal data.';
COMMENT ON COLUMN terra_identity.tombstones.kind IS
    'What it stands for: a reference_id (reference) or a user_id (user). No personal data.';
COMMENT ON COLUMN terra_identity.tombstones.hash IS
    'HMAC-SHA-256 of the id, its kind and its environment, under the key in tombstone_key. Personal data: a hash.';
COMMENT ON COLUMN terra_identity.tombstones.key_check IS
    'By which set_tombstone_key knows the right key: a hash of that alone. No personal data.';
COMMENT ON COLUMN terra_identity.tombstones.forgotten_at IS 'When it was forgotten';

CREATE TABLE terra_identity.tombstone_key (
    key      bytea NOT NULL,
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one)
) USING heap;
ALTER TABLE terra_identity.tombstone_key ALTER COLUMN key SET STATISTICS 0; -- which would sample it
CREATE TRIGGER forget_rules AFTER INSERT OR UPDATE OR DELETE ON terra_identity.tombstone_key
    FOR EACH ROW EXECUTE FUNCTION terra_identity._forget_rules_everywhere();
ALTER TABLE terra_identity.tombstone_key ENABLE ALWAYS TRIGGER forget_rules;
COMMENT ON TABLE terra_identity.tombstone_key IS
    'The key of the tombstones, made by the first forget. Only the owner may read it. It is not part of a dump: save '
    'what tombstone_key() returns, and give it to set_tombstone_key() after a restore.';
COMMENT ON COLUMN terra_identity.tombstone_key.key IS 'The key, 32 random bytes. A secret.';
COMMENT ON COLUMN terra_identity.tombstone_key.only_one IS 'True: there is one row';

CREATE FUNCTION terra_identity.forget(
    reference_id text,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'),
    OUT table_name text, OUT erased bigint, OUT changed bigint)
RETURNS SETOF record LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_forget';
COMMENT ON FUNCTION terra_identity.forget(text, text) IS
    'Erases an end user: her connections (all that user_ids lists), and her payloads, headers, ids, names and e-mail '
    'addresses in every table. What remains are tombstones, so that no delivery, backfill or import brings her back. '
    'Where connections of other people follow from hers, because they were on one provider account, or a user_reauth '
    'names both, her connections stay as stubs: ended, under names that begin with !forgotten:, with nothing but what '
    'the rules read. A connection that was hers and is somebody else''s now stays that person''s, without what is of '
    'her time. Returns a row for each table: erased (rows removed) and changed (rows kept without what was hers; of '
    'tombstones, rows added). Whoever was not known is forgotten as well: rows that come later are not kept. In one '
    'transaction: it reads the ledger while others insert; then it waits for those that are inserting, and from then '
    'on all others that want to insert wait for it. VACUUM frees the space; WAL and backups keep what they '
    'have. Errors: 22023 if reference_id is empty or longer than 512 bytes; 22004 if an argument is null; '
    'TI005 if there are tombstones without their key.';

CREATE FUNCTION terra_identity.forget_user(
    user_id text,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'),
    OUT table_name text, OUT erased bigint, OUT changed bigint)
RETURNS SETOF record LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_forget_user';
COMMENT ON FUNCTION terra_identity.forget_user(text, text) IS
    'The same for somebody without reference_id: erases the connection and all others of its lineage that have none. '
    'Errors: 22023 if it has a reference_id, or its lineage is of one end user (call forget), or user_id is empty or '
    'longer than 512 bytes; 22004 if an argument is null; TI005 if there are tombstones without their key.';

CREATE FUNCTION terra_identity.remember(
    reference_id text,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
RETURNS boolean LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_remember';
COMMENT ON FUNCTION terra_identity.remember(text, text) IS
    'For an end user who was forgotten and comes back of her own will: from now on events that name this reference_id '
    'are taken again. What was erased does not come back, and her old user_ids stay forgotten (remember_user). '
    'Returns whether it was forgotten. Errors: 22023 if reference_id is empty or longer than 512 bytes; 22004 if an '
    'argument is null; TI005 if there are tombstones without their key.';

CREATE FUNCTION terra_identity.remember_user(
    user_id text,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
RETURNS boolean LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_remember_user';
COMMENT ON FUNCTION terra_identity.remember_user(text, text) IS
    'The same for one user_id: for a connection that is alive at Terra and was never deauthenticated. Returns whether '
    'it was forgotten. Errors: as remember.';

CREATE FUNCTION terra_identity.tombstone_key() RETURNS bytea
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT k.key FROM terra_identity.tombstone_key k;
END;
COMMENT ON FUNCTION terra_identity.tombstone_key() IS
    'The key of the tombstones, to be kept as a secret beside the dumps, which do not have it; null if nobody was '
    'forgotten yet. It stays the same. Who has it can tell whether an id that he knows was forgotten.';

CREATE FUNCTION terra_identity.set_tombstone_key(key bytea) RETURNS void
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_set_tombstone_key';
COMMENT ON FUNCTION terra_identity.set_tombstone_key(bytea) IS
    'After a restore, or on a new server: sets the key that tombstone_key() returned where the tombstones were made. '
    'Until then nothing can be inserted into an environment that has tombstones (TI005): it could be of somebody who '
    'was forgotten. Errors: 22023 if the tombstones were made with another key, or it has not 32 bytes; 22004 if it '
    'is null.';
