'use strict';
// Hands every row of terra_identity.changes to `handle`, in order and at least once. It wakes when the database sends
// NOTIFY (setting terra_identity.notify), and looks every POLL_MS in any case:
//   npm ci && PGDATABASE=app CONSUMER=mailer node listen.js    (settings: PG*, CONSUMER, TERRA_DEV_ID, POLL_MS, BATCH)
const { Client } = require('pg');

const { CONSUMER = 'example', TERRA_DEV_ID, POLL_MS = '5000', BATCH = '100' } = process.env;

// Yours. If it throws, the change comes again a second later; if the process dies, this one and others of its batch do
// when it runs again. change.position (a string: it has 64 bits) is the same each time, so it can serve as a key that
// makes repeating harmless.
async function handle(change) {
  console.log(JSON.stringify(change));
}

const dev_id = TERRA_DEV_ID ? [TERRA_DEV_ID] : []; // else the setting terra_identity.dev_id
const READ = `SELECT * FROM terra_identity.read_changes($1, $2${TERRA_DEV_ID ? ', $3' : ''})`;
const COMMIT = `SELECT terra_identity.commit_changes($1, $2${TERRA_DEV_ID ? ', $3' : ''})`;
let stopping = false, news = false, wake = () => {};

// Each query is a transaction of its own: what is read for the first time is given to others once that has ended.
async function handleWhatIsNew(client) {
  while (!stopping) {
    const { rows } = await client.query(READ, [CONSUMER, BATCH, ...dev_id]);
    if (rows.length === 0) return;
    let done = null;
    try {
      for (const change of rows) {
        if (stopping) break;
        await handle(change);
        done = change.position;
      }
    } finally {
      if (done !== null) await client.query(COMMIT, [CONSUMER, done, ...dev_id]);
    }
  }
}

function pause(milliseconds) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    wake = () => { clearTimeout(timer); resolve(); };
  });
}

async function listen() {
  const client = new Client({ keepAlive: true, connectionTimeoutMillis: 5_000, query_timeout: 60_000 });
  client.on('error', (error) => { console.error('connection lost:', error.message); wake(); });
  client.on('notification', () => { news = true; wake(); });
  try {
    await client.connect();
    await client.query('LISTEN terra_identity');
    while (!stopping) {
      news = false; // one that comes from here on is of a change that the next look may miss
      await handleWhatIsNew(client);
      if (!news && !stopping) await pause(Number(POLL_MS));
    }
  } finally {
    await client.end().catch(() => {});
  }
}

async function main() {
  while (!stopping) {
    try {
      await listen();
    } catch (error) {
      console.error('again in a second:', error.message);
      if (!stopping) await pause(1_000);
    }
  }
}
main();

for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => { stopping = true; wake(); });
