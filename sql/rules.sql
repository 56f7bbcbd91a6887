-- What follows from events: policies, SDK slots, inherited accounts, ends and revivals, lineages that join and part.
SET terra_identity.dev_id = 'rules';
SET timezone = 'UTC';
SET datestyle = 'ISO';

-- Tells events of one day, one statement each: "HH:MM type user_id [key=value ...]". The keys are those of the user
-- object; status= and account= are the event's and the athlete's; old= and old.KEY= are of the old_user; at= is the
-- ordering timestamp's time of day.
CREATE PROCEDURE pg_temp.tell(VARIADIC stories text[]) LANGUAGE plpgsql AS $$
DECLARE
    story text; words text[]; word text; k text; v text;
    person jsonb; old_person jsonb; payload jsonb; headers jsonb; day constant text := '2024-03-01 ';
BEGIN
    FOREACH story IN ARRAY stories LOOP
        words := regexp_split_to_array(story, ' +');
        payload := jsonb_build_object('type', words[2]);
        person := jsonb_build_object('user_id', words[3]);
        old_person := NULL;
        headers := NULL;
        FOREACH word IN ARRAY words[4:] LOOP
            k := split_part(word, '=', 1);
            v := split_part(word, '=', 2);
            CASE WHEN k = 'status' THEN payload := payload || jsonb_build_object('status', v);
                 WHEN k = 'account' THEN payload := payload || jsonb_build_object('athlete', jsonb_build_object('provider_user_id', v));
                 WHEN k = 'old' THEN old_person := coalesce(old_person, '{}') || jsonb_build_object('user_id', v);
                 WHEN k LIKE 'old.%' THEN old_person := coalesce(old_person, '{}') || jsonb_build_object(substr(k, 5), v);
                 WHEN k = 'at' THEN headers := jsonb_build_object('X-Terra-Ordering-Timestamp', (extract(epoch FROM (day || v || 'Z')::timestamptz) * 1000)::bigint::text);
                 WHEN k = 'created_at' THEN person := person || jsonb_build_object(k, (day || v || 'Z')::timestamptz);
                 ELSE person := person || jsonb_build_object(k, v);
            END CASE;
        END LOOP;
        IF words[2] = 'auth' AND NOT payload ? 'status' THEN
            payload := payload || '{"status": "success"}';
        END IF;
        payload := payload || CASE words[2] WHEN 'user_reauth' THEN jsonb_build_object('new_user', person, 'old_user', old_person)
                                            ELSE jsonb_build_object('user', person) END;
        INSERT INTO terra_identity.events (received_at, payload, headers) VALUES ((day || words[1] || 'Z')::timestamptz, payload, headers);
    END LOOP;
END $$;
-- The state of the present environment; lineages are numbered in the order of their ids.
CREATE VIEW pg_temp.state AS
SELECT user_id, reference_id AS reference, provider, provider_user_id AS account, status, successor_user_id AS successor,
       to_char(ended_at, 'HH24:MI') AS ended, dense_rank() OVER (ORDER BY lineage_id) AS lineage, terra_identity.resolve(user_id)
FROM terra_identity.connections WHERE dev_id = current_setting('terra_identity.dev_id') ORDER BY connected_at, user_id;
CREATE FUNCTION pg_temp.right() RETURNS TABLE (rebuilt bigint, differences bigint) LANGUAGE sql AS $$
    SELECT (SELECT terra_identity.rebuild()), (SELECT count(*) FROM terra_identity.verify())
$$;

--
-- 1. Account policies: keep, replace, and changing between them
--
SET terra_identity.dev_id = 'rules policy';
-- Under keep, the default: one account under two people is a duplicate; the same person's older connection is superseded.
CALL pg_temp.tell('10:00 auth a1 provider=GARMIN reference_id=ann', '10:01 athlete a1 provider=GARMIN account=wrist',
                    '11:00 auth b1 provider=GARMIN reference_id=bob', '11:01 athlete b1 account=wrist',
                    '12:00 auth a2 provider=GARMIN reference_id=ann', '12:01 athlete a2 account=wrist',
                    '13:00 auth c1 provider=OURA reference_id=ann', '13:01 athlete c1 account=wrist');
