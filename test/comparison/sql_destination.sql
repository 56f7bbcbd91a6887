-- What Terra's SQL destination keeps, by Terra's documentation of it: three tables that Terra fills itself. What it
-- writes when is not published in every detail, so this is a model, and where the documentation says nothing a kind
-- one: it hears of everything in the right order. It has no account of the provider, and no link from an old id to a
-- new one.

CREATE SCHEMA sql_destination;
CREATE TABLE sql_destination.terra_users (
    user_id text PRIMARY KEY, reference_id text, created_at timestamptz, granted_scopes text, provider text, state text
);
-- "Updated payloads are inserted as new rows", says Terra, "deduplicate downstream".
CREATE TABLE sql_destination.terra_data_payloads (
    user_id text, data_type text, created_at timestamptz, payload_id text, start_time timestamptz, end_time timestamptz
);
CREATE TABLE sql_destination.terra_other_payloads (user_id text, type text, created_at timestamptz, payload_id text);

CREATE FUNCTION sql_destination.set_state(about jsonb, state text) RETURNS void LANGUAGE sql AS $$
    INSERT INTO sql_destination.terra_users (user_id, reference_id, provider, state)
    SELECT about ->> 'user_id', about ->> 'reference_id', about ->> 'provider', state
    WHERE about ->> 'user_id' IS NOT NULL
    ON CONFLICT (user_id) DO UPDATE SET state = excluded.state
$$;

CREATE FUNCTION sql_destination.deliver(payload jsonb, headers jsonb, received_at timestamptz) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    CASE payload ->> 'type'
    WHEN 'daily' THEN
        INSERT INTO sql_destination.terra_data_payloads (user_id, data_type, created_at)
        VALUES (payload #>> '{user,user_id}', 'daily', received_at);
        RETURN;
    WHEN 'auth' THEN
        IF payload ->> 'status' = 'success' THEN
            PERFORM sql_destination.set_state(payload -> 'user', 'active');
        END IF;
    WHEN 'user_reauth' THEN
        PERFORM sql_destination.set_state(payload -> 'old_user', 'user_reauth');
        PERFORM sql_destination.set_state(payload -> 'new_user', 'active');
    WHEN 'deauth', 'access_revoked' THEN
        PERFORM sql_destination.set_state(payload -> 'user', payload ->> 'type');
    ELSE
        NULL;
    END CASE;
    INSERT INTO sql_destination.terra_other_payloads (user_id, type, created_at)
    VALUES (payload #>> '{user,user_id}', payload ->> 'type', received_at);
END
$$;

CREATE FUNCTION sql_destination.newer_takes_over() RETURNS void LANGUAGE sql RETURN NULL;
CREATE FUNCTION sql_destination.current(person text) RETURNS text LANGUAGE sql STABLE
RETURN (SELECT coalesce(string_agg(u.user_id, ' ' ORDER BY u.user_id), 'nobody')
        FROM sql_destination.terra_users u WHERE u.reference_id = person AND u.state = 'active');
CREATE FUNCTION sql_destination.now_of(user_id text) RETURNS text LANGUAGE sql STABLE
RETURN (SELECT u.user_id FROM sql_destination.terra_users u WHERE u.user_id = now_of.user_id AND u.state = 'active');
CREATE FUNCTION sql_destination.data_of(person text) RETURNS text LANGUAGE sql STABLE
RETURN (SELECT count(*) FROM sql_destination.terra_data_payloads d JOIN sql_destination.terra_users u USING (user_id)
        WHERE u.reference_id = person)::text;
CREATE FUNCTION sql_destination.sharing(account text) RETURNS text LANGUAGE sql RETURN NULL;
CREATE FUNCTION sql_destination.kept() RETURNS text LANGUAGE sql STABLE
RETURN (SELECT count(*) FROM sql_destination.terra_other_payloads)::text;
