//! Moving the write-ahead log into the database, so that the log stays short.
//!
//! SQLite does so after a commit, but only as far as nobody writes meanwhile. Where several processes write all the
//! time it never gets to the end, so the log is never begun anew: it grows for as long as the load lasts, and every
//! commit tries again. Here the other writers are held off for that moment instead.

use std::ffi::c_int;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::hooks::Wal;
use rusqlite::wal::CheckpointMode;

use super::failure::Failure;
use super::patience::{Patience, Wait};

/// Pages (of 4 KiB) that the log may grow by between two attempts.
const STEP: c_int = 2_000;

/// How long an attempt waits for its turn, and then, while nobody else can write, for readers. One that is reading for
/// longer, through a whole table, makes the attempt fail; the next is due after another [`STEP`] pages.
const WAIT: Duration = Duration::from_millis(25);

/// Lets the connection do so whenever it is due after a commit.
pub(super) fn install(connection: &mut Connection, patience: &Patience) -> Result<(), Failure> {
    let patience = patience.clone();
    let (mut last, mut due) = (0, STEP);
    connection.wal_hook(Some(move |log: &mut Wal, pages: c_int| {
        if pages < last {
            due = STEP;
        }
        last = pages;
        if pages >= due {
            due = pages.saturating_add(STEP);
            // The commit has succeeded, whatever comes of this: an attempt that fails is made up for by the next.
            let _ = move_all(log, &patience);
        }
        Ok(())
    }))?;
    Ok(())
}

fn move_all(log: &mut Wal, patience: &Patience) -> rusqlite::Result<()> {
    // The bulk of it while others write on, then what they wrote meanwhile.
    log.checkpoint_v2(CheckpointMode::PASSIVE)?;
    patience.start(Wait::new(WAIT));
    log.checkpoint_v2(CheckpointMode::RESTART)?;
    Ok(())
}
