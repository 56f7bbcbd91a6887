'use strict';
// The SQL behind each box of the page. Values are always parameters; the page shows the same text with literals in
// their place, to copy into psql.

// What is listed at most. The page says so where there is more.
const MOST = { listed: 100, drawn: 500 };

const CHOICE = 'c.dev_id, c.user_id, c.status, c.reference_id, c.provider, c.provider_user_id, c.lineage_id';
const NEWEST_FIRST = 'c.dated DESC, c.connected_at DESC, c.user_id COLLATE "C" DESC';

// Of a lineage the newest active connection, else its newest: that is the one to look at.
const ONE_OF_EACH_LINEAGE = (connections) => `SELECT DISTINCT ON (c.dev_id, c.lineage_id)
       ${CHOICE}
FROM (${connections}) c
ORDER BY c.dev_id, c.lineage_id, c.status = 'active' DESC, ${NEWEST_FIRST}
LIMIT ${MOST.listed + 1}`;

// What was typed may be any of three things, in any environment. Each is found by an index.
const FIND = {
  user_id: `SELECT ${CHOICE}
FROM terra_identity.connections c
WHERE c.user_id = $1
ORDER BY c.dev_id
LIMIT ${MOST.listed + 1}`,

  reference_id: ONE_OF_EACH_LINEAGE(`
    SELECT * FROM terra_identity.connections WHERE reference_id = $1 LIMIT 1000`),

  // The index of accounts begins with environment and provider: the recursion goes through these pairs, one look-up
  // for each.
  provider_user_id: `WITH RECURSIVE pair AS (
    (SELECT c.dev_id, c.provider FROM terra_identity.connections c WHERE c.provider_user_id IS NOT NULL
     ORDER BY c.dev_id USING OPERATOR(pg_catalog.~<~), c.provider USING OPERATOR(pg_catalog.~<~) LIMIT 1)
    UNION ALL
    SELECT n.dev_id, n.provider FROM pair p CROSS JOIN LATERAL (
        SELECT c.dev_id, c.provider FROM terra_identity.connections c
        WHERE c.provider_user_id IS NOT NULL
          AND (c.dev_id, c.provider) OPERATOR(pg_catalog.~>~) (p.dev_id, p.provider)
        ORDER BY c.dev_id USING OPERATOR(pg_catalog.~<~), c.provider USING OPERATOR(pg_catalog.~<~) LIMIT 1) n
)
${ONE_OF_EACH_LINEAGE(`
    SELECT o.* FROM pair p CROSS JOIN LATERAL (
        SELECT * FROM terra_identity.connections
        WHERE dev_id = p.dev_id AND provider = p.provider AND provider_user_id = $1 LIMIT 1000) o`)}`,
};

const NODE = `c.user_id, c.reference_id, c.provider, c.provider_user_id, c.status, c.successor_user_id,
       c.connected_at, c.ended_at, c.lineage_id, c.same_person_as`;

