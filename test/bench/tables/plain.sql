-- What the extension writes, written by plain SQL: its tables with their indexes, and no trigger. No design that keeps
-- these tables can cost much less.
CREATE SCHEMA plain;
CREATE TABLE plain.events (LIKE terra_identity.events INCLUDING ALL);
CREATE TABLE plain.deliveries (LIKE terra_identity.deliveries INCLUDING ALL);
CREATE TABLE plain.connections (LIKE terra_identity.connections INCLUDING ALL);
CREATE TABLE plain.reauths (LIKE terra_identity.reauths INCLUDING ALL);
CREATE TABLE plain.changes (LIKE terra_identity.changes INCLUDING ALL);
ALTER TABLE plain.events ALTER COLUMN dev_id SET DEFAULT 'default'; -- which the trigger of ours fills in
