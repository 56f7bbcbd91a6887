-- Sets a signing secret so that the server's log does not show it, as a superuser:
--   TERRA_SIGNING_SECRET=... psql -f set_signing_secret.sql [-v dev_id=ENVIRONMENT] [-v valid_until='2026-12-31']
-- To rotate: set the new secret, then the old one with valid_until. auto_explain and pgaudit may log it all the same.
\set ON_ERROR_STOP on
\getenv secret TERRA_SIGNING_SECRET
\if :{?secret}
\else
    \warn set the environment variable TERRA_SIGNING_SECRET
    \quit
\endif
SHOW is_superuser \gset
\if :is_superuser
\else
    \warn only a superuser can keep it out of the log
    \quit
\endif
\if :{?valid_until}
\else
    \set valid_until ''
\endif

SET log_transaction_sample_rate = 0;
BEGIN;
SET LOCAL log_statement = 'none';
SET LOCAL log_min_duration_statement = -1;
SET LOCAL log_min_duration_sample = -1;
SET LOCAL log_min_error_statement = 'panic';
\if :{?dev_id}
    SELECT terra_identity.set_signing_secret(:'secret', nullif(:'valid_until', '')::timestamptz,
                                             :'dev_id') AS secret_id;
\else
    SELECT terra_identity.set_signing_secret(:'secret', nullif(:'valid_until', '')::timestamptz) AS secret_id;
\endif
COMMIT;
RESET log_transaction_sample_rate;
