-- What the webhook handler of Terra's example app does (github.com/tryterra/terra-examples, the web app for its Unified
-- API, as of July 2026), told in SQL: its tables and its branches, without what it keeps of the data beyond the day.
-- It answers 200 first and works afterwards: what fails is marked so, and does not come again. Every six hours, and
-- when a page is opened, the app also asks Terra for its list of a person's users; that is not played here.

CREATE SCHEMA example_app;
CREATE TABLE example_app.people (id text PRIMARY KEY);
INSERT INTO example_app.people VALUES ('alice'), ('bob');
CREATE TABLE example_app.connections (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person        text NOT NULL REFERENCES example_app.people,
    terra_user_id text NOT NULL UNIQUE,
    provider      text NOT NULL,
    status        text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'revoked', 'error'))
);
CREATE TABLE example_app.daily (
    connection bigint REFERENCES example_app.connections,
    day        date,
    PRIMARY KEY (connection, day)
);
CREATE TABLE example_app.webhook_events (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    terra_reference text UNIQUE,
    event_type      text NOT NULL,
    terra_user_id   text,
    status          text NOT NULL DEFAULT 'received',
    error           text
);

CREATE FUNCTION example_app.process(payload jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    person text;
    connection_id bigint;
BEGIN
    CASE payload ->> 'type'
    WHEN 'auth' THEN -- whatever its status
        SELECT p.id INTO STRICT person FROM example_app.people p WHERE p.id = payload ->> 'reference_id';
        INSERT INTO example_app.connections (person, terra_user_id, provider)
        VALUES (person, payload #>> '{user,user_id}', payload #>> '{user,provider}')
        ON CONFLICT (terra_user_id) DO UPDATE SET person = excluded.person, provider = excluded.provider,
                                                  status = 'active';
    WHEN 'deauth', 'access_revoked' THEN
        UPDATE example_app.connections SET status = 'revoked' WHERE terra_user_id = payload #>> '{user,user_id}';
    WHEN 'user_reauth' THEN
        UPDATE example_app.connections SET terra_user_id = payload #>> '{new_user,user_id}', status = 'active'
        WHERE terra_user_id = payload #>> '{old_user,user_id}';
    WHEN 'connection_error' THEN
        UPDATE example_app.connections SET status = 'error' WHERE terra_user_id = payload #>> '{user,user_id}';
    WHEN 'daily' THEN
        SELECT c.id INTO STRICT connection_id FROM example_app.connections c
        WHERE c.terra_user_id = payload #>> '{user,user_id}';
        INSERT INTO example_app.daily (connection, day)
        SELECT connection_id, left(d #>> '{metadata,start_time}', 10)::date
        FROM jsonb_array_elements(payload -> 'data') d
        ON CONFLICT DO NOTHING;
        UPDATE example_app.connections SET status = 'active' WHERE id = connection_id;
    ELSE
        NULL; -- athlete among them: logged as unhandled
    END CASE;
END
$$;

CREATE FUNCTION example_app.deliver(payload jsonb, headers jsonb, received_at timestamptz) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    event_id bigint;
BEGIN
    IF EXISTS (SELECT FROM example_app.webhook_events w WHERE w.terra_reference = headers ->> 'terra-reference') THEN
        RETURN;
    END IF;
    INSERT INTO example_app.webhook_events (terra_reference, event_type, terra_user_id)
    VALUES (headers ->> 'terra-reference', payload ->> 'type', payload #>> '{user,user_id}') RETURNING id INTO event_id;
    PERFORM example_app.process(payload);
    UPDATE example_app.webhook_events SET status = 'processed' WHERE id = event_id;
EXCEPTION WHEN integrity_constraint_violation OR no_data_found THEN
    INSERT INTO example_app.webhook_events (terra_reference, event_type, terra_user_id, status, error)
    VALUES (headers ->> 'terra-reference', payload ->> 'type', payload #>> '{user,user_id}', 'failed', SQLERRM);
END
$$;

CREATE FUNCTION example_app.newer_takes_over() RETURNS void LANGUAGE sql RETURN NULL;
CREATE FUNCTION example_app.current(person text) RETURNS text LANGUAGE sql STABLE
RETURN (SELECT coalesce(string_agg(c.terra_user_id, ' ' ORDER BY c.terra_user_id), 'nobody')
        FROM example_app.connections c WHERE c.person = current.person AND c.status = 'active');
-- It writes the new id over the old one.
CREATE FUNCTION example_app.now_of(user_id text) RETURNS text LANGUAGE sql STABLE
RETURN (SELECT c.terra_user_id FROM example_app.connections c WHERE c.terra_user_id = user_id);
CREATE FUNCTION example_app.data_of(person text) RETURNS text LANGUAGE sql STABLE
RETURN (SELECT count(*) FROM example_app.daily d JOIN example_app.connections c ON c.id = d.connection
        WHERE c.person = data_of.person)::text;
CREATE FUNCTION example_app.sharing(account text) RETURNS text LANGUAGE sql RETURN NULL;
CREATE FUNCTION example_app.kept() RETURNS text LANGUAGE sql STABLE
RETURN (SELECT count(*) FROM example_app.webhook_events)::text;
