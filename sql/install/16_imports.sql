-- Imports: what Terra's own list of users says.

CREATE FUNCTION terra_identity.import_users(
    users jsonb, taken_at timestamptz,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'),
    OUT listed bigint, OUT imported bigint, OUT known bigint, OUT new_connections bigint, OUT problems bigint)
    LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_import_users';
COMMENT ON FUNCTION terra_identity.import_users(jsonb, timestamptz, text) IS
    'Adopts the users that Terra lists: each becomes an event of type import in the ledger, whose event time is '
    'taken_at, when Terra was asked. So an import never overrides what a later event says. users: what GET '
    '/subscriptions, GET /userInfo or POST /bulkUserInfo answered, several answers (pages) in an array, or '
    'jsonb_agg(to_jsonb(u)) of rows u of the terra_users of Terra''s SQL destination. A user that is listed is alive '
    'at taken_at, unless active or is_authenticated is false or its state is not known, which proves nothing, or its '
    'state is deauth, user_reauth or access_revoked: then it has ended. Returns one row: listed (how many users the '
    'list has), imported (how many events that made), known (left out: forgotten, imported before with the same '
    'taken_at, or ended here as well), new_connections, and problems (how many users cannot be read: see the view '
    'problems). The same list again changes nothing, whatever its order. It is all or nothing. Errors: 22023 if users '
    'is no list of users; 22008 if taken_at is in the future or before 2015; 22004 if an argument is null. For the '
    'owner, and for roles to which the owner grants EXECUTE.';
