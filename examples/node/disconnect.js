'use strict';
// Deauthenticates at Terra the connections that terra_identity.take_disconnects() hands out, one at a time:
//   npm ci && PGDATABASE=app TERRA_DEV_ID=acme-prod TERRA_API_KEY=secret node disconnect.js
// Settings: PG*; DEV_ID, the environment, if it is not the default one; TERRA_URL; TIMEOUT_SECONDS, of a call;
// POLL_SECONDS, how long it waits when nothing is due; ONCE=1, it stops then instead. Any number of them may run.
const { Pool } = require('pg');

const { TERRA_URL = 'https://api.tryterra.co/v2', TERRA_DEV_ID, TERRA_API_KEY, DEV_ID, ONCE } = process.env;
const { TIMEOUT_SECONDS = '30', POLL_SECONDS = '60' } = process.env;
if (!TERRA_DEV_ID || !TERRA_API_KEY) throw new Error('TERRA_DEV_ID and TERRA_API_KEY are needed');

const pool = new Pool({ max: 1, connectionTimeoutMillis: 5_000, statement_timeout: 20_000, query_timeout: 25_000 });
pool.on('error', (error) => console.error('idle connection:', error.message)); // unheard, it would end the process

// A function of the extension, with DEV_ID as its last argument.
const call = async (name, ...values) => {
  if (DEV_ID) values.push(DEV_ID);
  const parameters = values.map((_, i) => `$${i + 1}`);
  const { rows } = await pool.query(`SELECT * FROM terra_identity.${name}(${parameters})`, values);
  return rows;
};

// Calls Terra. Returns null if the connection is gone there, else why it may not be.
async function deauthenticate(row) {
  let response, body;
  try {
    response = await fetch(`${TERRA_URL}/auth/deauthenticateUser?user_id=${encodeURIComponent(row.user_id)}`, {
      method: 'DELETE',
      headers: { 'dev-id': TERRA_DEV_ID, 'x-api-key': TERRA_API_KEY },
      signal: AbortSignal.timeout(1_000 * TIMEOUT_SECONDS),
    });
    body = await response.text();
  } catch (error) {
    return `no answer: ${error.cause?.message ?? error.message}`;
  }
  if (response.ok) {
    try {
      if (JSON.parse(body).status === 'success') return null;
    } catch {} // no JSON
    return `HTTP ${response.status}, but no success: ${body}`;
  }
  // An earlier attempt, of which nobody heard, may have done it. On a first one 404 means other credentials, rather.
  const unheard = row.attempts > 1 && (row.last_error === null || row.last_error.startsWith('no answer'));
  if (response.status === 404 && unheard) return null;
  return `HTTP ${response.status}: ${body}`;
}

const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => stop.abort());
const wait = (seconds) => new Promise((resolve) => {
  const timer = setTimeout(resolve, 1_000 * seconds);
  stop.signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
});

// Takes a row and sees it through. Returns whether there was one.
async function work() {
  const [row] = await call('take_disconnects', 1, `${2 * TIMEOUT_SECONDS + 60} seconds`);
  if (!row) return false;
  const problem = await deauthenticate(row);
  if (problem === null) await call('confirm_disconnect', row.disconnect_id);
  else await call('fail_disconnect', row.disconnect_id, problem);
  console.log(row.disconnect_id, row.provider, row.user_id, problem ?? 'deauthenticated');
  if (/^HTTP 40[13]/.test(problem)) throw new Error('Terra refuses TERRA_DEV_ID and TERRA_API_KEY');
  return true;
}

(async () => {
  while (!stop.signal.aborted) {
    let idle;
    try {
      idle = !(await work());
    } catch (error) {
      if (ONCE || /^Terra refuses/.test(error.message)) throw error;
      console.error('the database:', error.message); // the row that was taken is due again when its lease ends
      idle = true;
    }
    if (idle && ONCE) break;
    if (idle) await wait(POLL_SECONDS);
  }
})().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
}).finally(() => pool.end());
