//! A connection to the database, shared by the threads of this process.

use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use rusqlite::Connection;

use super::failure::Failure;
use super::patience::{Patience, Wait};

/// A connection that one thread at a time uses.
#[derive(Debug)]
pub(super) struct SharedConnection {
    connection: Mutex<Connection>,
    patience: Patience,
    busy_timeout: Duration,
}

impl SharedConnection {
    pub(super) fn new(connection: Connection, patience: Patience, busy_timeout: Duration) -> Self {
        Self { connection: Mutex::new(connection), patience, busy_timeout }
    }

    /// The connection, for one operation. Waiting for it counts towards the busy timeout.
    pub(super) fn lock(&self) -> Result<MutexGuard<'_, Connection>, Failure> {
        let wait = Wait::new(self.busy_timeout);
        let connection = self.connection.try_lock_until(wait.deadline()).ok_or(Failure::Crowded)?;
        self.patience.start(wait);
        Ok(connection)
    }
}
