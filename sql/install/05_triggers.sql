-- The triggers: they read and apply events, and derive connections again when rules change.

CREATE FUNCTION terra_identity._read_event() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'terra_identity_read_event';
CREATE FUNCTION terra_identity._collect_event() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'terra_identity_collect_event';
CREATE FUNCTION terra_identity._apply_events() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'terra_identity_apply_events';
CREATE FUNCTION terra_identity._refuse_change() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'terra_identity_refuse_change';
CREATE FUNCTION terra_identity._refuse_truncate() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'terra_identity_refuse_truncate';
CREATE FUNCTION terra_identity._edit_environment() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'terra_identity_edit_environment';
CREATE FUNCTION terra_identity._edit_provider() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'terra_identity_edit_provider';
CREATE FUNCTION terra_identity._merge_environment() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'terra_identity_merge_environment';
CREATE FUNCTION terra_identity._merge_provider() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'terra_identity_merge_provider';
CREATE FUNCTION terra_identity._collect_environment() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'terra_identity_collect_environment';
CREATE FUNCTION terra_identity._follow_environments() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'terra_identity_follow_environments';
CREATE FUNCTION terra_identity._follow_provider() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'terra_identity_follow_provider';
CREATE FUNCTION terra_identity._forget_rules_everywhere() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'terra_identity_forget_rules_everywhere';

COMMENT ON FUNCTION terra_identity._read_event() IS
    'Trigger: fills in the columns of an event, and skips a repeated delivery.';
COMMENT ON FUNCTION terra_identity._collect_event() IS
    'Trigger: collects a delivery, and the facts that its event adds.';
COMMENT ON FUNCTION terra_identity._apply_events() IS
    'Trigger: at the end of a statement, records its deliveries and applies the facts that they add.';
COMMENT ON FUNCTION terra_identity._refuse_change() IS 'Trigger: raises an error, because the ledger is append-only.';
COMMENT ON FUNCTION terra_identity._refuse_truncate() IS
    'Trigger: raises an error, because settings are removed by DELETE.';
COMMENT ON FUNCTION terra_identity._edit_environment() IS
    'Trigger: writes an edit of the view environments to environment_settings.';
COMMENT ON FUNCTION terra_identity._edit_provider() IS
    'Trigger: writes an edit of the view providers to provider_settings.';
COMMENT ON FUNCTION terra_identity._merge_environment() IS
    'Trigger: makes an INSERT of an environment that has a row a change of that row.';
COMMENT ON FUNCTION terra_identity._merge_provider() IS
    'Trigger: makes an INSERT of a provider that has a row a change of that row.';
COMMENT ON FUNCTION terra_identity._collect_environment() IS
    'Trigger: collects the environments whose rules a statement changes.';
COMMENT ON FUNCTION terra_identity._follow_environments() IS
    'Trigger: at the end of a statement, derives the connections of these environments again.';
COMMENT ON FUNCTION terra_identity._follow_provider() IS
    'Trigger: derives a provider''s connections again after its settings changed.';
COMMENT ON FUNCTION terra_identity._forget_rules_everywhere() IS 'Trigger: makes every session read the rules again.';

-- Triggers of one kind fire in the order of their names: this one after those of the application, which may change the
-- row.
CREATE TRIGGER zz_read_event BEFORE INSERT ON terra_identity.events
    FOR EACH ROW EXECUTE FUNCTION terra_identity._read_event();
CREATE TRIGGER collect_event AFTER INSERT ON terra_identity.events
    FOR EACH ROW EXECUTE FUNCTION terra_identity._collect_event(); -- without WHEN, which each statement would compile
CREATE TRIGGER apply_events AFTER INSERT ON terra_identity.events
    FOR EACH STATEMENT EXECUTE FUNCTION terra_identity._apply_events();
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON terra_identity.events
    FOR EACH STATEMENT EXECUTE FUNCTION terra_identity._refuse_change();

-- Keeps the ledger from becoming a partition or a child of another table, which PostgreSQL refuses for a table that has
-- a row trigger with a transition table: rows that are inserted through a parent fire no statement triggers of the
-- child, and would not be applied. The trigger never fires, and no rows are collected for it: every UPDATE is refused
-- before.
CREATE TRIGGER insert_into_events_itself AFTER UPDATE ON terra_identity.events
    REFERENCING NEW TABLE AS updated FOR EACH ROW EXECUTE FUNCTION terra_identity._refuse_change();

CREATE TRIGGER edit_environment INSTEAD OF INSERT OR UPDATE OR DELETE ON terra_identity.environments
    FOR EACH ROW EXECUTE FUNCTION terra_identity._edit_environment();
CREATE TRIGGER edit_provider INSTEAD OF INSERT OR UPDATE OR DELETE ON terra_identity.providers
    FOR EACH ROW EXECUTE FUNCTION terra_identity._edit_provider();

CREATE TRIGGER merge_environment BEFORE INSERT ON terra_identity.environment_settings
    FOR EACH ROW EXECUTE FUNCTION terra_identity._merge_environment();
CREATE TRIGGER merge_provider BEFORE INSERT ON terra_identity.provider_settings
    FOR EACH ROW EXECUTE FUNCTION terra_identity._merge_provider();
CREATE TRIGGER collect_environment AFTER INSERT OR UPDATE OR DELETE ON terra_identity.environment_settings
    FOR EACH ROW EXECUTE FUNCTION terra_identity._collect_environment();
CREATE TRIGGER follow_environments AFTER INSERT OR UPDATE OR DELETE ON terra_identity.environment_settings
    FOR EACH STATEMENT EXECUTE FUNCTION terra_identity._follow_environments();
CREATE TRIGGER follow_environments AFTER INSERT OR UPDATE OR DELETE ON terra_identity.environments
    FOR EACH STATEMENT EXECUTE FUNCTION terra_identity._follow_environments();
CREATE TRIGGER follow_provider AFTER INSERT OR UPDATE OR DELETE ON terra_identity.provider_settings
    FOR EACH ROW EXECUTE FUNCTION terra_identity._follow_provider();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON terra_identity.environment_settings
    FOR EACH STATEMENT EXECUTE FUNCTION terra_identity._refuse_truncate();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON terra_identity.provider_settings
    FOR EACH STATEMENT EXECUTE FUNCTION terra_identity._refuse_truncate();

-- Whatever changes the rules, a restore and logical replication included, every session must read them again.
CREATE TRIGGER forget_rules AFTER INSERT OR UPDATE OR DELETE ON terra_identity.environment_settings
    FOR EACH ROW EXECUTE FUNCTION terra_identity._forget_rules_everywhere();
CREATE TRIGGER forget_rules AFTER INSERT OR UPDATE OR DELETE ON terra_identity.provider_settings
    FOR EACH ROW EXECUTE FUNCTION terra_identity._forget_rules_everywhere();
ALTER TABLE terra_identity.environment_settings ENABLE ALWAYS TRIGGER forget_rules;
ALTER TABLE terra_identity.provider_settings ENABLE ALWAYS TRIGGER forget_rules;
