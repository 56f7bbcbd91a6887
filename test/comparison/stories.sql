-- The twelve stories of README.md and of `make demo`, each as the deliveries in the order in which they arrive, a
-- question, and the right answer. Every one that is compared has a schema with the same functions:
--
--   deliver(payload, headers, received_at)   what its webhook handler does with a delivery
--   current(person)                          the user_ids that are connected now, or 'nobody'
--   now_of(user_id)                          what an old user_id stands for now, or 'nobody'
--   data_of(person)                          how many rows of data are hers
--   sharing(account)                         who is on a provider account
--   kept()                                   how many deliveries are kept
--
-- Null says that it cannot answer. A story is played to each in a transaction of its own, which is rolled back.

CREATE SCHEMA comparison;

CREATE TABLE comparison.stories (
    story    int PRIMARY KEY,
    what     text NOT NULL,
    question text NOT NULL,
    answer   text NOT NULL,
    replace  boolean NOT NULL DEFAULT false
);
COMMENT ON COLUMN comparison.stories.replace IS
    'Terra''s API is the one in which a newer connection takes the account over';
CREATE TABLE comparison.deliveries (
    story   int NOT NULL REFERENCES comparison.stories,
    arrives int GENERATED ALWAYS AS IDENTITY,
    sent_at timestamptz NOT NULL,
    trace   text NOT NULL,
    request text,
    payload jsonb NOT NULL
);
COMMENT ON COLUMN comparison.deliveries.request IS
    'The header terra-reference, which all chunks of a request have; null: of this delivery alone';

CREATE FUNCTION comparison.about(user_id text, person text) RETURNS jsonb LANGUAGE sql IMMUTABLE
RETURN jsonb_build_object('user_id', user_id, 'provider', 'GARMIN', 'reference_id', person);

CREATE FUNCTION comparison.auth(user_id text, person text, status text DEFAULT 'success') RETURNS jsonb
    LANGUAGE sql IMMUTABLE
RETURN jsonb_build_object('type', 'auth', 'status', status, 'reference_id', person,
                          'user', comparison.about(user_id, person));

CREATE FUNCTION comparison.reauth(old_user_id text, user_id text, person text) RETURNS jsonb LANGUAGE sql IMMUTABLE
RETURN jsonb_build_object('type', 'user_reauth', 'status', 'warning', 'old_user', comparison.about(old_user_id, person),
                          'new_user', comparison.about(user_id, person));

CREATE FUNCTION comparison.event(type text, user_id text, person text, rest jsonb DEFAULT '{}') RETURNS jsonb
    LANGUAGE sql IMMUTABLE
RETURN jsonb_build_object('type', type, 'user', comparison.about(user_id, person)) || rest;

CREATE FUNCTION comparison.data(day date) RETURNS jsonb LANGUAGE sql IMMUTABLE
RETURN jsonb_build_object('data', jsonb_build_array(
    jsonb_build_object('metadata', jsonb_build_object('start_time', day::text || 'T00:00:00Z'))));

INSERT INTO comparison.stories (story, what, question, answer, replace) VALUES
    (1, 'Alice connects her watch. Who is she?', 'current(''alice'')', 'a-monday', false),
    (2, 'She reconnects: `user_reauth`, then `auth`. Who is she now?', 'current(''alice'')', 'a-tuesday', false),
    (3, 'All her data, which came under both ids', 'data_of(''alice'')', '2', false),
    (4, 'An old id, found in an old row: what is it now?', 'now_of(''a-monday'')', 'a-tuesday', false),
    (5, 'The same, but the `auth` comes before the `user_reauth`', 'current(''alice'')', 'a-tuesday', false),
    (6, 'A day late comes the `deauth` of the old id', 'current(''alice'')', 'a-tuesday', false),
    (7, 'She disconnects; then comes a retry of her first `auth`', 'current(''alice'')', 'nobody', false),
    (8, 'Three chunks of one request, the second of them twice', 'data_of(''alice'')', '3', false),
    (9, 'Bob connects the same watch account. Who shares it?', 'sharing(''G-42'')', 'alice bob', false),
    (10, 'The same where Terra lets the newer take it over. Who is Alice?', 'current(''alice'')', 'nobody', true),
    (11, 'Her connecting fails: `auth` with status `error`', 'current(''alice'')', 'nobody', false),
    (12, 'An `auth` without a user, and a type of next year. How many are kept?', 'kept()', '2', false);

