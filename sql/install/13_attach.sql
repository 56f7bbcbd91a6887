-- Tables of the application that feed the ledger.

CREATE FUNCTION terra_identity._feed() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'terra_identity_feed';
COMMENT ON FUNCTION terra_identity._feed() IS
    'Trigger on attached tables: inserts the new rows into the ledger. attach() makes it. Who may execute it may make '
    'a trigger of it on tables of his own, and so insert events that nobody signed.';

CREATE FUNCTION terra_identity._feed_rows(
    query text, environment text, source text, done bigint, expected bigint, OUT fed bigint, OUT last_key text[])
    LANGUAGE c STRICT VOLATILE AS 'MODULE_PATHNAME', 'terra_identity_feed_rows';
COMMENT ON FUNCTION terra_identity._feed_rows(text, text, text, bigint, bigint) IS
    'Inserts the rows of a query into the ledger, which it runs with the rights of the caller: for attach and '
    'backfill. done: how many rows were read before by the same backfill; expected: about how many there will be.';

CREATE FUNCTION terra_identity._trigger_arguments(arguments bytea) RETURNS text[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT array_agg(convert_from(decode(a.argument, 'hex'), 'UTF8') ORDER BY a.number)
    FROM unnest(string_to_array(regexp_replace(encode(arguments, 'hex'), '(..)', '\1 ', 'g'), '00 '))
        WITH ORDINALITY a (argument, number)
    WHERE a.argument <> '';
END;
COMMENT ON FUNCTION terra_identity._trigger_arguments(bytea) IS
    'The arguments of a trigger, from pg_trigger.tgargs, where each ends with a zero byte; empty ones are left out.';

-- What is attached is known from the triggers alone, so that a dump and restore of the table keeps it.
CREATE VIEW terra_identity.attached_tables WITH (security_invoker = true) AS
SELECT f.tgrelid::regclass AS attached_table, c.payload_column, c.headers_column, c.dev_id_column,
       c.received_at_column, (terra_identity._trigger_arguments(f.tgargs))[1] AS dev_id,
       (terra_identity._trigger_arguments(f.tgargs))[2] AS source, f.tgenabled <> 'D' AS enabled
FROM pg_catalog.pg_trigger f
CROSS JOIN LATERAL (
    SELECT pg_catalog.min(a.attname::text) FILTER (WHERE n.role = 'payload')::name AS payload_column,
           pg_catalog.min(a.attname::text) FILTER (WHERE n.role = 'headers')::name AS headers_column,
           pg_catalog.min(a.attname::text) FILTER (WHERE n.role = 'dev_id')::name AS dev_id_column,
           pg_catalog.min(a.attname::text) FILTER (WHERE n.role = 'received_at')::name AS received_at_column
    FROM pg_catalog.pg_trigger t
    CROSS JOIN LATERAL ROWS FROM (
        pg_catalog.unnest(t.tgattr::smallint[]), pg_catalog.unnest(terra_identity._trigger_arguments(t.tgargs))
    ) n (number, role)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = t.tgrelid AND a.attnum = n.number
    WHERE t.tgrelid = f.tgrelid AND t.tgfoid = f.tgfoid AND t.tgname = 'terra_identity_feed_columns') c
WHERE f.tgfoid = 'terra_identity._feed()'::regprocedure AND f.tgname = 'terra_identity_feed' AND f.tgparentid = 0
  AND (terra_identity._shows_environment((terra_identity._trigger_arguments(f.tgargs))[1])
       OR pg_catalog.has_table_privilege(f.tgrelid, 'TRIGGER'));
COMMENT ON VIEW terra_identity.attached_tables IS
    'The tables of the application that feed the ledger: see attach. It is read from their triggers.';
COMMENT ON COLUMN terra_identity.attached_tables.attached_table IS 'The table';
COMMENT ON COLUMN terra_identity.attached_tables.payload_column IS
    'The column with the webhooks'' bodies; null if its trigger terra_identity_feed_columns was dropped: then every '
    'INSERT fails, until you detach the table';
COMMENT ON COLUMN terra_identity.attached_tables.headers_column IS 'The column with their headers; null: none';
COMMENT ON COLUMN terra_identity.attached_tables.dev_id_column IS 'The column with their environments; null: none';
COMMENT ON COLUMN terra_identity.attached_tables.received_at_column IS
    'The column that says when they were received; null: none, it is when the row is inserted';
COMMENT ON COLUMN terra_identity.attached_tables.dev_id IS
    'The environment that the setting terra_identity.dev_id would name, for rows that do not say';
COMMENT ON COLUMN terra_identity.attached_tables.source IS
    'The name of the table when it was attached, which is part of the trace ids that are made for its rows';
COMMENT ON COLUMN terra_identity.attached_tables.enabled IS 'False: somebody has disabled the trigger that feeds';

CREATE FUNCTION terra_identity._check_column(attached_table regclass, role text, column_name name, types regtype[])
RETURNS void LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found regtype;
    computed boolean;
BEGIN
    IF column_name IS NULL THEN
        RETURN;
    END IF;
    SELECT a.atttypid, a.attgenerated = 'v' INTO found, computed FROM pg_attribute a
    WHERE a.attrelid = attached_table AND a.attname = column_name AND a.attnum > 0 AND NOT a.attisdropped;
    IF found IS NULL THEN
        RAISE EXCEPTION 'column "%" of table % does not exist', column_name, attached_table
            USING ERRCODE = 'undefined_column', HINT = format('Name the column in the argument %s_column.', role);
    END IF;
    IF computed THEN
        RAISE EXCEPTION 'column "%" of table % cannot be the column of the %', column_name, attached_table, role
            USING ERRCODE = 'datatype_mismatch',
                  DETAIL = 'It is a virtual generated column: a trigger does not see its value.',
                  HINT = 'Use a column that is stored.';
    END IF;
    WHILE EXISTS (SELECT FROM pg_type t WHERE t.oid = found AND t.typtype = 'd') LOOP
        SELECT t.typbasetype INTO found FROM pg_type t WHERE t.oid = found;
    END LOOP;
    IF found <> ALL (types) THEN
        RAISE EXCEPTION 'column "%" of table % cannot be the column of the %', column_name, attached_table, role
            USING ERRCODE = 'datatype_mismatch', DETAIL = format('Its type is %s.', found),
                  HINT = format('It can be of type %s.', array_to_string(types, ', '));
    END IF;
END
$$;
COMMENT ON FUNCTION terra_identity._check_column(regclass, text, name, regtype[]) IS
    'Raises an error if a table has no such column, or if it is not of one of these types.';

CREATE FUNCTION terra_identity._rows_to_feed(attached terra_identity.attached_tables, after text[], at_most int)
RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    selected text;
    ordered text;
    beyond text;
    not_before text;
    same text := '';
    key record;
    value text;
BEGIN
    SELECT string_agg(format('t.%I AS %s', c.name, c.role), ', ') INTO STRICT selected
    FROM (VALUES ('payload', attached.payload_column), ('headers', attached.headers_column),
                 ('dev_id', attached.dev_id_column), ('received_at', attached.received_at_column)) c (role, name)
    WHERE c.name IS NOT NULL;
    FOR key IN -- the columns of the primary key, with its own operators, which may be in any schema
        SELECT k.number, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
               (SELECT array_agg(format('OPERATOR(%I.%s)', n.nspname, p.oprname) ORDER BY m.amopstrategy)
                FROM pg_opclass c
                JOIN pg_amop m ON m.amopfamily = c.opcfamily AND m.amoplefttype = c.opcintype
                    AND m.amoprighttype = c.opcintype
                JOIN pg_operator p ON p.oid = m.amopopr JOIN pg_namespace n ON n.oid = p.oprnamespace
                WHERE c.oid = k.class AND m.amoppurpose = 's') AS operators -- <, <=, =, >=, >
        FROM pg_index i
        CROSS JOIN LATERAL ROWS FROM (unnest(i.indkey::smallint[]), unnest(i.indclass::oid[]))
            WITH ORDINALITY k (attnum, class, number)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
        WHERE i.indrelid = attached.attached_table AND i.indisprimary AND k.number <= i.indnkeyatts
        ORDER BY k.number
    LOOP
        value := format('%L::%s', after[key.number], key.type);
        selected := selected || format(', t.%I AS key%s', key.name, key.number);
        ordered := concat_ws(', ', ordered, format('t.%I', key.name));
        beyond := concat_ws(' OR ', beyond, format('%st.%I %s %s', same, key.name, key.operators[5], value));
        not_before := coalesce(not_before, format('t.%I %s %s', key.name, key.operators[4], value));
        same := same || format('t.%I %s %s AND ', key.name, key.operators[3], value);
    END LOOP;
    RETURN (SELECT format('SELECT %s FROM %s%I.%I t', selected, -- for the caller's search_path
                          CASE c.relkind WHEN 'r' THEN 'ONLY ' ELSE '' END, n.nspname, c.relname)
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = attached.attached_table)
        || CASE WHEN after IS NULL THEN '' ELSE format(' WHERE %s AND (%s)', not_before, beyond) END
        || coalesce(' ORDER BY ' || ordered, '') || coalesce(' LIMIT ' || at_most, '');
END
$$;
COMMENT ON FUNCTION terra_identity._rows_to_feed(terra_identity.attached_tables, text[], int) IS
    'The query of the rows of an attached table that come after a primary key (null: from the first), in its order.';

CREATE FUNCTION terra_identity._attached(attached_table regclass) RETURNS terra_identity.attached_tables
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    attached terra_identity.attached_tables;
    root regclass := (SELECT max(a.relid::oid) FROM pg_partition_ancestors(_attached.attached_table) a
                      JOIN terra_identity.attached_tables t ON t.attached_table = a.relid);
BEGIN
    IF _attached.attached_table IS NULL THEN
        RAISE EXCEPTION 'a table is needed' USING ERRCODE = 'null_value_not_allowed';
    END IF;
    SELECT t.* INTO attached FROM terra_identity.attached_tables t WHERE t.attached_table = _attached.attached_table;
    IF attached.attached_table IS NULL AND root IS NOT NULL THEN
        RAISE EXCEPTION 'table % is a partition of an attached table', _attached.attached_table
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = format('Call it for table %s.', root);
    ELSIF attached.attached_table IS NULL THEN
        RAISE EXCEPTION 'table % is not attached', _attached.attached_table
            USING ERRCODE = 'undefined_object', HINT = 'SELECT * FROM terra_identity.attached_tables;';
    END IF;
    RETURN attached;
END
$$;
COMMENT ON FUNCTION terra_identity._attached(regclass) IS
    'The row of attached_tables of a table; an error if it has none.';

CREATE FUNCTION terra_identity._about_rows(attached_table regclass) RETURNS bigint
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT coalesce(sum(c.reltuples), 0)::bigint FROM pg_class c
    WHERE c.relkind = 'r' AND c.reltuples > 0
      AND (c.oid = attached_table OR c.oid IN (SELECT p.relid FROM pg_partition_tree(attached_table) p));
END;
COMMENT ON FUNCTION terra_identity._about_rows(regclass) IS
    'About how many rows a table has, by its statistics; 0 if it has none.';

CREATE FUNCTION terra_identity.attach(
    attached_table regclass, payload_column name, headers_column name DEFAULT NULL, dev_id_column name DEFAULT NULL,
    received_at_column name DEFAULT NULL, backfill boolean DEFAULT false,
    dev_id text DEFAULT coalesce(nullif(pg_catalog.current_setting('terra_identity.dev_id', true), ''), 'default'))
RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kind "char";
    in_schema name;
    by_row boolean; -- statement triggers of a partitioned table do not fire for rows that go into its partitions
    is_child boolean;
    fed bigint := 0;
    columns name[];
    roles text[];
    attached terra_identity.attached_tables;
BEGIN
    IF attached_table IS NULL OR payload_column IS NULL OR backfill IS NULL OR dev_id IS NULL THEN
        RAISE EXCEPTION 'attached_table, payload_column, backfill and dev_id must not be null'
            USING ERRCODE = 'null_value_not_allowed',
                  HINT = 'Name the table, and its column that has the webhooks'' bodies.';
    END IF;
    IF dev_id = '' OR octet_length(dev_id) > 512 THEN
        RAISE EXCEPTION 'invalid dev_id'
            USING ERRCODE = 'invalid_parameter_value', DETAIL = 'A dev_id has 1 to 512 bytes.';
    END IF;
    SELECT c.relkind, n.nspname, c.relkind = 'p' OR c.relispartition,
           NOT c.relispartition AND EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = c.oid)
    INTO kind, in_schema, by_row, is_child
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = attached_table;
    IF kind IS NULL THEN
        RAISE EXCEPTION 'there is no table with OID %', attached_table::oid USING ERRCODE = 'undefined_table';
    ELSIF kind NOT IN ('r', 'p') THEN
        RAISE EXCEPTION '% cannot be attached', attached_table
            USING ERRCODE = 'wrong_object_type',
                  DETAIL = format('It is %s.', CASE kind WHEN 'v' THEN 'a view' WHEN 'm' THEN 'a materialized view'
                      WHEN 'f' THEN 'a foreign table' WHEN 'S' THEN 'a sequence' WHEN 'c' THEN 'a type'
                      ELSE 'an index' END),
                  HINT = 'Attach the table that the webhooks are inserted into.';
    ELSIF in_schema IN ('pg_catalog', 'information_schema', 'pg_toast') OR in_schema = 'terra_identity' THEN
        RAISE EXCEPTION '% cannot be attached', attached_table
            USING ERRCODE = 'wrong_object_type',
                  DETAIL = format('It is a table of %s.',
                                  CASE in_schema WHEN 'terra_identity' THEN 'this extension' ELSE 'the system' END),
                  HINT = 'Attach the table of your own that the webhooks are inserted into.';
    ELSIF NOT has_table_privilege(attached_table, 'TRIGGER') THEN
        RAISE EXCEPTION 'permission denied for table %', attached_table
            USING ERRCODE = 'insufficient_privilege', DETAIL = 'attach makes triggers on it.',
                  HINT = 'Call attach as the owner of the table.';
    END IF;
    PERFORM terra_identity._check_column(attached_table, 'payload', payload_column,
                                         '{jsonb,json,text,varchar,bytea}');
    PERFORM terra_identity._check_column(attached_table, 'headers', headers_column, '{jsonb,json,text,varchar}');
    PERFORM terra_identity._check_column(attached_table, 'dev_id', dev_id_column, '{text,varchar}');
    PERFORM terra_identity._check_column(attached_table, 'received_at', received_at_column,
                                         '{timestamptz,timestamp}');
    SELECT array_agg(c.name ORDER BY c.number), array_agg(quote_literal(c.role) ORDER BY c.number)
    INTO columns, roles
    FROM (VALUES (1, 'payload', payload_column), (2, 'headers', headers_column), (3, 'dev_id', dev_id_column),
                 (4, 'received_at', received_at_column)) c (number, role, name)
    WHERE c.name IS NOT NULL;
    IF cardinality(columns) > (SELECT count(DISTINCT c) FROM unnest(columns) c) THEN
        RAISE EXCEPTION 'a column of table % is named twice', attached_table
            USING ERRCODE = 'duplicate_column', HINT = 'Leave out the arguments for which the table has no column.';
    END IF;
    IF EXISTS (SELECT FROM terra_identity.attached_tables t WHERE t.attached_table = attach.attached_table
               UNION ALL
               SELECT FROM terra_identity.attached_tables t, pg_partition_ancestors(attach.attached_table) a
               WHERE t.attached_table = a.relid
               UNION ALL
               SELECT FROM terra_identity.attached_tables t, pg_partition_tree(attach.attached_table) p
               WHERE t.attached_table = p.relid)
    THEN
        RAISE EXCEPTION 'table % is attached already', attached_table
            USING ERRCODE = 'duplicate_object',
                  DETAIL = CASE WHEN by_row THEN 'It is, or the table of which it is a partition, or a partition of it.'
                           ELSE 'Its rows are fed once.' END,
                  HINT = 'To change its columns, call terra_identity.detach first.';
    END IF;
    IF backfill AND coalesce(headers_column, received_at_column) IS NULL THEN
        RAISE EXCEPTION 'table % cannot be backfilled without times', attached_table
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'Its webhooks would count as received now, and later than those that really are.',
                  HINT = 'Name its received_at_column, or its headers_column.';
    END IF;

    IF backfill AND current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        RAISE EXCEPTION 'attach cannot backfill in a transaction that is %',
            upper(current_setting('transaction_isolation'))
            USING ERRCODE = 'active_sql_transaction',
                  DETAIL = 'It would not see what others have written to the table before attach locks it.',
                  HINT = 'Use READ COMMITTED.';
    END IF;

    EXECUTE format(
        CASE WHEN by_row THEN 'CREATE TRIGGER terra_identity_feed AFTER INSERT ON %s
                                   FOR EACH ROW EXECUTE FUNCTION terra_identity._feed(%L, %L)'
             ELSE 'CREATE TRIGGER terra_identity_feed AFTER INSERT ON %s REFERENCING NEW TABLE AS inserted
                       FOR EACH STATEMENT EXECUTE FUNCTION terra_identity._feed(%L, %L)' END,
        attached_table, dev_id, attached_table);
    -- It never fires. It keeps its columns from being dropped, and follows when they are renamed.
    EXECUTE format(
        'CREATE TRIGGER terra_identity_feed_columns AFTER UPDATE OF %s ON %s
             FOR EACH %s WHEN (false) EXECUTE FUNCTION terra_identity._feed(%s)',
        (SELECT string_agg(quote_ident(c.name), ', ' ORDER BY c.number)
         FROM unnest(columns) WITH ORDINALITY c (name, number)),
        attached_table, CASE WHEN by_row THEN 'ROW' ELSE 'STATEMENT' END, array_to_string(roles, ', '));
    -- It never fires, either. PostgreSQL lets no table become a partition that has a row trigger with a transition
    -- table: the rows that came through the partitioned table would not be fed.
    IF NOT by_row AND NOT is_child THEN
        EXECUTE format(
            'CREATE TRIGGER terra_identity_feed_itself AFTER INSERT ON %s REFERENCING NEW TABLE AS inserted
                 FOR EACH ROW WHEN (false) EXECUTE FUNCTION terra_identity._feed()', attached_table);
    END IF;
    IF backfill THEN
        attached := terra_identity._attached(attached_table);
        SELECT r.fed INTO fed FROM terra_identity._feed_rows(
            terra_identity._rows_to_feed(attached, NULL, NULL), attached.dev_id, attached.source, 0,
            terra_identity._about_rows(attached_table)) r;
    END IF;
    RETURN fed;
END
$$;
COMMENT ON FUNCTION terra_identity.attach(regclass, name, name, name, name, boolean, text) IS
    'Feeds the ledger from a table of yours that has webhooks: from now on, what is inserted there, by INSERT or COPY, '
    'is inserted into events too, in the same transaction: all rows of a statement at once, or 10,000 at a time (of a '
    'partitioned table, or a partition, row by row). payload_column: the bodies; jsonb, json, text, varchar or bytea. '
    'headers_column: the headers, an object; jsonb, json, text or varchar. dev_id_column: the environment; text or '
    'varchar; null or empty is as if there were no column. received_at_column: timestamptz, or timestamp, which is '
    'read in the session''s TimeZone; null means now. backfill: feeds the rows that are there, too, in this '
    'transaction, while other writers of the table wait; see the procedure backfill for large tables. dev_id: the '
    'environment that the setting terra_identity.dev_id would name. A row whose payload is null is not fed; one that '
    'is no event is kept in rejected, and the INSERT goes on, also under terra_identity.strict; signatures are not '
    'checked. An event that has no trace id gets one from the table''s primary key, so that a row counts once, however '
    'often it is fed. UPDATE and DELETE feed nothing. Makes triggers named terra_identity_feed...; no others need '
    'rights on the extension. Returns how many rows the backfill read. Errors: 42501 if you may not make triggers on '
    'the table or execute _feed; 42710 if it is attached; 42809 if it is no table, or one of the system or of the '
    'extension; 42703 or 42804 if there is no such column, or of another type; 42701 if a column is named twice; 55000 '
    'if backfill is true and the table has neither headers nor received_at; 25001 if it is true, and the transaction '
    'not READ COMMITTED; 22004 if an argument without null as its default is null.';

CREATE FUNCTION terra_identity.detach(attached_table regclass) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    attached terra_identity.attached_tables := terra_identity._attached(attached_table);
BEGIN
    EXECUTE format('DROP TRIGGER terra_identity_feed ON %s', attached.attached_table);
    IF attached.payload_column IS NOT NULL THEN
        EXECUTE format('DROP TRIGGER terra_identity_feed_columns ON %s', attached.attached_table);
    END IF;
    IF EXISTS (SELECT FROM pg_trigger t
               WHERE t.tgrelid = attached.attached_table AND t.tgname = 'terra_identity_feed_itself') THEN
        EXECUTE format('DROP TRIGGER terra_identity_feed_itself ON %s', attached.attached_table);
    END IF;
END
$$;
COMMENT ON FUNCTION terra_identity.detach(regclass) IS
    'Ends attach: the table feeds no longer. What it has fed stays. Errors: 42704 if the table is not attached; 42501 '
    'if you are not its owner; 55000 if it is a partition of the table that is; 22004 if it is null.';

CREATE FUNCTION terra_identity._check_backfill(attached_table regclass, batch_size int) RETURNS bigint
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    attached terra_identity.attached_tables := terra_identity._attached(attached_table);
BEGIN
    IF batch_size IS NULL THEN
        RAISE EXCEPTION 'batch_size must not be null' USING ERRCODE = 'null_value_not_allowed';
    ELSIF batch_size < 1 THEN
        RAISE EXCEPTION 'batch_size must be at least 1' USING ERRCODE = 'invalid_parameter_value';
    ELSIF coalesce(attached.headers_column, attached.received_at_column) IS NULL THEN
        RAISE EXCEPTION 'table % cannot be backfilled without times', attached.attached_table
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'Its webhooks would count as received now, and later than those that really are.',
                  HINT = 'Detach it, and attach it with its received_at_column, or its headers_column.';
    ELSIF NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = attached.attached_table AND i.indisprimary) THEN
        RAISE EXCEPTION 'table % has no primary key', attached.attached_table
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  DETAIL = 'Rows that have been fed could not be told from others.',
                  HINT = 'Add one. Or detach it, and attach it with backfill => true, in one transaction.';
    END IF;
    RETURN terra_identity._about_rows(attached.attached_table);
