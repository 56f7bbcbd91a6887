-- The peer of the benchmarks: what a good team would write in plpgsql today, instead of using the extension.
--
-- The same function with standard means, tuned: one row trigger that reads the payload once, generic plans of static
-- SQL, and no look-up that cannot matter. A new connection costs one upsert and one change; data of a known connection
-- one look-up and no write. Applying events in an AFTER STATEMENT trigger, set by set where connections are new, would
-- cost the same for single rows, and for COPY of nothing but new connections about 40 % less (a prototype of that
-- case).
--
-- Left out, so the peer does less than the extension and the comparison leans to its side:
--   * problems: a payload that is not as its type needs is stored and ignored, or is an error (a created_at that is no
--     date); times too far ahead are believed; header names are read in the two usual spellings only;
--   * a delivery is known by its trace id alone, without a hash of the payload; the header dev-id is not read;
--   * the account policy "replace", providers with an SDK on a device (reference slots), transfers, cycles of reauths;
--   * append-only protection, privileges, rebuild and verify;
--   * deadlocks: connections are locked row by row, then their account, so two transactions may meet crosswise, and one
--     is to be tried again. Two lineages that are joined by two transactions at once may keep two ids.

CREATE SCHEMA peer;

CREATE TABLE peer.events (
    event_id   bigint GENERATED ALWAYS AS IDENTITY,
    dev_id     text NOT NULL DEFAULT 'default',
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    payload    jsonb NOT NULL,
    headers    jsonb,
    event_type text,
    user_id    text,
    event_time timestamptz,
    PRIMARY KEY (dev_id, event_id)
);
CREATE INDEX events_user_id_idx ON peer.events (user_id text_pattern_ops, event_type text_pattern_ops, event_time)
    WITH (deduplicate_items = off);

CREATE TABLE peer.deliveries (
    dev_id   text COLLATE "C" NOT NULL,
    trace_id text COLLATE "C" NOT NULL,
    event_id bigint NOT NULL,
    PRIMARY KEY (dev_id, trace_id)
);

CREATE TABLE peer.connections (
    connection_id           bigint NOT NULL,
    dev_id                  text NOT NULL,
    user_id                 text NOT NULL,
    lineage_id              bigint NOT NULL,
    reference_id            text,
    provider                text,
    provider_user_id        text,  -- its own, else that of the connection that it replaced
    status                  text NOT NULL,
    successor_user_id       text,
    confirmed               boolean NOT NULL,
    scopes                  text,
    created_at              timestamptz,
    first_seen_at           timestamptz NOT NULL,
    connected_at            timestamptz NOT NULL,
    ended_at                timestamptz,
    live                    boolean NOT NULL,  -- something else than an ending event named it
    alive_at                timestamptz,       -- the latest proof of life
    replaced_at             timestamptz,
    replaced_by             text,
    deauthenticated_at      timestamptz,
    revoked_at              timestamptz,
    failed_at               timestamptz,
    degraded_at             timestamptz,
    own_provider_user_id    text,
    own_provider_user_id_at timestamptz,
    provider_at             timestamptz,       -- when it was said; by a data event only, if passing
    provider_passing        boolean NOT NULL,
    reference_id_at         timestamptz,
    reference_id_passing    boolean NOT NULL,
    scopes_at               timestamptz,
    scopes_passing          boolean NOT NULL,
    reauthenticated         boolean NOT NULL,  -- it replaced another, and may inherit its account
    duplicate               boolean NOT NULL DEFAULT false,
    user_uuid               uuid,
    PRIMARY KEY (dev_id, connection_id)
);
CREATE SEQUENCE peer.connection_id_seq OWNED BY peer.connections.connection_id;

CREATE INDEX connections_user_uuid_idx ON peer.connections (user_uuid) WITH (deduplicate_items = off);
CREATE INDEX connections_reference_id_idx
    ON peer.connections (reference_id text_pattern_ops, status text_pattern_ops, dev_id text_pattern_ops);
CREATE INDEX connections_lineage_idx ON peer.connections (
    dev_id text_pattern_ops, lineage_id, status text_pattern_ops, connected_at, user_id COLLATE "C");
CREATE UNIQUE INDEX connections_active_account_key ON peer.connections (
    dev_id text_pattern_ops, provider text_pattern_ops, provider_user_id text_pattern_ops,
    reference_id text_pattern_ops) NULLS NOT DISTINCT
    WHERE status = 'active' AND provider IS NOT NULL AND provider_user_id IS NOT NULL;
