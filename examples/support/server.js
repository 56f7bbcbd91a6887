'use strict';
// A page for the person who answers support mail: what is known of a user_id, reference_id or account, and why.
//   npm ci && PGDATABASE=app PGUSER=support node server.js      (settings: PG*, PORT)
// It only reads, as a role that has grant_support, and only this machine can reach it.
const { createHash } = require('node:crypto');
const { readFileSync } = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { Pool } = require('pg');
const { BOXES, FIND, MOST, withLiterals } = require('./queries.js');

const { PORT = '8090' } = process.env;
const MOST_TYPED = 2_048; // bytes; an id has at most 512

const pool = new Pool({
  max: 4, connectionTimeoutMillis: 5_000, query_timeout: 15_000,
  types: { getTypeParser: () => (text) => text }, // values as psql prints them: a Date would lose the microseconds
});
pool.on('error', (error) => console.error('idle connection:', error.message)); // unheard, it would end the process

// All boxes of an answer read the same snapshot.
const BEGIN = `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL statement_timeout = '5s';
SET LOCAL search_path = pg_catalog;
SET LOCAL TimeZone = 'UTC';
SET LOCAL DateStyle = 'ISO';`;

async function reading(read) {
  const client = await pool.connect();
  let broken;
  try {
    await client.query(BEGIN);
    return await read(async (text, values) => ({
      sql: withLiterals(text, values),
      rows: (await client.query(text, values)).rows,
    }));
  } catch (error) {
    broken = error.code === undefined; // no answer of the server's: the connection is in an unknown state
    throw error;
  } finally {
    if (!broken) await client.query('ROLLBACK').catch((error) => { broken = error; });
    client.release(broken);
  }
}

// What was typed, as each of the three things that it may be.
async function find(run, typed) {
  const found = [], sql = [];
  for (const [by, text] of Object.entries(FIND)) {
    const result = await run(text, [typed]);
    sql.push(`-- As ${by}\n${result.sql}`);
    for (const row of result.rows) found.push({ by, ...row });
  }
  return { rows: found.slice(0, MOST.listed), more: found.length > MOST.listed, sql: sql.join('\n\n') };
}

async function duplicatesOf(run, { dev_id, provider, provider_user_id }) {
  if (provider === null || provider_user_id === null) return null;
  const duplicates = await run(BOXES.duplicates, [dev_id, provider, provider_user_id]);
  const accepted = await run(BOXES.accepted, [dev_id, provider, provider_user_id]);
  return {
    rows: duplicates.rows, accepted: accepted.rows,
    sql: `${duplicates.sql}\n\n-- Whether the account may be shared\n${accepted.sql}`,
  };
}

async function look(run, userId, devId) {
  const connection = await run(BOXES.connection, [userId, devId]);
  const explanation = await run(BOXES.explanation, [userId, devId]);
  const [row] = connection.rows;
  if (!row) return { explanation };
  const connections = await run(BOXES.connections, [userId, devId]);
  const reauths = await run(BOXES.reauths, [userId, devId]);
  return {
    connection, explanation,
    graph: {
      connections: connections.rows, reauths: reauths.rows,
      sql: `-- As Mermaid text, for an issue or a chat\n` +
        withLiterals('SELECT terra_identity.explain_graph($1, $2)', [userId, devId]) +
        `\n\n-- The connections\n${connections.sql}\n\n-- Which user_reauth replaced which\n${reauths.sql}`,
    },
    duplicates: await duplicatesOf(run, row),
    contradictions: await run(BOXES.contradictions, [userId, devId]),
  };
}

// Either a search for `q`, which may find one connection or several to choose from, or one connection.
async function answer(run, parameters) {
  const typed = (parameters.get('q') ?? '').replace(/^[ \t\n\r\v\f]+|[ \t\n\r\v\f]+$/g, ''); // as the extension does
  const userId = parameters.get('user_id'), devId = parameters.get('dev_id');
  if (userId !== null && devId !== null) return { typed: typed || userId, view: await look(run, userId, devId) };
  const found = await find(run, typed);
  const places = new Set(found.rows.map((row) => JSON.stringify([row.dev_id, row.user_id])));
  if (places.size === 1) return { typed, found, view: await look(run, found.rows[0].user_id, found.rows[0].dev_id) };
  if (places.size > 1) return { typed, found };
  const { rows: [{ dev_id }] } = await run(
    "SELECT coalesce(nullif(current_setting('terra_identity.dev_id', true), ''), 'default') AS dev_id", []);
  return { typed, found, view: await look(run, typed, dev_id) };
}

const page = readFileSync(path.join(__dirname, 'page.html'), 'utf8');
const hashOf = (element) => {
  const [, text] = page.match(new RegExp(`<${element}>([^]*?)</${element}>`));
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
};
const HEADERS = {
  // Nothing but the page's own script and style, and nothing from anywhere else; no HTML is ever made from text.
  'Content-Security-Policy': `default-src 'none'; script-src ${hashOf('script')}; style-src ${hashOf('style')}; ` +
    "connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; " +
    "require-trusted-types-for 'script'; trusted-types 'none'",
  'Cache-Control': 'no-store',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
};

const server = http.createServer(async (req, res) => {
  const send = (status, type, body, headers = {}) =>
    res.writeHead(status, { ...HEADERS, 'Content-Type': `${type}; charset=utf-8`, ...headers }).end(body);
  const refuse = (status, error, headers) => send(status, 'application/json', JSON.stringify({ error }), headers);
  // Another name that leads here is a trick of a page elsewhere, to read through this browser. A tunnel may have
  // another port.
  if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/i.test(req.headers.host ?? '')) return refuse(421, 'unknown host');
  if (req.method !== 'GET') return refuse(405, 'GET only', { Allow: 'GET' });
  const [, pathname, query] = req.url.match(/^([^?]*)\??(.*)$/s);
  if (pathname === '/') return send(200, 'text/html', page);
  if (pathname !== '/answer') return refuse(404, 'not found');
  const parameters = new URLSearchParams(query);
  for (const value of parameters.values()) {
    if (Buffer.byteLength(value) > MOST_TYPED) return refuse(400, `No id has more than ${MOST_TYPED} bytes.`);
    if (value.includes('\0')) return refuse(400, 'No id has a NUL character.');
  }
  try {
    send(200, 'application/json', JSON.stringify(await reading((run) => answer(run, parameters))));
  } catch (error) {
    console.error('no answer:', error.code, error.message);
    refuse(500, error.code === '57014' ? 'The database took too long to answer.' : 'The database did not answer.');
  }
});

// A role that could write, or a superuser, has no business here.
async function start() {
  const { rows: [role] } = await pool.query(`SELECT current_user AS name,
    pg_catalog.has_table_privilege('terra_identity.connections', 'SELECT') AS reads,
    pg_catalog.has_table_privilege('terra_identity.events', 'INSERT, UPDATE, DELETE') OR
    pg_catalog.has_table_privilege('terra_identity.connections', 'INSERT, UPDATE, DELETE') AS writes`);
  if (role.writes === 't') throw new Error(`role ${role.name} can write: use one that has grant_support alone`);
  if (role.reads !== 't') throw new Error(`role ${role.name} cannot read: see terra_identity.grant_support`);
  server.listen(PORT, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/`));
}
start().catch((error) => {
  console.error(error.message);
  process.exit(1);
});

for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => {
  server.close((error) => error || pool.end()); // an error: it was closed already
  server.closeAllConnections();
});