END
$$;
COMMENT ON FUNCTION terra_identity._check_backfill(regclass, int) IS
    'Raises an error if an attached table cannot be backfilled; else about how many rows it has.';

-- It has no search_path of its own, because a procedure that has one cannot commit: so everything is qualified.
CREATE PROCEDURE terra_identity.backfill(attached_table regclass, batch_size int DEFAULT 1000)
    LANGUAGE plpgsql AS $$
DECLARE
    attached terra_identity.attached_tables := terra_identity._attached(backfill.attached_table);
    expected bigint := terra_identity._check_backfill(backfill.attached_table, backfill.batch_size);
    batch record;
    last_key text[];
    done bigint := 0;
BEGIN
    LOOP
        SELECT r.fed, r.last_key INTO batch FROM terra_identity._feed_rows(
            terra_identity._rows_to_feed(attached, last_key, backfill.batch_size), attached.dev_id, attached.source,
            done, expected) r;
        COMMIT;
        EXIT WHEN batch.fed OPERATOR(pg_catalog.=) 0;
        last_key := batch.last_key;
        done := done OPERATOR(pg_catalog.+) batch.fed;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE terra_identity.backfill(regclass, int) IS
    'Feeds the rows that an attached table has already, batch_size at a time, in the order of its primary key, and '
    'commits after each batch: so call it outside of a transaction. It can be cancelled, and called again: rows that '
    'have been fed, by it or by the trigger, are skipped. Every few seconds it tells how far it is (INFO; the setting '
    'terra_identity.progress silences it). Errors: 55000 if the table has no primary key, by which rows that were fed '
    'are known, or neither headers nor received_at; 42704 if it is not attached; 42501 if you may not read it; 22023 '
    'if batch_size is less than 1; 22004 if an argument is null; 2D000 in a transaction.';