SELECT * FROM pg_temp.state;
SELECT user_id, reference_id, newest, connections FROM terra_identity.duplicate_connections WHERE dev_id = 'rules policy' ORDER BY 1;
SELECT * FROM terra_identity.transferred_accounts WHERE dev_id = 'rules policy';
-- Under replace the newer ends the older whoever's it is: a chain of three, each superseded by the next.
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('rules policy', 'replace');
SELECT * FROM pg_temp.state;
SELECT * FROM terra_identity.duplicate_connections WHERE dev_id = 'rules policy';
SELECT from_reference_id, from_user_id, to_reference_id, to_user_id, transferred_at
FROM terra_identity.transferred_accounts WHERE dev_id = 'rules policy' ORDER BY transferred_at;
SELECT * FROM pg_temp.right();
-- The end of the newest does not bring back what it superseded.
CALL pg_temp.tell('14:00 deauth a2');
SELECT * FROM pg_temp.state WHERE provider = 'GARMIN';
-- INSERT of a row that is there changes it, as UPDATE does; DELETE goes back to the default. All in one transaction.
BEGIN;
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('rules policy', 'keep');
SELECT user_id, status FROM pg_temp.state WHERE provider = 'GARMIN';
UPDATE terra_identity.environments SET account_policy = 'replace' WHERE dev_id = 'rules policy';
SELECT user_id, status FROM pg_temp.state WHERE provider = 'GARMIN';
DELETE FROM terra_identity.environments WHERE dev_id = 'rules policy';
SELECT user_id, status FROM pg_temp.state WHERE provider = 'GARMIN';
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('rules policy', 'replace');
SELECT user_id, status FROM pg_temp.state WHERE provider = 'GARMIN';
DELETE FROM terra_identity.environments;
SELECT user_id, status FROM pg_temp.state WHERE provider = 'GARMIN';
SELECT * FROM pg_temp.right();
ROLLBACK;
-- A rename of the row changes both environments.
UPDATE terra_identity.environments SET dev_id = 'rules elsewhere' WHERE dev_id = 'rules policy';
SELECT user_id, status FROM pg_temp.state WHERE provider = 'GARMIN';
UPDATE terra_identity.environments SET dev_id = 'rules policy' WHERE dev_id = 'rules elsewhere';
SELECT user_id, status FROM pg_temp.state WHERE provider = 'GARMIN';
-- An INSERT of a row that is there leaves what it does not give.
BEGIN;
INSERT INTO terra_identity.providers (provider, account_ids) VALUES ('APPLE', 'unusable'), ('NEW', 'unusable');
INSERT INTO terra_identity.providers (provider, sdk) VALUES ('APPLE', true), ('NEWER', true);
INSERT INTO terra_identity.environments (dev_id, signature_tolerance) VALUES ('rules policy', '1 hour'), ('rules new', '1 hour');
SELECT * FROM terra_identity.providers WHERE provider IN ('APPLE', 'NEW', 'NEWER') ORDER BY 1;
SELECT dev_id, account_policy, signature_tolerance FROM terra_identity.environments WHERE dev_id IN ('rules policy', 'rules new') ORDER BY 1;
ROLLBACK;
-- An edit is followed wherever it stands: within a COPY, in a trigger of a table that a COPY fills, as a COPY.
BEGIN;
COPY (UPDATE terra_identity.environments SET account_policy = 'keep' WHERE dev_id = 'rules policy' RETURNING dev_id) TO STDOUT;
SELECT user_id, status FROM pg_temp.state WHERE provider = 'GARMIN';
SELECT * FROM pg_temp.right();
ROLLBACK;
CREATE TABLE pg_temp.settings (dev_id text, policy text, provider text, sdk boolean);
CREATE FUNCTION pg_temp.follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE terra_identity.environments SET account_policy = new.policy WHERE dev_id = new.dev_id;
    INSERT INTO terra_identity.providers (provider, sdk) VALUES (new.provider, new.sdk);
    RETURN NULL;
END $$;
CREATE TRIGGER follow AFTER INSERT ON pg_temp.settings FOR EACH ROW EXECUTE FUNCTION pg_temp.follow();
BEGIN;
COPY pg_temp.settings FROM STDIN;
rules policy	keep	GARMIN	t
\.
SELECT user_id, status FROM pg_temp.state WHERE provider = 'GARMIN';
SELECT * FROM pg_temp.right();
ROLLBACK;
BEGIN;
COPY terra_identity.environments (dev_id, account_policy) FROM STDIN;
rules policy	keep
\.
COPY terra_identity.providers (provider, sdk, account_ids) FROM STDIN;
OURA	t	unusable
\.
SELECT user_id, status FROM pg_temp.state;
SELECT * FROM pg_temp.right();
ROLLBACK;
SELECT account_policy, count(*) FROM terra_identity.environments WHERE dev_id LIKE 'rules%' GROUP BY 1;
\set VERBOSITY terse
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('rules policy', 'sometimes');
INSERT INTO terra_identity.environments (dev_id, account_policy) VALUES ('', 'keep');
UPDATE terra_identity.environments SET account_policy = NULL WHERE dev_id = 'rules policy';
\set VERBOSITY default
SELECT * FROM pg_temp.right();

