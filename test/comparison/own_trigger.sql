-- A plpgsql trigger as a careful developer writes it in an afternoon: it keeps every delivery once by its trace id,
-- does not touch the new id when the old one ends, and keeps who replaced whom and the provider accounts.
-- (test/bench/peer.sql is what a good team would have after weeks: the rules of this extension, in 700 lines.)

CREATE SCHEMA own_trigger;
CREATE TABLE own_trigger.webhooks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, trace_id text UNIQUE, received_at timestamptz, payload jsonb
);
CREATE TABLE own_trigger.connections (
    user_id text PRIMARY KEY, person text, provider text, account text, status text NOT NULL, replaced_by text
);

CREATE FUNCTION own_trigger.follow() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    about jsonb := coalesce(new.payload -> 'new_user', new.payload -> 'user');
BEGIN
    CASE new.payload ->> 'type'
    WHEN 'auth' THEN
        IF new.payload ->> 'status' = 'success' THEN
            INSERT INTO own_trigger.connections (user_id, person, provider, status)
            VALUES (about ->> 'user_id', about ->> 'reference_id', about ->> 'provider', 'active')
            ON CONFLICT (user_id) DO UPDATE SET person = excluded.person, status = 'active';
        END IF;
    WHEN 'user_reauth' THEN
        INSERT INTO own_trigger.connections (user_id, person, provider, account, status)
        VALUES (about ->> 'user_id', about ->> 'reference_id', about ->> 'provider',
                (SELECT c.account FROM own_trigger.connections c
                 WHERE c.user_id = new.payload #>> '{old_user,user_id}'), 'active')
        ON CONFLICT (user_id) DO UPDATE SET status = 'active',
                                            account = coalesce(connections.account, excluded.account);
        UPDATE own_trigger.connections SET status = 'replaced', replaced_by = about ->> 'user_id'
        WHERE user_id = new.payload #>> '{old_user,user_id}';
    WHEN 'deauth', 'access_revoked' THEN
        UPDATE own_trigger.connections SET status = new.payload ->> 'type' WHERE user_id = about ->> 'user_id';
    WHEN 'athlete' THEN
        UPDATE own_trigger.connections SET account = new.payload #>> '{athlete,provider_user_id}'
        WHERE user_id = about ->> 'user_id';
    ELSE
        NULL;
    END CASE;
    RETURN NULL;
END
$$;
CREATE TRIGGER follow AFTER INSERT ON own_trigger.webhooks FOR EACH ROW EXECUTE FUNCTION own_trigger.follow();

CREATE FUNCTION own_trigger.deliver(payload jsonb, headers jsonb, received_at timestamptz) RETURNS void
    LANGUAGE sql AS $$
    INSERT INTO own_trigger.webhooks (trace_id, received_at, payload)
    VALUES (headers ->> 'X-Terra-Trace-Id', received_at, payload) ON CONFLICT (trace_id) DO NOTHING
$$;
CREATE FUNCTION own_trigger.newer_takes_over() RETURNS void LANGUAGE sql RETURN NULL;
CREATE FUNCTION own_trigger.current(person text) RETURNS text LANGUAGE sql STABLE
RETURN (SELECT coalesce(string_agg(c.user_id, ' ' ORDER BY c.user_id), 'nobody')
        FROM own_trigger.connections c WHERE c.person = current.person AND c.status = 'active');
CREATE FUNCTION own_trigger.now_of(user_id text) RETURNS text LANGUAGE sql STABLE
RETURN (WITH RECURSIVE later AS (
            SELECT c.* FROM own_trigger.connections c WHERE c.user_id = now_of.user_id
            UNION SELECT n.* FROM later l JOIN own_trigger.connections n ON n.user_id = l.replaced_by)
        SELECT coalesce(max(l.user_id), 'nobody') FROM later l WHERE l.status = 'active');
CREATE FUNCTION own_trigger.data_of(person text) RETURNS text LANGUAGE sql STABLE
RETURN (SELECT count(*) FROM own_trigger.webhooks w
        JOIN own_trigger.connections c ON c.user_id = w.payload #>> '{user,user_id}'
        WHERE c.person = data_of.person AND w.payload ->> 'type' = 'daily')::text;
CREATE FUNCTION own_trigger.sharing(account text) RETURNS text LANGUAGE sql STABLE
RETURN (SELECT string_agg(DISTINCT c.person, ' ' ORDER BY c.person) FROM own_trigger.connections c
        WHERE c.account = sharing.account AND c.status = 'active');
CREATE FUNCTION own_trigger.kept() RETURNS text LANGUAGE sql STABLE
RETURN (SELECT count(*) FROM own_trigger.webhooks)::text;