-- The order of newness in a slot. No reference_id is an empty one: a plan can look up what is equal, not what is not
-- distinct.
CREATE INDEX connections_account_idx ON peer.connections (
    dev_id text_pattern_ops, provider text_pattern_ops, provider_user_id text_pattern_ops,
    coalesce(reference_id, '') text_pattern_ops, live, connected_at, user_id COLLATE "C")
    WHERE provider_user_id IS NOT NULL;
CREATE INDEX connections_duplicate_idx ON peer.connections (
    dev_id text_pattern_ops, provider text_pattern_ops, provider_user_id text_pattern_ops, connected_at,
    user_id COLLATE "C")
    WHERE duplicate;
CREATE INDEX connections_superseded_idx ON peer.connections (
    dev_id text_pattern_ops, provider text_pattern_ops, provider_user_id text_pattern_ops)
    WHERE status = 'superseded';
-- Last, because the planner takes the newest of the indexes that cost the same, as all do while the table is empty.
CREATE UNIQUE INDEX connections_user_id_key ON peer.connections (user_id text_pattern_ops, dev_id text_pattern_ops);

CREATE TABLE peer.reauths (
    dev_id      text NOT NULL,
    old_user_id text NOT NULL,
    new_user_id text NOT NULL
);
CREATE UNIQUE INDEX reauths_key ON peer.reauths (
    dev_id text_pattern_ops, old_user_id text_pattern_ops, new_user_id text_pattern_ops);
CREATE INDEX reauths_new_user_id_idx ON peer.reauths (dev_id text_pattern_ops, new_user_id text_pattern_ops);

CREATE TABLE peer.changes (
    change_id    bigint GENERATED ALWAYS AS IDENTITY,
    changed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    event_id     bigint,
    kind         text NOT NULL,
    dev_id       text NOT NULL,
    user_id      text NOT NULL,
    lineage_id   bigint NOT NULL,
    reference_id text,
    detail       jsonb,
    PRIMARY KEY (dev_id, change_id)
);
CREATE INDEX changes_user_id_idx ON peer.changes (user_id text_pattern_ops, change_id)
    WITH (deduplicate_items = off);