--
-- 2. SDK providers
--
SET terra_identity.dev_id = 'rules sdk';
-- A new device of one person supersedes the older one, accounts known or not; without a reference_id nothing does.
CALL pg_temp.tell('10:00 auth p1 provider=APPLE reference_id=pat', '10:01 athlete p1 account=phone',
                    '11:00 auth p2 provider=apple reference_id=pat', '10:00 auth q1 provider=APPLE', '11:00 auth q2 provider=APPLE',
                    '10:00 auth f1 provider=FITBIT reference_id=pat', '11:00 auth f2 provider=FITBIT reference_id=pat',
                    '12:00 auth p3 provider=APPLE reference_id=pat', '12:01 athlete p3 account=watch');
SELECT * FROM pg_temp.state;
-- A device's account is its own: it does not pass on by a reauth; and two people on one tablet are duplicates.
CALL pg_temp.tell('13:00 user_reauth p4 old=p3 provider=APPLE reference_id=pat', '13:30 auth s1 provider=APPLE reference_id=sue', '13:31 athlete s1 account=tablet',
                    '13:40 athlete p4 account=tablet');
SELECT * FROM pg_temp.state WHERE provider = 'APPLE' AND reference IS NOT NULL;
SELECT user_id, reference_id FROM terra_identity.duplicate_connections WHERE dev_id = 'rules sdk' ORDER BY 1;
SELECT * FROM pg_temp.right();
-- Which providers are SDK providers is a table. Every environment follows, in the same transaction.
BEGIN;
INSERT INTO terra_identity.providers VALUES ('FITBIT', true);
UPDATE terra_identity.providers SET sdk = false WHERE provider = 'APPLE';
SELECT * FROM pg_temp.state;
SELECT * FROM pg_temp.right();
INSERT INTO terra_identity.providers VALUES ('APPLE', true);
DELETE FROM terra_identity.providers WHERE provider = 'FITBIT';
SELECT user_id, status FROM pg_temp.state WHERE provider = 'FITBIT';
SELECT * FROM pg_temp.right();
DELETE FROM terra_identity.providers;
SELECT user_id, account, status, resolve FROM pg_temp.state WHERE provider = 'APPLE';
SELECT * FROM pg_temp.right();
ROLLBACK;
-- What is built in is there without a row behind it, can be changed, and comes back by DELETE. RETURNING tells what came of it.
BEGIN;
SELECT * FROM terra_identity.providers WHERE sdk ORDER BY 1;
DELETE FROM terra_identity.providers WHERE provider = 'APPLE';
UPDATE terra_identity.providers SET sdk = false WHERE provider = 'APPLE' RETURNING *;
INSERT INTO terra_identity.providers (provider, account_ids) VALUES ('SAMSUNG', 'unusable'), ('WHOOP', 'unusable') RETURNING *;
SELECT * FROM terra_identity.provider_settings WHERE provider IN ('APPLE', 'SAMSUNG', 'WHOOP') ORDER BY 1;
DELETE FROM terra_identity.providers;
SELECT count(*) FILTER (WHERE sdk) AS sdk, count(*) AS all FROM terra_identity.providers;
UPDATE terra_identity.environments SET account_policy = 'replace' WHERE dev_id = 'default' RETURNING *;
INSERT INTO terra_identity.environments (dev_id, signature_tolerance) VALUES ('default', '5 min') RETURNING *;
DELETE FROM terra_identity.environments WHERE dev_id = 'default' RETURNING dev_id, account_policy;
SELECT * FROM terra_identity.environments WHERE dev_id = 'default';
UPDATE terra_identity.environments SET account_policy = 'replace' WHERE dev_id = 'unheard of';
ROLLBACK;
-- Without a key, or with another one for what is built in.
INSERT INTO terra_identity.environments (account_policy) VALUES ('keep');
INSERT INTO terra_identity.providers (sdk) VALUES (true);
INSERT INTO terra_identity.environment_settings (account_policy) VALUES ('keep');
INSERT INTO terra_identity.provider_settings (sdk) VALUES (true);
UPDATE terra_identity.environments SET dev_id = NULL WHERE dev_id = 'rules policy';
UPDATE terra_identity.providers SET provider = 'APPLE2' WHERE provider = 'APPLE';
TRUNCATE terra_identity.provider_settings;
TRUNCATE terra_identity.environment_settings;
INSERT INTO terra_identity.providers VALUES ('Fitbit', true);
SELECT * FROM pg_temp.right();