INSERT INTO comparison.deliveries (story, sent_at, trace, request, payload)
SELECT story, sent_at, trace, request, payload FROM (
    SELECT s.story, d.* FROM comparison.stories s CROSS JOIN (VALUES
        (1, '2026-03-02 09:00Z'::timestamptz, 't1', NULL, comparison.auth('a-monday', 'alice')),
        (2, '2026-03-02 09:01Z', 't2', NULL,
         comparison.event('athlete', 'a-monday', 'alice', '{"athlete": {"provider_user_id": "G-42"}}')),
        (3, '2026-03-02 21:00Z', 't3', NULL,
         comparison.event('daily', 'a-monday', 'alice', comparison.data('2026-03-02')))) d
        (place, sent_at, trace, request, payload)
    WHERE s.story IN (1, 2, 3, 4, 5, 6, 9, 10)
    UNION ALL
    SELECT s.story, d.* FROM comparison.stories s CROSS JOIN (VALUES
        (11, '2026-03-03 10:00Z'::timestamptz, 't4', NULL, comparison.reauth('a-monday', 'a-tuesday', 'alice')),
        (12, '2026-03-03 10:01Z', 't5', NULL, comparison.auth('a-tuesday', 'alice')),
        (13, '2026-03-03 21:00Z', 't6', NULL,
         comparison.event('daily', 'a-tuesday', 'alice', comparison.data('2026-03-03')))) d
        (place, sent_at, trace, request, payload)
    WHERE s.story IN (2, 3, 4, 6, 9, 10)
    UNION ALL VALUES
        (5, 11, '2026-03-03 10:01Z'::timestamptz, 't5', NULL, comparison.auth('a-tuesday', 'alice')),
        (5, 12, '2026-03-03 10:00Z', 't4', NULL, comparison.reauth('a-monday', 'a-tuesday', 'alice')),
        (6, 21, '2026-03-04 10:00Z', 't7', NULL, comparison.event('deauth', 'a-monday', 'alice')),
        (7, 1, '2026-03-05 10:00Z', 't8', NULL, comparison.event('deauth', 'a-monday', 'alice')),
        (7, 2, '2026-03-02 09:00Z', 't1', NULL, comparison.auth('a-monday', 'alice')),
        (8, 1, '2026-03-02 09:00Z', 't1', NULL, comparison.auth('a-monday', 'alice')),
        (8, 2, '2026-03-02 10:00Z', 'c:chunk:1', 'c',
         comparison.event('daily', 'a-monday', 'alice', comparison.data('2026-02-01'))),
        (8, 3, '2026-03-02 10:00Z', 'c:chunk:2', 'c',
         comparison.event('daily', 'a-monday', 'alice', comparison.data('2026-02-02'))),
        (8, 4, '2026-03-02 10:00Z', 'c:chunk:2', 'c',
         comparison.event('daily', 'a-monday', 'alice', comparison.data('2026-02-02'))),
        (8, 5, '2026-03-02 10:00Z', 'c:chunk:3', 'c',
         comparison.event('daily', 'a-monday', 'alice', comparison.data('2026-02-03'))),
        (11, 1, '2026-03-02 09:00Z', 't1', NULL, comparison.auth('a-monday', 'alice', 'error')),
        (12, 1, '2026-03-02 09:00Z', 't1', NULL, '{"type": "auth", "status": "success"}'),
        (12, 2, '2026-03-02 09:01Z', 't2', NULL, '{"type": "something_new", "note": "Terra may add types"}')
    UNION ALL
    SELECT s.story, d.* FROM comparison.stories s CROSS JOIN (VALUES
        (31, '2026-03-06 18:00Z'::timestamptz, 't9', NULL, comparison.auth('b-friday', 'bob')),
        (32, '2026-03-06 18:01Z', 't10', NULL,
         comparison.event('athlete', 'b-friday', 'bob', '{"athlete": {"provider_user_id": "G-42"}}'))) d
        (place, sent_at, trace, request, payload)
    WHERE s.story IN (9, 10)) all_of_them (story, place, sent_at, trace, request, payload)
ORDER BY story, place;

-- What one of them answers. A delivery that fails is answered with an error, and Terra sends it again in vain.
CREATE FUNCTION comparison.answer(one text, story comparison.stories) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    d comparison.deliveries;
    answer text;
BEGIN
    PERFORM set_config('search_path', one || ', pg_catalog', true);
    IF story.replace THEN
        PERFORM newer_takes_over();
    END IF;
    -- Terra fills its own destination in the order in which it knows things.
    FOR d IN SELECT * FROM comparison.deliveries o WHERE o.story = answer.story.story
             ORDER BY CASE WHEN one = 'sql_destination' THEN o.sent_at END, o.arrives LOOP
        BEGIN
            PERFORM deliver(d.payload, jsonb_build_object(
                'X-Terra-Trace-Id', d.trace, 'terra-reference', coalesce(d.request, d.trace),
                'X-Terra-Ordering-Timestamp', (extract(epoch FROM d.sent_at) * 1000)::bigint::text),
                '2026-03-10Z'::timestamptz + d.arrives * interval '1 minute');
        EXCEPTION WHEN integrity_constraint_violation OR data_exception THEN
            NULL;
        END;
    END LOOP;
    EXECUTE 'SELECT ' || story.question INTO answer;
    RAISE EXCEPTION USING ERRCODE = 'CMP01', MESSAGE = coalesce(answer, ''); -- takes back what it did
EXCEPTION WHEN SQLSTATE 'CMP01' THEN
    RETURN nullif(SQLERRM, '');
END
$$;
