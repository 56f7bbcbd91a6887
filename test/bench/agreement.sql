-- In how many connections the peer and the extension, given the same events, differ.
-- lineage: the least user_id of it, as the two count their connections independently.
WITH extension AS (
    SELECT dev_id, user_id, status, provider, reference_id, provider_user_id, successor_user_id, scopes, connected_at,
           ended_at, confirmed, duplicate, user_uuid, min(user_id) OVER (PARTITION BY dev_id, lineage_id) AS lineage
    FROM terra_identity.connections
), peer AS (
    SELECT dev_id, user_id, status, provider, reference_id, provider_user_id, successor_user_id, scopes, connected_at,
           ended_at, confirmed, duplicate, user_uuid, min(user_id) OVER (PARTITION BY dev_id, lineage_id) AS lineage
    FROM peer.connections
)
SELECT count(*) AS differing
FROM extension FULL JOIN peer USING (dev_id, user_id)
WHERE extension IS DISTINCT FROM peer;
