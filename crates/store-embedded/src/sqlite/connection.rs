//! A connection to the database, shared by the threads of this process.

use parking_lot::{Mutex, MutexGuard};
use rusqlite::Connection;

use super::failure::Failure;
use super::patience::Patience;

/// A connection that one thread at a time uses.
#[derive(Debug)]
pub(super) struct SharedConnection {
    connection: Mutex<Connection>,
    patience: Patience,
}

impl SharedConnection {
    pub(super) fn new(connection: Connection, patience: Patience) -> Self {
        Self { connection: Mutex::new(connection), patience }
    }

    /// The connection, for one operation. Waiting for it counts towards the busy timeout.
    pub(super) fn lock(&self) -> Result<MutexGuard<'_, Connection>, Failure> {
        let deadline = self.patience.deadline();
        let connection = self.connection.try_lock_until(deadline).ok_or(Failure::Crowded)?;
        self.patience.start(deadline);
        Ok(connection)
    }
}
