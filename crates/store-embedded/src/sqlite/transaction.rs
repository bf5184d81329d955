//! Transactions with cached statements, which is what makes a short one cheap.

use std::ops::Deref;

use rusqlite::Connection;

use super::failure::Failure;

/// A transaction under way. Dropped without a commit, it leaves no trace.
#[derive(Debug)]
pub(super) struct Transaction<'c>(&'c Connection);

impl<'c> Transaction<'c> {
    /// Starts one that writes, once no other process is writing. What it reads is what the last one left.
    pub(super) fn write(connection: &'c Connection) -> Result<Self, Failure> {
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(Self(connection))
    }

    /// Starts one that only reads: all of it at one instant, beside any writer.
    pub(super) fn read(connection: &'c Connection) -> Result<Self, Failure> {
        connection.prepare_cached("BEGIN")?.execute([])?;
        Ok(Self(connection))
    }

    pub(super) fn commit(self) -> Result<(), Failure> {
        self.0.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }
}

impl Deref for Transaction<'_> {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        self.0
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.0.is_autocommit() {
            return;
        }
        // Should this fail, then SQLite has already rolled back, or will as the connection closes.
        let _ = self.0.prepare_cached("ROLLBACK").and_then(|mut rollback| rollback.execute([]));
    }
}
