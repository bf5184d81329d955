//! What can go wrong with a database, and what the caller is told to do about it.

use std::error::Error;
use std::path::Path;

use rusqlite::ErrorCode;
use zae_limiter_core::{StoreError, StoreErrorKind};

/// A failure that does not know yet which file it happened in.
#[derive(Debug)]
pub(super) enum Failure {
    /// SQLite refused.
    Sqlite(rusqlite::Error),
    /// The threads of this process kept the connection for too long.
    Crowded,
    /// The file is a database, but not one of ours.
    Foreign,
    /// The file was written by a later version.
    Newer { found: u32, known: u32 },
    /// A row does not hold what was written there.
    Row { what: String, source: Box<dyn Error + Send + Sync> },
    /// Complete as it is.
    Told(StoreError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Told(error)
    }
}

impl Failure {
    /// A row that cannot be read; `what` names it.
    pub(super) fn row(what: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Row { what: what.into(), source: source.into() }
    }

    /// The error as the caller sees it: what happened, in which file, and what to do.
    pub(super) fn in_file(self, path: &Path) -> StoreError {
        let path = path.display();
        match self {
            Self::Told(error) => error,
            Self::Crowded => StoreError::new(
                StoreErrorKind::Unavailable,
                format!("limits database {path} is too busy: other threads kept it for longer than the busy timeout"),
            ),
            Self::Foreign => StoreError::new(
                StoreErrorKind::Corrupt,
                format!("{path} is the database of another application: name another file"),
            ),
            Self::Newer { found, known } => StoreError::new(
                StoreErrorKind::Incompatible,
                format!(
                    "limits database {path} was written by a newer version (its schema is {found}, this version \
                     knows {known}): upgrade zae-limiter"
                ),
            ),
            Self::Row { what, source } => StoreError::new(
                StoreErrorKind::Corrupt,
                format!("{what} in limits database {path} is damaged ({source}): delete that row or restore the file"),
            )
            .with_source(source),
            Self::Sqlite(error) => {
                let (kind, message) = told(&error, &path.to_string());
                StoreError::new(kind, message).with_source(error)
            }
        }
    }
}

/// Whether another process holds a lock that this needs.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

fn told(error: &rusqlite::Error, path: &str) -> (StoreErrorKind, String) {
    use rusqlite::Error as E;
    let damaged = || {
        let message = format!(
            "limits database {path} is damaged ({error}): restore it, or move it away to start with an empty one"
        );
        (StoreErrorKind::Corrupt, message)
    };
    match error {
        // Our SQL is fixed: it fails to compile, or to find its types, only on tables that were tampered with.
        E::SqliteFailure(_, Some(message)) if message.starts_with("no such ") => return damaged(),
        E::SqlInputError { .. }
        | E::FromSqlConversionFailure(..)
        | E::IntegralValueOutOfRange(..)
        | E::InvalidColumnType(..)
        | E::Utf8Error(..)
        | E::QueryReturnedNoRows => return damaged(),
        E::InvalidPath(_) | E::NulError(_) => {
            return (StoreErrorKind::Invalid, format!("{path} cannot be the name of a file"));
        }
        _ => {}
    }
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch) => {
            damaged()
        }
        Some(ErrorCode::NotADatabase) => (
            StoreErrorKind::Corrupt,
            format!("{path} is not a SQLite database, or is damaged: name another file"),
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            StoreErrorKind::Unavailable,
            format!(
                "limits database {path} is too busy: other processes locked it for longer than the busy timeout"
            ),
        ),
        Some(
            ErrorCode::ReadOnly
            | ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied
            | ErrorCode::AuthorizationForStatementDenied,
        ) => (
            StoreErrorKind::PermissionDenied,
            format!(
                "cannot open {path} ({error}): grant permission to read and write the file and its directory"
            ),
        ),
        Some(ErrorCode::DiskFull) => (
            StoreErrorKind::Unavailable,
            format!("the disk of limits database {path} is full: free some space"),
        ),
        _ => (StoreErrorKind::Unavailable, format!("cannot use limits database {path}: {error}")),
    }
}
