//! A database file in a directory of its own, and what is needed to use it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;
use zae_limiter_core::{
    Change, Clock, Decision, EntityId, Level, LimitSet, ManualClock, Millitokens, Resource, Store,
    StoreError, Timestamp,
};
use zae_limiter_store_embedded::{SqliteOptions, SqliteStore};

/// When every test starts: in the middle of an hour, so that moving the clock a little stays within it.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

#[derive(Debug)]
pub(crate) struct Fixture {
    directory: TempDir,
    pub(crate) clock: Arc<ManualClock>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), clock: clock() }
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("limits.db")
    }

    pub(crate) fn open(&self) -> SqliteStore {
        self.try_open().unwrap()
    }

    pub(crate) fn try_open(&self) -> Result<SqliteStore, StoreError> {
        self.open_with(SqliteOptions::default())
    }

    pub(crate) fn open_with(&self, options: SqliteOptions) -> Result<SqliteStore, StoreError> {
        SqliteStore::open(&self.path(), Arc::clone(&self.clock) as Arc<dyn Clock>, options)
    }

    /// The file, as any other program would open it.
    pub(crate) fn raw(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    /// One number out of the file.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.raw().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(START))
}

pub(crate) fn entity(id: &str) -> EntityId {
    EntityId::new(id).unwrap()
}

pub(crate) fn resource(name: &str) -> Resource {
    Resource::new(name).unwrap()
}

/// The bucket of `id` on gpt-4, held to `limits` in their text form, joined by commas.
pub(crate) fn level(id: &str, limits: &str) -> Level {
    Level { entity_id: entity(id), resource: resource("gpt-4"), limits: limit_set(limits) }
}

pub(crate) fn limit_set(limits: &str) -> LimitSet {
    limits.parse().unwrap()
}

/// Takes `tokens` of every limit of every level.
pub(crate) fn try_take(store: &SqliteStore, levels: &[Level], tokens: i64) -> Result<Decision, StoreError> {
    let amounts = amounts(levels, tokens);
    pollster::block_on(store.take(Change { levels, amounts: &amounts, acquires: 1 }))
}

/// Takes `tokens` of every limit of every level, and says whether they were there.
pub(crate) fn take(store: &SqliteStore, levels: &[Level], tokens: i64) -> bool {
    matches!(try_take(store, levels, tokens).unwrap(), Decision::Admitted(_))
}

/// Changes every limit of every level by `tokens`, unconditionally; counts `acquires`.
pub(crate) fn apply(store: &SqliteStore, levels: &[Level], tokens: i64, acquires: i64) {
    let amounts = amounts(levels, tokens);
    pollster::block_on(store.apply(Change { levels, amounts: &amounts, acquires })).unwrap();
}

/// What each limit of each level holds, in whole tokens.
pub(crate) fn balances(store: &SqliteStore, levels: &[Level]) -> Vec<i64> {
    let reading = pollster::block_on(store.read(levels)).unwrap();
    reading.balances(levels).map(Millitokens::whole_tokens).collect()
}

fn amounts(levels: &[Level], tokens: i64) -> Vec<Millitokens> {
    levels.iter().flat_map(|level| level.limits.iter()).map(|_| Millitokens::from_tokens(tokens)).collect()
}
