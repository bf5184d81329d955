//! Opening the file: many processes may be doing so at the same time, to a file that is not there yet.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use zae_limiter_core::{StoreError, StoreErrorKind};

use super::checkpoint;
use super::connection::SharedConnection;
use super::failure::{Failure, is_busy};
use super::options::SqliteOptions;
use super::patience::{Patience, Wait};
use super::schema;
use super::transaction::Transaction;

/// Enough for every statement of the store.
const CACHED_STATEMENTS: usize = 64;

/// What the write-ahead log is cut back to after a long read let it grow, in bytes.
const KEPT_LOG_BYTES: i64 = 16 << 20;

/// The absolute path of a database file, which is there or can be made: SQLite takes every name for that of a file,
/// and a later change of the working directory changes nothing.
pub(super) fn locate(path: &Path, options: &SqliteOptions) -> Result<PathBuf, StoreError> {
    let shown = path.display();
    let path = std::path::absolute(path).map_err(|error| {
        StoreError::new(StoreErrorKind::Invalid, format!("{shown:?} is not a path")).with_source(error)
    })?;
    match fs::metadata(&path) {
        Ok(found) if found.is_dir() => Err(StoreError::new(
            StoreErrorKind::Invalid,
            format!("{shown} is a directory: name a file, for example {}", path.join("limits.db").display()),
        )),
        Ok(found) if !found.is_file() => Err(StoreError::new(
            StoreErrorKind::Invalid,
            format!("{shown} is not a regular file: name another one"),
        )),
        Ok(_) => Ok(path),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unusable(&path, error)),
        Err(_) if !options.create => Err(StoreError::new(
            StoreErrorKind::Missing,
            format!("there is no limits database {shown}: create it first"),
        )),
        Err(_) => {
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(|error| unusable(parent, error))?;
            }
            Ok(path)
        }
    }
}

fn unusable(path: &Path, error: io::Error) -> StoreError {
    let path = path.display();
    let (kind, message) = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => (
            StoreErrorKind::PermissionDenied,
            format!(
                "cannot use {path} ({error}): grant permission to read and write the file and its directory"
            ),
        ),
        io::ErrorKind::StorageFull => {
            (StoreErrorKind::Unavailable, format!("cannot use {path} ({error}): free some space"))
        }
        _ => (StoreErrorKind::Invalid, format!("cannot use {path} ({error}): name another file")),
    };
    StoreError::new(kind, message).with_source(error)
}

/// Opens a database that [`locate`] found, and makes it one of ours if it is empty.
pub(super) fn open(path: &Path, options: &SqliteOptions) -> Result<SharedConnection, Failure> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if options.create {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.set_prepared_statement_cache_capacity(CACHED_STATEMENTS);
    let patience = Patience::new(Wait::new(options.busy_timeout));
    let waiting = patience.clone();
    connection.busy_handler(Some(move |attempts| waiting.wait(attempts)))?;

    // Nothing is written before it is known whose file this is.
    schema::version(&Transaction::read(&connection)?)?;
    if connection.is_readonly("main")? {
        return Err(Failure::Told(StoreError::new(
            StoreErrorKind::PermissionDenied,
            format!("{} is read-only: grant permission to write the file", path.display()),
        )));
    }
    use_write_ahead_log(&connection, &patience, path)?;
    connection.pragma_update(None, "synchronous", options.synchronous.pragma())?;
    connection.pragma_update(None, "journal_size_limit", KEPT_LOG_BYTES)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    schema::prepare(&connection)?;
    checkpoint::install(&mut connection, &patience)?;
    Ok(SharedConnection::new(connection, patience, options.busy_timeout))
}

/// Readers then do not wait for the writer, nor it for them. It is a property of the file: only the first process
/// changes it, but for that it needs the file to itself, and SQLite does not wait for that by itself.
fn use_write_ahead_log(connection: &Connection, patience: &Patience, path: &Path) -> Result<(), Failure> {
    let mut attempts = 0;
    let mode: String = loop {
        match connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)) {
            Err(error) if is_busy(&error) && patience.wait(attempts) => attempts += 1,
            result => break result?,
        }
    };
    if mode == "wal" {
        return Ok(());
    }
    Err(Failure::Told(StoreError::new(
        StoreErrorKind::Invalid,
        format!(
            "the file system of {} cannot share a SQLite database between processes: name a file on a local disk",
            path.display()
        ),
    )))
}
