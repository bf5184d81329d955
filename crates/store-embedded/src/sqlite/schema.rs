//! Which tables there are, and whose database a file is.

use rusqlite::Connection;

use super::failure::Failure;
use super::transaction::Transaction;

/// What marks a SQLite file as one of ours, "zaeL": `file` and `PRAGMA application_id` show it.
const APPLICATION_ID: i32 = 0x7A61_654C;

/// The version that this code reads and writes. Version 0 is an empty file.
const VERSION: u32 = 1;

/// `MIGRATIONS[v]` leads from version `v` to `v + 1`. Never change one that was released.
const MIGRATIONS: [&str; VERSION as usize] = [include_str!("schema.sql")];

/// Makes sure that the database is one of ours, of the present version: an empty file becomes one, an older one is
/// migrated, and any other is left as it is.
pub(super) fn prepare(connection: &Connection) -> Result<(), Failure> {
    if version(&Transaction::read(connection)?)? == VERSION {
        return Ok(());
    }
    let transaction = Transaction::write(connection)?;
    // Another process may have been here meanwhile.
    let version = version(&transaction)?;
    if version == VERSION {
        return Ok(());
    }
    for migration in MIGRATIONS.iter().skip(version as usize) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// The version of the schema, which is at most [`VERSION`]. The ids are read at one instant, as another process
/// may be setting them.
pub(super) fn version(transaction: &Transaction<'_>) -> Result<u32, Failure> {
    let number = |pragma| transaction.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let Ok(version) = u32::try_from(version) else {
        return Err(Failure::Foreign);
    };
    match application {
        APPLICATION_ID if version > VERSION => Err(Failure::Newer { found: version, known: VERSION }),
        APPLICATION_ID if version > 0 => Ok(version),
        0 if version == 0 && is_empty(transaction)? => Ok(0),
        _ => Err(Failure::Foreign),
    }
}

fn is_empty(transaction: &Transaction<'_>) -> Result<bool, Failure> {
    Ok(transaction.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?)
}