--
-- 3. Accounts that are inherited
--
SET terra_identity.dev_id = 'rules accounts';
-- By every heir, from the newest predecessor that has one; its own goes before what it inherits.
CALL pg_temp.tell('10:00 user_reauth g2 old=g1 provider=GARMIN', '11:00 user_reauth g3 old=g2 provider=GARMIN',
                    '11:30 athlete g1 provider=GARMIN account=first');
SELECT user_id, account, status, resolve FROM pg_temp.state;
CALL pg_temp.tell('11:40 athlete g2 account=second');
SELECT user_id, account, status, resolve FROM pg_temp.state;
CALL pg_temp.tell('10:30 auth g0 provider=GARMIN', '10:31 athlete g0 account=zeroth', '11:45 user_reauth g3 old=g0');
SELECT user_id, account, status, resolve FROM pg_temp.state;
-- The last writer of an account wins, whenever it comes.
CALL pg_temp.tell('12:00 athlete g3 account=newer', '11:59 athlete g3 account=older', '12:00 athlete g3 account=new');
SELECT user_id, account FROM pg_temp.state WHERE user_id = 'g3';
SELECT * FROM pg_temp.right();

--
-- 4. The end of a connection, and what brings it back
--
SET terra_identity.dev_id = 'rules ends';
-- Each end has its status; of several the first of replaced, deauthenticated, revoked, failed.
CALL pg_temp.tell('10:00 auth e1 status=error', '10:00 access_revoked e2', '10:00 deauth e3', '10:00 user_reauth n4 old=e4',
                    '10:00 auth e5 status=error', '10:01 access_revoked e5', '10:00 access_revoked e6', '10:01 deauth e6',
                    '10:00 deauth e7', '10:01 user_reauth n7 old=e7', '10:03 user_reauth n8 old=e8', '10:02 deauth e8');
SELECT user_id, status, successor, ended, resolve FROM pg_temp.state;
SELECT user_id, live, confirmed FROM terra_identity.connections WHERE dev_id = 'rules ends' AND user_id LIKE 'e%' ORDER BY 1;
-- A dead connection stays dead for data, errors, athletes, a late auth without a time of its own, and one older than the end ...
CALL pg_temp.tell('11:00 daily e3', '11:00 connection_error e3', '11:00 athlete e3 account=x', '11:00 permission_change e3 scopes=s',
                    '11:00 auth e3', '11:01 auth e3 created_at=09:59', '11:02 auth e3 at=10:00', '11:03 auth e3 created_at=10:30 at=09:00',
                    '11:00 auth e3 status=pending at=09:00');
SELECT user_id, status, ended, resolve FROM pg_temp.state WHERE user_id = 'e3';
-- ... and comes back by proof of life: an auth, or being the new one, later than every end. Then it can end again.
CALL pg_temp.tell('11:04 auth e3 at=10:30', '11:05 auth e2 created_at=10:30', '11:06 user_reauth e1 old=x at=10:30');
SELECT user_id, status, ended, resolve FROM pg_temp.state WHERE user_id IN ('e1', 'e2', 'e3');
CALL pg_temp.tell('12:00 deauth e3', '12:00 deauth e3 at=10:10');
SELECT user_id, status, ended, resolve FROM pg_temp.state WHERE user_id = 'e3';
-- An end before its beginning; a connection that only ever ended is not alive and supersedes nobody.
CALL pg_temp.tell('12:00 auth s1 provider=APPLE reference_id=r', '12:30 deauth s2 provider=APPLE reference_id=r');
SELECT user_id, status, successor, ended, resolve FROM pg_temp.state WHERE user_id LIKE 's%';
-- Nor does it with data that was under way: nobody knows since when it was there.
CALL pg_temp.tell('12:31 daily s2');
SELECT user_id, status, successor, ended, resolve FROM pg_temp.state WHERE user_id LIKE 's%';
SELECT * FROM pg_temp.right();

