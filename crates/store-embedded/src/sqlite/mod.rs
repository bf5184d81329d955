//! A store in a SQLite file, shared by all processes of a machine.
//!
//! Every change is one `BEGIN IMMEDIATE` transaction: [`levels`] is what happens inside. Around it,
//! [`open`] and [`schema`] say whose file this is, [`patience`] how processes wait for each other, [`eviction`] and
//! [`usage`] how the file stays small, and [`failure`] what the caller is told.

mod bucket;
mod checkpoint;
mod connection;
mod entity;
mod eviction;
mod failure;
mod levels;
mod open;
mod options;
mod patience;
mod schema;
mod stored_limits;
mod transaction;
mod usage;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::Connection;
use zae_limiter_core::store::{StoreAnswer, Task};
use zae_limiter_core::{
    Answer, Change, Clock, Decision, Entity, EntityConfig, EntityId, Level, LimitScope, LimitSet, Reading,
    Resource, Store, StoreError, UsageQuery, UsageSnapshot,
};

pub use self::options::{SqliteOptions, Synchronous};

use self::connection::SharedConnection;
use self::failure::Failure;
use self::transaction::Transaction;
use self::usage::Retention;

/// Buckets, entities, stored limits and usage in one SQLite file, which any number of processes share.
///
/// All of it is durable: a process that crashes, even by `kill -9`, undoes nothing but the call it was in. What a crash
/// of the machine may undo is said by [`Synchronous`].
///
/// ```
/// use std::sync::Arc;
/// use zae_limiter_core::{ManualClock, Store};
/// use zae_limiter_store_embedded::{SqliteOptions, SqliteStore};
/// let directory = tempfile::tempdir()?;
/// let clock = Arc::new(ManualClock::default());
/// let store = SqliteStore::open(&directory.path().join("limits.db"), clock, SqliteOptions::default())?;
/// assert!(pollster::block_on(store.entities())?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    options: SqliteOptions,
    /// For whatever is short.
    connection: SharedConnection,
    /// For whatever reads many rows: takes do not wait for it. Opened when it is first needed.
    listing: Mutex<Option<Arc<SharedConnection>>>,
}

impl SqliteStore {
    /// Opens the database at `path`, and makes it if there is none and the options do not forbid it.
    ///
    /// # Errors
    ///
    /// A file that is no database, is damaged, or is that of another application is
    /// [`Corrupt`](zae_limiter_core::StoreErrorKind::Corrupt), and one of a later version
    /// [`Incompatible`](zae_limiter_core::StoreErrorKind::Incompatible); both are left as they are. A directory is
    /// [`Invalid`](zae_limiter_core::StoreErrorKind::Invalid), and a file that this process may not read and write
    /// [`PermissionDenied`](zae_limiter_core::StoreErrorKind::PermissionDenied).
    pub fn open(path: &Path, clock: Arc<dyn Clock>, options: SqliteOptions) -> Result<Self, StoreError> {
        let path = open::locate(path, &options)?;
        let connection = open::open(&path, &options).map_err(|failure| failure.in_file(&path))?;
        Ok(Self { path, clock, options, connection, listing: Mutex::new(None) })
    }

    fn answer<T>(&self, operation: impl FnOnce(&Connection) -> Result<T, Failure>) -> StoreAnswer<'_, T> {
        let result = self.connection.lock().and_then(|connection| operation(&connection));
        Answer::ready(result.map_err(|failure| failure.in_file(&self.path)))
    }

    fn list<T>(&self, operation: impl FnOnce(&Connection) -> Result<T, Failure>) -> StoreAnswer<'_, T> {
        let listing = || -> Result<T, Failure> {
            let shared = self.listing_connection()?;
            let connection = shared.lock()?;
            operation(&connection)
        };
        Answer::ready(listing().map_err(|failure| failure.in_file(&self.path)))
    }

    fn listing_connection(&self) -> Result<Arc<SharedConnection>, Failure> {
        let mut listing = self.listing.lock();
        if let Some(connection) = &*listing {
            return Ok(Arc::clone(connection));
        }
        let options = SqliteOptions { create: false, ..self.options.clone() };
        let connection = Arc::new(open::open(&self.path, &options)?);
        Ok(Arc::clone(listing.insert(connection)))
    }

    const fn retention(&self) -> Retention {
        Retention(self.options.retention)
    }
}

impl Store for SqliteStore {
    fn take<'a>(&'a self, take: Change<'a>) -> StoreAnswer<'a, Decision> {
        self.answer(|connection| {
            levels::take(Transaction::write(connection)?, take, &*self.clock, self.retention())
        })
    }

    fn apply<'a>(&'a self, change: Change<'a>) -> StoreAnswer<'a, ()> {
        self.answer(|connection| {
            levels::apply(Transaction::write(connection)?, change, &*self.clock, self.retention())
        })
    }

    fn read<'a>(&'a self, levels: &'a [Level]) -> StoreAnswer<'a, Reading> {
        self.answer(|connection| levels::read(&Transaction::read(connection)?, levels, &*self.clock))
    }

    fn config<'a>(&'a self, entity: &'a EntityId, resource: &'a Resource) -> StoreAnswer<'a, EntityConfig> {
        self.answer(|connection| stored_limits::config(connection, entity, resource))
    }

    fn create_entity<'a>(&'a self, entity: &'a Entity) -> StoreAnswer<'a, ()> {
        self.answer(|connection| entity::create(connection, entity))
    }

    fn entity<'a>(&'a self, id: &'a EntityId) -> StoreAnswer<'a, Option<Entity>> {
        self.answer(|connection| entity::get(connection, id))
    }

    fn delete_entity<'a>(&'a self, id: &'a EntityId) -> StoreAnswer<'a, ()> {
        self.answer(|connection| entity::delete(Transaction::write(connection)?, id))
    }

    fn entities(&self) -> StoreAnswer<'_, Vec<Entity>> {
        self.list(entity::all)
    }

    fn children<'a>(&'a self, parent: &'a EntityId) -> StoreAnswer<'a, Vec<Entity>> {
        self.list(|connection| entity::children(connection, parent))
    }

    fn put_limits<'a>(&'a self, scope: &'a LimitScope, limits: &'a LimitSet) -> StoreAnswer<'a, ()> {
        self.answer(|connection| stored_limits::put(connection, scope, limits))
    }

    fn limits<'a>(&'a self, scope: &'a LimitScope) -> StoreAnswer<'a, Option<LimitSet>> {
        self.answer(|connection| stored_limits::get(connection, scope))
    }

    fn delete_limits<'a>(&'a self, scope: &'a LimitScope) -> StoreAnswer<'a, ()> {
        self.answer(|connection| stored_limits::delete(connection, scope))
    }

    fn buckets<'a>(&'a self, resource: &'a Resource) -> StoreAnswer<'a, (Vec<Level>, Reading)> {
        self.list(|connection| levels::of_resource(connection, resource, &*self.clock))
    }

    fn usage<'a>(&'a self, query: &'a UsageQuery) -> StoreAnswer<'a, Vec<UsageSnapshot>> {
        self.list(|connection| usage::snapshots(&Transaction::read(connection)?, query))
    }

    fn spawn(&self, task: Task) {
        // Every answer is ready, so this does not wait for anything.
        pollster::block_on(task);
    }
}
