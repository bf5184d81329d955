-- Entities that have a record.
CREATE TABLE entity (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL,
    parent_id     TEXT,
    metadata      TEXT NOT NULL,     -- a JSON object of strings
    created_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX entity_by_parent ON entity (parent_id, id) WHERE parent_id IS NOT NULL;

-- Limits stored at four levels; '' stands for any entity, or for any resource.
CREATE TABLE stored_limits (
    entity_id TEXT NOT NULL,
    resource  TEXT NOT NULL,
    limits    TEXT NOT NULL,         -- a JSON list of limits
    PRIMARY KEY (entity_id, resource)
) STRICT, WITHOUT ROWID;

-- Buckets that are not full, and some that are. No index covers what a take changes.
CREATE TABLE bucket (
    id         INTEGER PRIMARY KEY,
    entity_id  TEXT NOT NULL,
    resource   TEXT NOT NULL,
    full_at_ms INTEGER NOT NULL,     -- from then on the row says what its absence says
    state      TEXT NOT NULL,        -- limits, states and the usage of one hour, as JSON
    UNIQUE (entity_id, resource)
) STRICT;

-- The last bucket that was looked at in search of full ones: one row.
CREATE TABLE eviction (
    looked_at INTEGER NOT NULL
) STRICT;

INSERT INTO eviction VALUES (0);

-- Usage of the hours that are no longer counted in the row of their bucket.
CREATE TABLE usage (
    entity_id TEXT NOT NULL,
    resource  TEXT NOT NULL,
    hour      INTEGER NOT NULL,      -- whole hours since 1970-01-01 00:00 UTC
    acquires  INTEGER NOT NULL,
    consumed  TEXT NOT NULL,         -- net millitokens by limit, as a JSON object
    PRIMARY KEY (entity_id, resource, hour)
) STRICT, WITHOUT ROWID;

CREATE INDEX usage_by_hour ON usage (hour);
