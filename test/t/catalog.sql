-- Everything that the catalogs say of the objects in schema terra_identity and of the extension, one line each, without
-- OIDs. For upgrade.sh, which compares two databases.
\set ours 'IN (SELECT c.oid FROM pg_class c WHERE c.relnamespace = \'terra_identity\'::regnamespace)'
SET search_path = pg_catalog;

SELECT line FROM (
SELECT format('schema %s %s %s', n.nspacl, n.nspowner::regrole, obj_description(n.oid, 'pg_namespace')) AS line
FROM pg_namespace n WHERE n.nspname = 'terra_identity'
UNION ALL
SELECT format('extension %s %s %s', e.extversion, e.extowner::regrole, e.extnamespace::regnamespace)
FROM pg_extension e WHERE e.extname = 'terra_identity'
UNION ALL
SELECT format('dumped %s: %s', configured::regclass, condition)
FROM pg_extension e, unnest(e.extconfig, e.extcondition) AS of_tables (configured, condition)
WHERE e.extname = 'terra_identity'
UNION ALL
SELECT format('member %s %s %s', d.deptype, o.type, o.identity)
FROM pg_depend d, pg_identify_object(d.classid, d.objid, d.objsubid) o
WHERE d.refclassid = 'pg_extension'::regclass
  AND d.refobjid = (SELECT e.oid FROM pg_extension e WHERE e.extname = 'terra_identity')
UNION ALL
SELECT format('depends %s %s on %s %s (%s)', o.type, o.identity, r.type, r.identity, d.deptype)
FROM pg_depend d, pg_identify_object(d.classid, d.objid, d.objsubid) o,
     pg_identify_object(d.refclassid, d.refobjid, d.refobjsubid) r
WHERE d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.objid :ours AND r.type <> 'type'
UNION ALL
SELECT format('initial privileges of %s: %s', o.identity, p.initprivs)
FROM pg_init_privs p, pg_identify_object(p.classoid, p.objoid, p.objsubid) o
WHERE o.schema = 'terra_identity' OR o.identity = 'terra_identity'
UNION ALL
SELECT format('relation %s kind %s of %s, acl %s, options %s, method %s, replica identity %s, row security %s %s, %s, '
              '%s, tablespace %s, has rules %s, triggers %s: %s',
              c.relname, c.relkind, c.relowner::regrole, c.relacl, c.reloptions,
              (SELECT m.amname FROM pg_am m WHERE m.oid = c.relam), c.relreplident, c.relrowsecurity,
              c.relforcerowsecurity, c.relpersistence, c.relispartition, c.reltablespace, c.relhasrules,
              c.relhastriggers,
              obj_description(c.oid, 'pg_class'))
FROM pg_class c WHERE c.relnamespace = 'terra_identity'::regnamespace
UNION ALL
SELECT format('column %s.%s %s, collation %s, not null %s, default %s, identity "%s", generated "%s", '
              'acl %s, statistics %s, storage %s, compression "%s", options %s: %s',
              a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod), a.attcollation::regcollation,
              a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated, a.attacl,
              nullif(a.attstattarget, -1), a.attstorage, a.attcompression,
              -- A server may stamp each column with where its log was when it was made.
              ARRAY(SELECT o FROM unnest(a.attoptions) o WHERE o NOT LIKE 'pg_attver=%' ORDER BY 1),
              col_description(a.attrelid, a.attnum))
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'v')
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid :ours AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
-- This is what the module relies on, so that columns have the numbers that they have in it.
SELECT format('column %s of %s: %s', a.attnum, a.attrelid::regclass, a.attname)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
WHERE a.attrelid :ours AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT format('index %s, valid %s, replica identity %s', pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisreplident)
FROM pg_index i WHERE i.indrelid :ours
UNION ALL
SELECT format('constraint %s of %s: %s, validated %s', o.conname, o.conrelid::regclass, pg_get_constraintdef(o.oid),
              o.convalidated)
FROM pg_constraint o WHERE o.conrelid :ours
UNION ALL
SELECT format('policy %s on %s, permissive %s, %s, %s, %s, %s', p.polname, p.polrelid::regclass, p.polpermissive,
              p.polcmd, p.polroles, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
FROM pg_policy p WHERE p.polrelid :ours
UNION ALL
SELECT format('trigger %s, enabled %s', pg_get_triggerdef(t.oid), t.tgenabled)
FROM pg_trigger t WHERE t.tgrelid :ours AND NOT t.tgisinternal
UNION ALL
SELECT format('view %s: %s', c.relname, pg_get_viewdef(c.oid))
FROM pg_class c WHERE c.relnamespace = 'terra_identity'::regnamespace AND c.relkind = 'v'
UNION ALL
SELECT format('function %s of %s, acl %s, %s: %s', p.oid::regprocedure, p.proowner::regrole, p.proacl,
              pg_get_functiondef(p.oid), obj_description(p.oid, 'pg_proc'))
FROM pg_proc p WHERE p.pronamespace = 'terra_identity'::regnamespace
UNION ALL
SELECT format('sequence %s of type %s from %s by %s, %s to %s, cache %s, cycles %s', s.seqrelid::regclass,
              s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle)
FROM pg_sequence s WHERE s.seqrelid :ours
) lines ORDER BY line COLLATE "C";
