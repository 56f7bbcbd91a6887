-- deliver(dev_id, first, last): webhooks of 40 connections that share accounts, connect again and go; the same for the
-- same numbers, but for the time. How many were stored.
CREATE FUNCTION deliver(dev_id text, first int, last int) RETURNS bigint LANGUAGE sql AS $$
    WITH stored AS (
        INSERT INTO terra_identity.events (dev_id, payload, headers)
        SELECT dev_id, jsonb_build_object('type', type, 'status', 'success', 'user', u, 'new_user', u,
                   'old_user', jsonb_build_object('user_id', 'u' || (k + 1) % 40),
                   'athlete', jsonb_build_object('provider_user_id', 'a' || k % 7)),
               jsonb_build_object('X-Terra-Trace-Id', 'trace ' || i)
        FROM generate_series(first, last) i, LATERAL (SELECT i * 7 % 40) x (k),
             LATERAL (SELECT (ARRAY['GARMIN', 'OURA', 'APPLE'])[1 + k % 3],
                 (ARRAY['auth', 'athlete', 'daily', 'user_reauth', 'deauth', 'athlete', 'auth', 'sleep'])[1 + i % 8])
                 y (provider, type),
             LATERAL (SELECT jsonb_build_object('user_id', 'u' || k, 'provider', provider,
                                                'reference_id', 'r' || k % 11)) z (u)
        RETURNING 1)
    SELECT count(*) FROM stored $$;
