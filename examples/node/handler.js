'use strict';
// Terra's webhooks, from POST /terra into terra_identity.ingest(), which checks, stores and deduplicates them:
//   npm ci && PGDATABASE=app node handler.js      (settings: PG*, PORT, HOST, TERRA_DEV_ID)
const http = require('node:http');
const { Pool } = require('pg');

const { HOST = '127.0.0.1', PORT = '8080', TERRA_DEV_ID } = process.env;
const MAX_REQUESTS = 100, MAX_BODY = 100 * 2 ** 20, MAX_BODIES = 4 * MAX_BODY; // bytes: of one, of all in memory

const pool = new Pool({ max: 10, connectionTimeoutMillis: 5_000, statement_timeout: 20_000, query_timeout: 25_000 });
pool.on('error', (error) => console.error('idle connection:', error.message)); // unheard, it would end the process

// ingest() takes bytea or text: without the cast it might be given text, but the signature is one of bytes.
const INGEST = `SELECT * FROM terra_identity.ingest($1::bytea, $2::jsonb${TERRA_DEV_ID ? ', $3' : ''})`;
let requests = 0, bodies = 0;

const LIMITS = { requestTimeout: 30_000, headersTimeout: 10_000, connectionsCheckingInterval: 1_000 };
const server = http.createServer(LIMITS, async (req, res) => {
  const answer = (status, outcome, detail = null, headers = {}) => {
    if (!server.listening) headers.Connection = 'close';
    res.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify({ outcome, detail }));
  };
  const busy = () => answer(503, 'error', 'busy', { 'Retry-After': '5' });
  if (req.url.split('?')[0] !== '/terra') return answer(404, 'error', 'not found');
  if (req.method !== 'POST') return answer(405, 'error', 'POST only', { Allow: 'POST' });
  const chunks = [];
  let size = 0, asked = 0, tooLong = false, tooMany = requests >= MAX_REQUESTS;
  try {
    for await (const chunk of req) { // to the end in any case: a sender that is cut off sees no answer
      tooLong ||= size + chunk.length > MAX_BODY;
      tooMany ||= bodies + chunk.length > MAX_BODIES;
      if (tooLong || tooMany) continue;
      size += chunk.length;
      bodies += chunk.length;
      chunks.push(chunk);
    }
    if (tooLong) return answer(413, 'error', `more than ${MAX_BODY} bytes`);
    if (tooMany || requests >= MAX_REQUESTS) return busy(); // who only sends slowly does not count
    requests += asked = 1;
    const values = [Buffer.concat(chunks), JSON.stringify(req.headers), ...(TERRA_DEV_ID ? [TERRA_DEV_ID] : [])];
    const { rows: [row] } = await pool.query(INGEST, values); // comes back after the commit
    // Whoever sends is not told who was forgotten.
    answer(row.http_status, row.outcome === 'forgotten' ? 'stored' : row.outcome, row.detail);
  } catch (error) {
    if (!req.complete) return; // the sender is gone, and will retry
    console.error('not stored:', req.headers['x-terra-trace-id'], error.code, error.message);
    answer(500, 'error', 'try again');
  } finally {
    requests -= asked;
    bodies -= size;
  }
});
server.listen(PORT, HOST, () => console.log(`listening on ${HOST}:${server.address().port}`));

for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => {
  server.close((error) => error || pool.end()); // an error: it was closed already
  server.closeIdleConnections();
  setTimeout(() => server.closeAllConnections(), 30_000).unref();
});
