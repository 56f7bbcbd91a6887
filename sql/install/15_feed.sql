-- The feed for consumers: services that want every row of `changes`, each once it is committed, in one order.
--
-- change_id is given before a commit, so rows with lower numbers may appear late. A position is given to a row that is
-- committed, by the first read_changes that sees it; one transaction at a time gives positions in an environment. So
-- whoever has read up to a position has missed nothing before it. Positions are part of the rows: they stay what they
-- are in a dump, a restore and on a new server, as transaction ids do not.

CREATE TABLE terra_identity.consumers (
    dev_id       text NOT NULL,
    consumer     text NOT NULL CHECK (consumer <> ''),
    position     bigint NOT NULL,
    committed_at timestamptz NOT NULL,
    PRIMARY KEY (dev_id, consumer)
) USING heap;
COMMENT ON TABLE terra_identity.consumers IS
    'How far each consumer of the feed has come. commit_changes moves it forward. To have a consumer read again, '
    'UPDATE its position to a lower one, or DELETE its row to begin with the first change.';
COMMENT ON COLUMN terra_identity.consumers.dev_id IS 'Environment (environments.dev_id). No personal data.';
COMMENT ON COLUMN terra_identity.consumers.consumer IS 'Name that the consumer gave itself. No personal data.';
COMMENT ON COLUMN terra_identity.consumers.position IS
    'changes.position of the last change that it is done with: it is given those with a greater one';
COMMENT ON COLUMN terra_identity.consumers.committed_at IS 'When it last called commit_changes';

CREATE FUNCTION terra_identity._position_changes(
    consumer text, n integer,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
RETURNS bigint
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_position_changes';
COMMENT ON FUNCTION terra_identity._position_changes(text, integer, text) IS
    'Gives positions to changes that have none, until the caller sees n beyond the consumer''s position, which it '
    'returns. If n is null, to all. It gives none if n is not null and another transaction is doing that.';

CREATE FUNCTION terra_identity.read_changes(
    consumer text, n integer DEFAULT 100,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
RETURNS SETOF terra_identity.changes LANGUAGE plpgsql VOLATILE ROWS 100
    SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    read_up_to bigint;
BEGIN
    IF n IS NULL THEN
        RAISE EXCEPTION 'n must not be null' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    read_up_to := terra_identity._position_changes(consumer, n, dev_id);
    -- A statement of its own: its snapshot has what other transactions gave positions to before this one could.
    RETURN QUERY
    SELECT c.* FROM terra_identity.changes c
    WHERE c.dev_id = read_changes.dev_id AND c.position > read_up_to ORDER BY c.position LIMIT n;
END
$$;
COMMENT ON FUNCTION terra_identity.read_changes(text, integer, text) IS
    'The next changes of an environment for a consumer, a service with a name of its own, at most n, in the order of '
    'their position. It returns the same ones again until commit_changes says that the consumer is done with them: '
    'every change comes at least once, and none appears behind a position that was read, however late its transaction '
    'commits. Changes of one connection come in the order in which they happened. A consumer that is new begins with '
    'the first change; see skip_changes. Call it in a transaction of its own: until that ends, changes that nobody has '
    'read yet are given to no other consumer. Row level security on changes holds. Errors: 0A000 at REPEATABLE READ '
    'and above, 25006 on a standby, 22023 if n is less than 1 or the name is empty, 22004 if an argument is null.';

CREATE FUNCTION terra_identity.commit_changes(
    consumer text, up_to bigint,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
RETURNS bigint
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_commit_changes';
COMMENT ON FUNCTION terra_identity.commit_changes(text, bigint, text) IS
    'Says that a consumer is done with every change up to this position (changes.position), and returns the position '
    'that the consumer then has. It never moves a consumer back: a lower position changes nothing. Errors: 22023 if no '
    'change that the caller can see has that position or a greater one, or the name is empty; 22004 if an argument is '
    'null.';

CREATE FUNCTION terra_identity.skip_changes(
    consumer text,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
RETURNS bigint LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    last bigint;
BEGIN
    PERFORM terra_identity._position_changes(consumer, NULL, dev_id);
    SELECT c.position INTO last FROM terra_identity.changes c
    WHERE c.dev_id = skip_changes.dev_id AND c.position IS NOT NULL ORDER BY c.position DESC LIMIT 1;
    RETURN terra_identity.commit_changes(consumer, coalesce(last, 0), dev_id);
END
$$;
COMMENT ON FUNCTION terra_identity.skip_changes(text, text) IS
    'Says that a consumer is done with every change that is committed now, for one that is new and wants only what '
    'comes, and returns its position. It costs as much as reading what no consumer has read yet. Errors as of '
    'read_changes.';
