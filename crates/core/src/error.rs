//! What can go wrong in a store, sorted by what the caller has to do about it.

use std::error::Error;
use std::fmt;

/// What the caller has to do about a [`StoreError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// Try again later: the store cannot be reached, is too slow, or throttles. The only kind that a failure
    /// mode applies to; the outcome of a write is unknown and errs towards under-admission.
    Unavailable,
    /// Correct the call: the arguments, the store URL, or the file that they name.
    Invalid,
    /// Choose another id: the entity exists already.
    AlreadyExists,
    /// Create the table or the stack first: there is no store at the place named.
    Missing,
    /// Grant the permission that the message names.
    PermissionDenied,
    /// Upgrade the client, or migrate the store: its data are of another version.
    Incompatible,
    /// Restore the data: they were damaged, or written by another program.
    Corrupt,
}

/// An error of a store. The kind says what to do, the message says what happened and where.
#[derive(Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StoreError {
    /// An error of `kind`; `message` says what happened, where, and what to do.
    pub fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Keeps the error that caused this one.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What the caller has to do.
    pub const fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// Whether trying again later can help.
    pub fn is_unavailable(&self) -> bool {
        self.kind == StoreErrorKind::Unavailable
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}