-- Gives a lineage that lost a link its parts back: members that are still linked get their least connection_id.
CREATE FUNCTION peer.split_lineage(split_dev_id text, split_lineage_id bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WITH RECURSIVE member AS MATERIALIZED (
        SELECT connection_id, user_id, provider, provider_user_id, coalesce(reference_id, '') AS reference_id
        FROM peer.connections WHERE dev_id = split_dev_id AND lineage_id = split_lineage_id
    ), link AS MATERIALIZED (
        SELECT a.connection_id AS one, b.connection_id AS other
        FROM member a JOIN member b USING (provider, provider_user_id, reference_id)
        UNION ALL
        SELECT CASE side WHEN 1 THEN a.connection_id ELSE b.connection_id END,
               CASE side WHEN 1 THEN b.connection_id ELSE a.connection_id END
        FROM peer.reauths r
        JOIN member a ON a.user_id = r.old_user_id
        JOIN member b ON b.user_id = r.new_user_id
        CROSS JOIN generate_series(1, 2) side
        WHERE r.dev_id = split_dev_id
    ), reach AS (
        SELECT connection_id, connection_id AS least FROM member
        UNION
        SELECT link.other, reach.least FROM reach JOIN link ON link.one = reach.connection_id
    )
    UPDATE peer.connections c SET lineage_id = part.least
    FROM (SELECT connection_id, min(least) AS least FROM reach GROUP BY connection_id) part
    WHERE c.dev_id = split_dev_id AND c.connection_id = part.connection_id AND c.lineage_id <> part.least;
END
$$;

-- An account that `left_by` left, or that has fewer active connections now, is no duplicate any more if one is left.
CREATE FUNCTION peer.close_duplicate(left_by peer.connections, cause bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    others int;
BEGIN
    SELECT count(*) INTO others FROM (
        SELECT FROM peer.connections
        WHERE dev_id = left_by.dev_id AND provider = left_by.provider AND provider_user_id = left_by.provider_user_id
          AND status = 'active' AND user_id <> left_by.user_id
        LIMIT 2) other;
    IF others = 1 THEN
        WITH closed AS (
            UPDATE peer.connections SET duplicate = false
            WHERE dev_id = left_by.dev_id AND provider = left_by.provider
              AND provider_user_id = left_by.provider_user_id
              AND status = 'active' AND user_id <> left_by.user_id AND duplicate
            RETURNING dev_id, user_id, lineage_id, reference_id)
        INSERT INTO peer.changes (event_id, kind, dev_id, user_id, lineage_id, reference_id)
        SELECT cause, 'duplicate_closed', dev_id, user_id, lineage_id, reference_id FROM closed;
    END IF;
END
$$;

-- Derives what follows from the facts of `c` for it and its neighbours, and writes all; `old` is c as it is stored.
-- linked_lineage_id: the lineage that a new reauth links it to; null, if none.
CREATE FUNCTION peer.settle(old peer.connections, c peer.connections, linked_lineage_id bigint, cause bigint)
    RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    has_account boolean;
    had_account boolean := old.provider IS NOT NULL AND old.provider_user_id IS NOT NULL;
    moved boolean;
    left_account boolean;
    left_slot boolean;
    slot_lineage_id bigint;
    least_lineage_id bigint;
    newer record;
    older peer.connections;
    heir_user_id text;
    others int;
BEGIN
    c.provider_user_id := c.own_provider_user_id;
    IF c.provider_user_id IS NULL AND c.reauthenticated THEN
        SELECT p.provider_user_id INTO c.provider_user_id
        FROM peer.reauths r JOIN peer.connections p ON p.dev_id = r.dev_id AND p.user_id = r.old_user_id
        WHERE r.dev_id = c.dev_id AND r.new_user_id = c.user_id AND p.provider_user_id IS NOT NULL
        ORDER BY p.connected_at DESC, p.user_id COLLATE "C" DESC LIMIT 1;
    END IF;
    has_account := c.provider IS NOT NULL AND c.provider_user_id IS NOT NULL;
    left_account := had_account
                    AND (NOT has_account OR c.provider_user_id <> old.provider_user_id OR c.provider <> old.provider);
    left_slot := left_account OR had_account AND coalesce(c.reference_id, '') <> coalesce(old.reference_id, '');
    moved := left_slot OR has_account <> had_account OR c.live <> old.live OR c.connected_at <> old.connected_at;

    -- Buckets, so that a large load does not exhaust the table of locks.
    IF has_account THEN
        PERFORM pg_advisory_xact_lock(1885693298, hashtext(c.dev_id || c.provider || c.provider_user_id) & 1023);
        SELECT lineage_id INTO slot_lineage_id FROM peer.connections
        WHERE dev_id = c.dev_id AND provider = c.provider AND provider_user_id = c.provider_user_id
          AND coalesce(reference_id, '') = coalesce(c.reference_id, '') AND user_id <> c.user_id
        LIMIT 1;
    END IF;
    IF left_account THEN
        PERFORM pg_advisory_xact_lock(1885693298, hashtext(old.dev_id || old.provider || old.provider_user_id) & 1023);
    END IF;

    IF c.status = 'superseded' THEN
        c.status := 'active';
        c.successor_user_id := NULL;
        c.ended_at := NULL;
    END IF;
    IF slot_lineage_id IS NOT NULL THEN
        IF c.status = 'active' THEN
            SELECT user_id, connected_at INTO newer FROM peer.connections
            WHERE dev_id = c.dev_id AND provider = c.provider AND provider_user_id = c.provider_user_id
              AND coalesce(reference_id, '') = coalesce(c.reference_id, '') AND live
              AND (connected_at, user_id COLLATE "C") > (c.connected_at, c.user_id) AND user_id <> c.user_id
            ORDER BY connected_at, user_id COLLATE "C" LIMIT 1;
            IF FOUND THEN
                c.status := 'superseded';
                c.successor_user_id := newer.user_id;
                c.ended_at := newer.connected_at;
            END IF;
        END IF;
        -- Before c is written: two are never active in one slot.
        IF c.live AND moved THEN
            SELECT * INTO older FROM peer.connections
            WHERE dev_id = c.dev_id AND provider = c.provider AND provider_user_id = c.provider_user_id
              AND coalesce(reference_id, '') = coalesce(c.reference_id, '') AND live
              AND (connected_at, user_id COLLATE "C") < (c.connected_at, c.user_id) AND user_id <> c.user_id
            ORDER BY connected_at DESC, user_id COLLATE "C" DESC LIMIT 1;
            IF older.status IN ('active', 'superseded') THEN
                UPDATE peer.connections
                SET status = 'superseded', successor_user_id = c.user_id, ended_at = c.connected_at, duplicate = false
                WHERE dev_id = older.dev_id AND user_id = older.user_id;
                IF older.status = 'active' THEN
                    INSERT INTO peer.changes (event_id, kind, dev_id, user_id, lineage_id, reference_id, detail)
                    VALUES (cause, 'superseded', older.dev_id, older.user_id, older.lineage_id, older.reference_id,
                            jsonb_build_object('successor_user_id', c.user_id, 'previous_status', 'active'));
                END IF;
                IF older.duplicate THEN
                    INSERT INTO peer.changes (event_id, kind, dev_id, user_id, lineage_id, reference_id)
                    VALUES (cause, 'duplicate_closed', older.dev_id, older.user_id, older.lineage_id,
                            older.reference_id);
                END IF;
            END IF;
        END IF;
    END IF;

    -- Duplicates: in keeping every end user's connection, an account is shared if two are active on it.
    c.duplicate := false;
    IF has_account AND c.status = 'active' THEN
        SELECT count(*) INTO others FROM (
            SELECT FROM peer.connections
            WHERE dev_id = c.dev_id AND provider = c.provider AND provider_user_id = c.provider_user_id
              AND status = 'active' AND user_id <> c.user_id
            LIMIT 2) other;
        c.duplicate := others > 0;
        IF others = 1 THEN
            WITH opened AS (
                UPDATE peer.connections SET duplicate = true
                WHERE dev_id = c.dev_id AND provider = c.provider AND provider_user_id = c.provider_user_id
                  AND status = 'active' AND user_id <> c.user_id AND NOT duplicate
                RETURNING dev_id, user_id, lineage_id, reference_id)
            INSERT INTO peer.changes (event_id, kind, dev_id, user_id, lineage_id, reference_id)
            SELECT cause, 'duplicate_opened', dev_id, user_id, lineage_id, reference_id FROM opened;
        END IF;
    END IF;
    IF old.duplicate AND (left_account OR c.status <> 'active') THEN
        PERFORM peer.close_duplicate(old, cause);
    END IF;
    IF older.duplicate AND c.status <> 'active' THEN
        PERFORM peer.close_duplicate(c, cause);
    END IF;

    -- The lineages that c links become one, under the least id.
    least_lineage_id := least(c.lineage_id, linked_lineage_id, slot_lineage_id);
    IF c.lineage_id <> least_lineage_id OR linked_lineage_id <> least_lineage_id
        OR slot_lineage_id <> least_lineage_id THEN
        UPDATE peer.connections SET lineage_id = least_lineage_id
        WHERE dev_id = c.dev_id AND lineage_id = ANY (ARRAY[c.lineage_id, linked_lineage_id, slot_lineage_id])
          AND lineage_id <> least_lineage_id AND user_id <> c.user_id;
        INSERT INTO peer.changes (event_id, kind, dev_id, user_id, lineage_id, reference_id, detail)
        VALUES (cause, 'lineage_merged', c.dev_id, c.user_id, least_lineage_id, c.reference_id,
                jsonb_build_object('merged_lineage_id', greatest(c.lineage_id, linked_lineage_id, slot_lineage_id)));
        c.lineage_id := least_lineage_id;
    END IF;

    PERFORM peer.write(old, c, cause);

    -- What c made room for, or is no longer newer than.
    IF old.live AND had_account AND moved THEN
        SELECT * INTO older FROM peer.connections
        WHERE dev_id = old.dev_id AND provider = old.provider AND provider_user_id = old.provider_user_id
          AND coalesce(reference_id, '') = coalesce(old.reference_id, '') AND live
          AND (connected_at, user_id COLLATE "C") < (old.connected_at, old.user_id) AND user_id <> c.user_id
        ORDER BY connected_at DESC, user_id COLLATE "C" DESC LIMIT 1;
        IF FOUND THEN
            PERFORM peer.settle_again(older.dev_id, older.user_id, cause);
        END IF;
    END IF;
    IF left_slot THEN
        PERFORM FROM peer.connections
        WHERE dev_id = old.dev_id AND provider = old.provider AND provider_user_id = old.provider_user_id
          AND coalesce(reference_id, '') = coalesce(old.reference_id, '') AND user_id <> c.user_id;
        IF FOUND THEN
            PERFORM peer.split_lineage(c.dev_id, c.lineage_id);
        END IF;
    END IF;
    -- Those that replaced it may inherit its account.
    IF c.replaced_at IS NOT NULL
       AND (c.provider_user_id IS DISTINCT FROM old.provider_user_id OR c.connected_at <> old.connected_at) THEN
        FOR heir_user_id IN
            SELECT h.user_id FROM peer.reauths r JOIN peer.connections h
                ON h.dev_id = r.dev_id AND h.user_id = r.new_user_id
            WHERE r.dev_id = c.dev_id AND r.old_user_id = c.user_id AND h.own_provider_user_id IS NULL
        LOOP
            PERFORM peer.settle_again(c.dev_id, heir_user_id, cause);
        END LOOP;
    END IF;
END
$$;

CREATE FUNCTION peer.settle_again(dev_id text, user_id text, cause bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    c peer.connections;
BEGIN
    SELECT * INTO c FROM peer.connections stored
    WHERE stored.dev_id = settle_again.dev_id AND stored.user_id = settle_again.user_id FOR NO KEY UPDATE;
    PERFORM peer.settle(c, c, NULL, cause);
END
$$;

-- Writes `c` over `old`, if it differs, and tells what changed.
CREATE FUNCTION peer.write(old peer.connections, c peer.connections, cause bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF c IS NOT DISTINCT FROM old THEN
        RETURN;
    END IF;
    UPDATE peer.connections
    SET lineage_id = c.lineage_id, reference_id = c.reference_id, provider = c.provider,
        provider_user_id = c.provider_user_id, status = c.status, successor_user_id = c.successor_user_id,
        confirmed = c.confirmed, scopes = c.scopes, created_at = c.created_at, first_seen_at = c.first_seen_at,
        connected_at = c.connected_at, ended_at = c.ended_at, live = c.live, alive_at = c.alive_at,
        replaced_at = c.replaced_at, replaced_by = c.replaced_by, deauthenticated_at = c.deauthenticated_at,
        revoked_at = c.revoked_at, failed_at = c.failed_at, degraded_at = c.degraded_at,
        own_provider_user_id = c.own_provider_user_id, own_provider_user_id_at = c.own_provider_user_id_at,
        provider_at = c.provider_at, provider_passing = c.provider_passing, reference_id_at = c.reference_id_at,
        reference_id_passing = c.reference_id_passing, scopes_at = c.scopes_at, scopes_passing = c.scopes_passing,
        reauthenticated = c.reauthenticated, duplicate = c.duplicate
    WHERE dev_id = c.dev_id AND user_id = c.user_id;

    IF c.status <> old.status THEN
        INSERT INTO peer.changes (event_id, kind, dev_id, user_id, lineage_id, reference_id, detail)
        VALUES (cause, CASE c.status WHEN 'active' THEN 'revived' ELSE c.status END, c.dev_id, c.user_id, c.lineage_id,
                c.reference_id,
                jsonb_build_object('successor_user_id', c.successor_user_id, 'previous_status', old.status));
    END IF;
    IF c.provider_user_id IS DISTINCT FROM old.provider_user_id AND c.provider_user_id IS NOT NULL THEN
        INSERT INTO peer.changes (event_id, kind, dev_id, user_id, lineage_id, reference_id, detail)
        VALUES (cause, 'account_identified', c.dev_id, c.user_id, c.lineage_id, c.reference_id,
                jsonb_build_object('provider_user_id', c.provider_user_id,
                                   'previous_provider_user_id', old.provider_user_id));
    END IF;
    IF c.degraded_at IS DISTINCT FROM old.degraded_at THEN
        INSERT INTO peer.changes (event_id, kind, dev_id, user_id, lineage_id, reference_id)
        VALUES (cause, 'degraded', c.dev_id, c.user_id, c.lineage_id, c.reference_id);
    END IF;
    IF c.reference_id IS DISTINCT FROM old.reference_id THEN
        INSERT INTO peer.changes (event_id, kind, dev_id, user_id, lineage_id, reference_id, detail)
        VALUES (cause, 'reference_changed', c.dev_id, c.user_id, c.lineage_id, c.reference_id,
                jsonb_build_object('previous_reference_id', old.reference_id));
    END IF;
    IF c.scopes IS DISTINCT FROM old.scopes THEN
        INSERT INTO peer.changes (event_id, kind, dev_id, user_id, lineage_id, reference_id, detail)
        VALUES (cause, 'scopes_changed', c.dev_id, c.user_id, c.lineage_id, c.reference_id,
                jsonb_build_object('scopes', c.scopes, 'previous_scopes', old.scopes));
    END IF;
    IF c.duplicate <> old.duplicate THEN
        INSERT INTO peer.changes (event_id, kind, dev_id, user_id, lineage_id, reference_id)
        VALUES (cause, CASE WHEN c.duplicate THEN 'duplicate_opened' ELSE 'duplicate_closed' END, c.dev_id, c.user_id,
                c.lineage_id, c.reference_id);
    END IF;
END
$$;

-- Adds what an event said of a connection to its facts.
-- said: the facts, `status` what they alone amount to; first_seen_at is the event's time.
-- passing: by a data event, which counts less for what the user object repeats.
-- linked_lineage_id: the lineage that a user_reauth, heard for the first time, links it to; null, if none.
CREATE FUNCTION peer.tell(said peer.connections, passing boolean, linked_lineage_id bigint, cause bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    old peer.connections;
    c peer.connections;
    at timestamptz := said.first_seen_at;
    end_at timestamptz;
BEGIN
    -- What confirms is mostly the first that is heard of a connection, all else mostly not.
    IF NOT said.confirmed THEN
        SELECT * INTO old FROM peer.connections
        WHERE dev_id = said.dev_id AND user_id = said.user_id FOR NO KEY UPDATE;
    END IF;
    IF old.user_id IS NULL THEN
        said.connection_id := nextval('peer.connection_id_seq');
        INSERT INTO peer.connections (
            connection_id, dev_id, user_id, lineage_id, reference_id, provider, status, successor_user_id, confirmed,
            scopes, created_at, first_seen_at, connected_at, ended_at, live, alive_at, replaced_at, replaced_by,
            deauthenticated_at, revoked_at, failed_at, degraded_at, provider_at, provider_passing, reference_id_at,
            reference_id_passing, scopes_at, scopes_passing, reauthenticated, user_uuid)
        VALUES (
            said.connection_id, said.dev_id, said.user_id, coalesce(linked_lineage_id, said.connection_id),
            said.reference_id, said.provider, said.status, said.replaced_by, said.confirmed, said.scopes,
            said.created_at,
            at, coalesce(said.created_at, at), CASE WHEN said.status <> 'active' THEN at END, said.live, said.alive_at,
            said.replaced_at, said.replaced_by, said.deauthenticated_at, said.revoked_at, said.failed_at,
            said.degraded_at, CASE WHEN said.provider IS NOT NULL THEN at END, passing,
            CASE WHEN said.reference_id IS NOT NULL THEN at END, passing,
            CASE WHEN said.scopes IS NOT NULL THEN at END, passing, linked_lineage_id IS NOT NULL,
            CASE WHEN said.user_id ~ '^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$'
                 THEN said.user_id::uuid END)
        ON CONFLICT DO NOTHING;
        IF FOUND THEN
            INSERT INTO peer.changes (event_id, kind, dev_id, user_id, lineage_id, reference_id)
            VALUES (cause,
                    CASE WHEN said.status <> 'active' THEN said.status
                         WHEN linked_lineage_id IS NOT NULL THEN 'reconnected' ELSE 'connected' END,
                    said.dev_id, said.user_id, coalesce(linked_lineage_id, said.connection_id), said.reference_id);
            IF said.own_provider_user_id IS NULL AND linked_lineage_id IS NULL THEN
                RETURN;
            END IF;
        END IF;
        SELECT * INTO old FROM peer.connections
        WHERE dev_id = said.dev_id AND user_id = said.user_id FOR NO KEY UPDATE;
    END IF;

    c := old;
    c.created_at := least(c.created_at, said.created_at);
    c.first_seen_at := least(c.first_seen_at, at);
    c.connected_at := coalesce(c.created_at, c.first_seen_at);
    c.live := c.live OR said.live;
    c.confirmed := c.confirmed OR said.confirmed;
    c.alive_at := greatest(c.alive_at, said.alive_at);
    c.deauthenticated_at := greatest(c.deauthenticated_at, said.deauthenticated_at);
    c.revoked_at := greatest(c.revoked_at, said.revoked_at);
    c.failed_at := greatest(c.failed_at, said.failed_at);
    c.degraded_at := greatest(c.degraded_at, said.degraded_at);
    c.reauthenticated := c.reauthenticated OR linked_lineage_id IS NOT NULL;
    IF said.replaced_at IS NOT NULL
       AND (c.replaced_at IS NULL
            OR (said.replaced_at, said.replaced_by COLLATE "C") > (c.replaced_at, c.replaced_by)) THEN
        c.replaced_at := said.replaced_at;
        c.replaced_by := said.replaced_by;
    END IF;
    IF said.own_provider_user_id IS NOT NULL
       AND (c.own_provider_user_id IS NULL
            OR (at, said.own_provider_user_id COLLATE "C") > (c.own_provider_user_id_at, c.own_provider_user_id)) THEN
        c.own_provider_user_id := said.own_provider_user_id;
        c.own_provider_user_id_at := at;
    END IF;
    -- The last writer wins; of data events, which only stand in for others, the first.
    IF said.provider IS NOT NULL
       AND (c.provider IS NULL
            OR CASE WHEN passing <> c.provider_passing THEN c.provider_passing
                    WHEN passing THEN (at, said.provider COLLATE "C") < (c.provider_at, c.provider)
                    ELSE (at, said.provider COLLATE "C") > (c.provider_at, c.provider) END) THEN
        c.provider := said.provider;
        c.provider_at := at;
        c.provider_passing := passing;
    END IF;
    IF said.reference_id IS NOT NULL
       AND (c.reference_id IS NULL
            OR CASE WHEN passing <> c.reference_id_passing THEN c.reference_id_passing
                    WHEN passing THEN (at, said.reference_id COLLATE "C") < (c.reference_id_at, c.reference_id)
                    ELSE (at, said.reference_id COLLATE "C") > (c.reference_id_at, c.reference_id) END) THEN
        c.reference_id := said.reference_id;
        c.reference_id_at := at;
        c.reference_id_passing := passing;
    END IF;
    IF said.scopes IS NOT NULL
       AND (c.scopes IS NULL
            OR CASE WHEN passing <> c.scopes_passing THEN c.scopes_passing
                    WHEN passing THEN (at, said.scopes COLLATE "C") < (c.scopes_at, c.scopes)
                    ELSE (at, said.scopes COLLATE "C") > (c.scopes_at, c.scopes) END) THEN
        c.scopes := said.scopes;
        c.scopes_at := at;
        c.scopes_passing := passing;
    END IF;

    -- A dead connection comes back only by a proof of life that is later than every end.
    end_at := greatest(c.replaced_at, c.deauthenticated_at, c.revoked_at, c.failed_at);
    IF end_at IS NOT NULL AND (c.alive_at IS NULL OR c.alive_at <= end_at) THEN
        c.successor_user_id := NULL;
        IF c.replaced_at IS NOT NULL THEN
            c.status := 'replaced';
            c.successor_user_id := c.replaced_by;
        ELSIF c.deauthenticated_at IS NOT NULL THEN
            c.status := 'deauthenticated';
        ELSIF c.revoked_at IS NOT NULL THEN
            c.status := 'revoked';
        ELSE
            c.status := 'failed';
        END IF;
        c.ended_at := coalesce(c.replaced_at, c.deauthenticated_at, c.revoked_at, c.failed_at);
    ELSIF c.status NOT IN ('active', 'superseded') THEN
        c.status := 'active';
        c.successor_user_id := NULL;
        c.ended_at := NULL;
    END IF;

    IF c IS NOT DISTINCT FROM old AND linked_lineage_id IS NULL THEN
        RETURN;
    END IF;
    -- Without an account it has no slot, and without a reauth none to inherit.
    IF c.provider_user_id IS NULL AND c.own_provider_user_id IS NULL AND NOT c.reauthenticated THEN
        PERFORM peer.write(old, c, cause);
    ELSE
        PERFORM peer.settle(old, c, linked_lineage_id, cause);
    END IF;
END
$$;

CREATE FUNCTION peer.read_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    space constant text := E' \t\n\r\v\f';
    trace text;
    ordering text;
    ordering_at timestamptz;
    passing boolean;
    about jsonb;                    -- the user object that is read
    said peer.connections;
    old_user_id text;
    old_lineage_id bigint;
BEGIN
    new.event_type := nullif(btrim(new.payload ->> 'type', space), '');
    new.event_time := new.received_at;
    IF new.headers IS NOT NULL THEN
        ordering := coalesce(new.headers ->> 'X-Terra-Ordering-Timestamp',
                             new.headers ->> 'x-terra-ordering-timestamp');
        IF ordering ~ '^[0-9]{1,15}$' THEN
            ordering_at := to_timestamp(ordering::bigint / 1000.0);
            new.event_time := ordering_at;
        END IF;
        trace := coalesce(new.headers ->> 'X-Terra-Trace-Id', new.headers ->> 'x-terra-trace-id');
        IF trace IS NOT NULL THEN
            INSERT INTO peer.deliveries (dev_id, trace_id, event_id) VALUES (new.dev_id, trace, new.event_id)
            ON CONFLICT DO NOTHING;
            IF NOT FOUND THEN
                RETURN NULL;
            END IF;
        END IF;
    END IF;
    about := new.payload -> CASE new.event_type WHEN 'user_reauth' THEN 'new_user' ELSE 'user' END;
    new.user_id := nullif(btrim(about ->> 'user_id', space), '');
    IF new.user_id IS NULL THEN
        RETURN new;
    END IF;

    said.dev_id := new.dev_id;
    said.first_seen_at := new.event_time;
    IF new.event_type = 'user_reauth' THEN
        old_user_id := nullif(btrim(new.payload -> 'old_user' ->> 'user_id', space), '');
        IF old_user_id <> new.user_id THEN
            about := new.payload -> 'old_user';
            said.user_id := old_user_id;
            said.provider := upper(nullif(btrim(about ->> 'provider', space), ''));
            said.reference_id := coalesce(nullif(btrim(about ->> 'reference_id', space), ''),
                                          nullif(btrim(new.payload ->> 'reference_id', space), ''));
            said.scopes := nullif(btrim(about ->> 'scopes', space), '');
            said.created_at := (about ->> 'created_at')::timestamptz;
            said.live := false;
            said.confirmed := false;
            said.status := 'replaced';
            said.replaced_at := new.event_time;
            said.replaced_by := new.user_id;
            PERFORM peer.tell(said, false, NULL, new.event_id);
            INSERT INTO peer.reauths (dev_id, old_user_id, new_user_id) VALUES (new.dev_id, old_user_id, new.user_id)
            ON CONFLICT DO NOTHING;
            IF FOUND THEN
                SELECT c.lineage_id INTO old_lineage_id FROM peer.connections c
                WHERE c.dev_id = new.dev_id AND c.user_id = old_user_id;
            END IF;
            said.replaced_at := NULL;
            said.replaced_by := NULL;
            about := new.payload -> 'new_user';
        END IF;
    END IF;

    said.user_id := new.user_id;
    said.provider := upper(nullif(btrim(about ->> 'provider', space), ''));
    said.reference_id := coalesce(nullif(btrim(about ->> 'reference_id', space), ''),
                                  nullif(btrim(new.payload ->> 'reference_id', space), ''));
    said.scopes := nullif(btrim(about ->> 'scopes', space), '');
    said.created_at := (about ->> 'created_at')::timestamptz;
    said.live := true;
    said.confirmed := false;
    said.status := 'active';
    passing := false;
    CASE new.event_type
    WHEN 'auth' THEN
        IF new.payload ->> 'status' = 'success' THEN
            said.confirmed := true;
            said.alive_at := coalesce(ordering_at, said.created_at);
        ELSE
            said.live := false;
            said.status := 'failed';
            said.failed_at := new.event_time;
        END IF;
    WHEN 'user_reauth' THEN
        said.confirmed := true;
        said.alive_at := coalesce(ordering_at, said.created_at);
    WHEN 'deauth' THEN
        said.live := false;
        said.status := 'deauthenticated';
        said.deauthenticated_at := new.event_time;
    WHEN 'access_revoked' THEN
        said.live := false;
        said.status := 'revoked';
        said.revoked_at := new.event_time;
    WHEN 'athlete' THEN
        said.own_provider_user_id := coalesce(nullif(btrim(new.payload -> 'athlete' ->> 'provider_user_id', space), ''),
                                              nullif(btrim(new.payload -> 'data' -> 0 ->> 'provider_user_id', space),
                                                     ''));
    WHEN 'connection_error' THEN
        said.degraded_at := new.event_time;
    WHEN 'permission_change' THEN
        NULL;
    ELSE
        passing := true;
        PERFORM FROM peer.connections c
        WHERE c.dev_id = new.dev_id AND c.user_id = new.user_id AND c.live AND c.first_seen_at <= new.event_time
          AND (said.created_at IS NULL OR c.created_at <= said.created_at)
          AND (said.provider IS NULL OR c.provider_at < CASE WHEN c.provider_passing THEN new.event_time
               ELSE 'infinity' END)
          AND (said.reference_id IS NULL OR c.reference_id_at < CASE WHEN c.reference_id_passing THEN new.event_time
               ELSE 'infinity' END)
          AND (said.scopes IS NULL OR c.scopes_at < CASE WHEN c.scopes_passing THEN new.event_time ELSE 'infinity' END);
        IF FOUND THEN
            RETURN new;
        END IF;
    END CASE;
    PERFORM peer.tell(said, passing, old_lineage_id, new.event_id);
    RETURN new;
END
$$;
CREATE TRIGGER read_event BEFORE INSERT ON peer.events FOR EACH ROW EXECUTE FUNCTION peer.read_event();

CREATE VIEW peer.duplicate_connections AS
SELECT dev_id, provider, provider_user_id, user_id, user_uuid, reference_id, lineage_id, connected_at,
       row_number() OVER newest_first = 1 AS newest,
       count(*) OVER (PARTITION BY dev_id, provider, provider_user_id) AS connections
FROM peer.connections
WHERE duplicate
WINDOW newest_first AS (PARTITION BY dev_id, provider, provider_user_id
                        ORDER BY connected_at DESC, user_id COLLATE "C" DESC);