--
-- 5. Who says what: identity events before passing ones, the last of those, the first of these
--
SET terra_identity.dev_id = 'rules words';
CALL pg_temp.tell('10:00 daily w provider=fitbit reference_id=late scopes=a', '09:00 daily w provider=garmin reference_id=early', '11:00 daily w scopes=b');
SELECT reference_id, provider, scopes, confirmed FROM terra_identity.connections WHERE dev_id = 'rules words';
CALL pg_temp.tell('12:00 connection_error w reference_id=said');
SELECT reference_id, provider, scopes, confirmed FROM terra_identity.connections WHERE dev_id = 'rules words';
CALL pg_temp.tell('13:00 auth w provider=oura reference_id=', '12:30 permission_change w scopes=c reference_id=changed', '12:30 permission_change w scopes=d reference_id=Zoe', '11:00 daily w provider=polar');
SELECT reference_id, provider, scopes, confirmed FROM terra_identity.connections WHERE dev_id = 'rules words';
SELECT * FROM pg_temp.right();

--
-- 6. Lineages join and part; an id that was ever a lineage's still leads somewhere
--
SET terra_identity.dev_id = 'rules lineages';
CALL pg_temp.tell('10:00 auth l1 provider=GARMIN reference_id=lea', '10:01 athlete l1 account=wrist', '11:00 auth l2 provider=GARMIN reference_id=lea');
CREATE TEMP TABLE stored AS SELECT user_id, lineage_id FROM terra_identity.connections WHERE dev_id = 'rules lineages';
SELECT user_id, status, lineage, resolve FROM pg_temp.state;
-- The athlete tells that both are one account.
CALL pg_temp.tell('11:01 athlete l2 account=wrist');
SELECT user_id, status, lineage, resolve FROM pg_temp.state;
SELECT s.user_id, terra_identity.user_of(s.lineage_id), terra_identity.lineage_of(s.user_id) = min(lineage_id) OVER () AS older_id_stays FROM stored s ORDER BY 1;
-- An app that moves a connection to another person parts the lineage; each half keeps its own data apart.
CALL pg_temp.tell('12:00 permission_change l2 reference_id=max');
SELECT user_id, reference, status, lineage, resolve FROM pg_temp.state;
SELECT s.user_id, terra_identity.user_of(s.lineage_id) FROM stored s ORDER BY 1;
-- And back.
CALL pg_temp.tell('13:00 permission_change l2 reference_id=lea');
SELECT user_id, reference, status, lineage, resolve FROM pg_temp.state;
SELECT s.user_id, terra_identity.user_of(s.lineage_id) FROM stored s ORDER BY 1;
-- A person who reconnects after a deauth has the same lineage; one whose slot another took has not.
CALL pg_temp.tell('14:00 deauth l2', '15:00 auth l3 provider=GARMIN reference_id=lea', '15:01 athlete l3 account=wrist',
                    '16:00 auth n1 provider=GARMIN reference_id=ned', '16:01 athlete n1 account=wrist');
SELECT user_id, reference, status, lineage, resolve FROM pg_temp.state;
-- A reauth joins whatever it names; two long-lived lineages become one, and both ids lead to it.
INSERT INTO stored SELECT user_id, lineage_id FROM terra_identity.connections WHERE dev_id = 'rules lineages' AND user_id IN ('l3', 'n1');
CALL pg_temp.tell('17:00 user_reauth n1 old=l3');
SELECT user_id, reference, status, lineage, resolve FROM pg_temp.state;
SELECT s.user_id, terra_identity.user_of(s.lineage_id) FROM stored s ORDER BY 1;
-- Null equals null: unknown people of one account are one end user.
CALL pg_temp.tell('10:00 athlete u1 provider=X account=x', '11:00 athlete u2 provider=X account=x', '12:00 athlete u3 provider=X account=x reference_id=known');
SELECT user_id, reference, status, lineage, resolve FROM pg_temp.state WHERE provider = 'X';
-- Nothing is linked across environments.
SET terra_identity.dev_id = 'rules lineages 2';
CALL pg_temp.tell('09:00 auth l1 provider=GARMIN reference_id=lea', '09:01 athlete l1 account=wrist', '20:00 auth l9 provider=GARMIN reference_id=lea', '20:01 athlete l9 account=wrist');
SELECT user_id, reference, status, lineage, resolve FROM pg_temp.state;
SELECT terra_identity.resolve('l1', 'rules lineages') AS there, terra_identity.user_of((SELECT min(lineage_id) FROM stored)) AS not_here;
SELECT * FROM pg_temp.right();
SET terra_identity.dev_id = 'rules lineages';
SELECT * FROM pg_temp.right();

SELECT * FROM terra_identity.verify();
