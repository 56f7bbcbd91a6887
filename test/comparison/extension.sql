-- The extension, asked by the functions and views that its users ask.

CREATE EXTENSION terra_identity;
CREATE SCHEMA extension;

CREATE FUNCTION extension.deliver(payload jsonb, headers jsonb, received_at timestamptz) RETURNS void LANGUAGE sql AS $$
    INSERT INTO terra_identity.events (payload, headers, received_at) VALUES (payload, headers, received_at)
$$;
CREATE FUNCTION extension.newer_takes_over() RETURNS void LANGUAGE sql AS $$
    UPDATE terra_identity.environments SET account_policy = 'replace' WHERE dev_id = 'default'
$$;
CREATE FUNCTION extension.current(person text) RETURNS text LANGUAGE sql STABLE
RETURN (SELECT coalesce(string_agg(c.user_id, ' ' ORDER BY c.user_id), 'nobody')
        FROM terra_identity.current_connections c WHERE c.reference_id = person);
CREATE FUNCTION extension.now_of(user_id text) RETURNS text LANGUAGE sql STABLE
RETURN coalesce(terra_identity.resolve(user_id), 'nobody');
CREATE FUNCTION extension.data_of(person text) RETURNS text LANGUAGE sql STABLE
RETURN (SELECT count(*) FROM terra_identity.user_ids(person) u JOIN terra_identity.events e USING (user_id)
        WHERE e.event_type = 'daily')::text;
CREATE FUNCTION extension.sharing(account text) RETURNS text LANGUAGE sql STABLE
RETURN (SELECT string_agg(d.reference_id, ' ' ORDER BY d.reference_id) FROM terra_identity.duplicate_connections d
        WHERE d.provider_user_id = account);
CREATE FUNCTION extension.kept() RETURNS text LANGUAGE sql STABLE
RETURN (SELECT count(*) FROM terra_identity.events)::text;
