-- Shows a role one environment only, by row level security, in every table, view and function that it may read:
--   psql -f isolate_reader.sql -v reader=analyst -v dev_id=ENVIRONMENT
-- A dump takes the role's grants along, but no policies of an extension's tables: run this again after a restore,
-- before the role may connect. A role that inserts by itself needs a policy of its own then: CREATE POLICY ... FOR
-- INSERT.
\set ON_ERROR_STOP on
SELECT format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY; DROP POLICY IF EXISTS %I ON %1$s;
               CREATE POLICY %2$I ON %1$s FOR SELECT TO %2$I USING (dev_id = %3$L)', shown, :'reader', :'dev_id')
FROM unnest('{terra_identity.events,terra_identity.deliveries,terra_identity.connections,terra_identity.reauths,
              terra_identity.changes,terra_identity.consumers,terra_identity.environment_settings,
              terra_identity.accepted_duplicates,terra_identity.disconnects,terra_identity.rejected,
              terra_identity.refusal_counters,terra_identity.signatures,terra_identity.tombstones}'::regclass[]) shown
\gexec
ALTER ROLE :"reader" SET terra_identity.dev_id = :'dev_id';