const BOXES = {
  connection: `SELECT c.user_id, c.dev_id, c.status, c.reference_id, c.provider, c.provider_user_id, c.lineage_id,
       c.connected_at, c.ended_at, c.successor_user_id, terra_identity.resolve(c.user_id, c.dev_id) AS resolves_to
FROM terra_identity.connections c
WHERE c.user_id = $1 AND c.dev_id = $2`,

  explanation: 'SELECT at, event_id, kind, sentence FROM terra_identity.explain($1, $2)',

  // The lineage; who else is active on its accounts; and what took the place of its connections, or lost it to them.
  connections: `WITH lineage AS MATERIALIZED (
    SELECT * FROM terra_identity.lineage($1, $2) c
    ORDER BY c.user_id = $1 DESC, ${NEWEST_FIRST} LIMIT ${MOST.drawn}
), beside AS (
    SELECT o.user_id
    FROM (SELECT DISTINCT dev_id, provider, provider_user_id FROM lineage WHERE NOT account_unusable) a
    CROSS JOIN LATERAL (SELECT c.user_id FROM terra_identity.connections c
                        WHERE c.dev_id = a.dev_id AND c.provider = a.provider
                          AND c.provider_user_id = a.provider_user_id AND c.status = 'active'
                          AND NOT c.account_unusable LIMIT ${MOST.listed}) o
    UNION
    SELECT successor_user_id FROM lineage
    UNION
    SELECT c.user_id FROM lineage l JOIN terra_identity.connections c
        ON c.dev_id = l.dev_id AND c.successor_user_id = l.user_id AND c.account_exclusive
    UNION
    SELECT r.new_user_id FROM lineage l JOIN terra_identity.reauths r
        ON r.dev_id = l.dev_id AND r.old_user_id = l.user_id
    UNION
    SELECT r.old_user_id FROM lineage l JOIN terra_identity.reauths r
        ON r.dev_id = l.dev_id AND r.new_user_id = l.user_id
)
SELECT * FROM (
    SELECT ${NODE}, c.dated FROM lineage c
    UNION ALL
    (SELECT ${NODE}, c.dated FROM terra_identity.connections c
     WHERE c.dev_id = $2 AND c.user_id IN (SELECT user_id FROM beside)
       AND NOT EXISTS (SELECT FROM lineage l WHERE l.lineage_id = c.lineage_id)
     LIMIT ${MOST.listed})
) c
ORDER BY c.dated, c.connected_at, c.user_id COLLATE "C"`,

  reauths: `SELECT r.old_user_id, r.new_user_id, r.transfer
FROM terra_identity.lineage($1, $2) l JOIN terra_identity.reauths r ON r.dev_id = l.dev_id AND r.old_user_id = l.user_id
UNION
SELECT r.old_user_id, r.new_user_id, r.transfer
FROM terra_identity.lineage($1, $2) l JOIN terra_identity.reauths r ON r.dev_id = l.dev_id AND r.new_user_id = l.user_id
LIMIT ${2 * MOST.drawn}`,

  duplicates: `SELECT user_id, reference_id, connected_at, newest, connections
FROM terra_identity.duplicate_connections
WHERE dev_id = $1 AND provider = $2 AND provider_user_id = $3
ORDER BY newest DESC, connected_at DESC
LIMIT ${MOST.listed}`,

  accepted: `SELECT accepted_by, accepted_at, note
FROM terra_identity.accepted_duplicates
WHERE dev_id = $1 AND provider = $2 AND provider_user_id = $3`,

  contradictions: `SELECT kind, count, last_at, sentence, settled_by
FROM terra_identity.contradictions
WHERE user_id = $1 AND dev_id = $2
ORDER BY last_at, kind`,
};

// What could be read otherwise than it is: control characters, characters that cannot be seen, spaces that are not the
// space, and what turns the direction of writing.
const UNCLEAR = new RegExp('[\\p{Cc}\\p{Cf}\\p{Co}\\p{Cn}\\p{Zl}\\p{Zp}\\p{DI}]|(?! )\\p{Zs}|' +
  '[\\u0590-\\u08ff\\ufb1d-\\ufdff\\ufe70-\\ufeff\\u{10800}-\\u{10fff}\\u{1e800}-\\u{1efff}]', 'gu');

// A literal that means the same value whatever standard_conforming_strings is, on one line.
function literal(value) {
  const escaped = value.replaceAll('\\', '\\\\').replace(UNCLEAR, (character) =>
    '\\U' + character.codePointAt(0).toString(16).padStart(8, '0'));
  return (escaped === value ? "'" : "E'") + escaped.replaceAll("'", "''") + "'";
}

const withLiterals = (text, values) => text.replace(/\$(\d)/g, (_, number) => literal(values[number - 1])) + ';';

module.exports = { BOXES, FIND, MOST, withLiterals };
