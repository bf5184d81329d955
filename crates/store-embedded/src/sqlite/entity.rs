//! Entity records.

use std::error::Error;

use rusqlite::{Connection, OptionalExtension, Row, params};
use zae_limiter_core::{Entity, EntityId, StoreError, StoreErrorKind, Timestamp};

use super::failure::Failure;
use super::transaction::Transaction;

const COLUMNS: &str = "id, name, parent_id, metadata, created_at_ms";

pub(super) fn create(connection: &Connection, entity: &Entity) -> Result<(), Failure> {
    let metadata = serde_json::to_string(&entity.metadata)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let created_at = i64::try_from(entity.created_at.as_millis()).unwrap_or(i64::MAX);
    let inserted = connection
        .prepare_cached("INSERT INTO entity VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO NOTHING")?
        .execute(params![
            entity.id.as_str(),
            entity.name,
            entity.parent_id.as_ref().map(EntityId::as_str),
            metadata,
            created_at
        ])?;
    if inserted == 0 {
        let message = format!("entity {} exists already: choose another id, or delete it first", entity.id);
        return Err(Failure::Told(StoreError::new(StoreErrorKind::AlreadyExists, message)));
    }
    Ok(())
}

pub(super) fn get(connection: &Connection, id: &EntityId) -> Result<Option<Entity>, Failure> {
    let mut select = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM entity WHERE id = ?1"))?;
    select.query_row([id.as_str()], |row| Ok(read(row))).optional()?.transpose()
}

/// All entities, by id.
pub(super) fn all(connection: &Connection) -> Result<Vec<Entity>, Failure> {
    let mut select = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM entity ORDER BY id"))?;
    select.query_map([], |row| Ok(read(row)))?.map(|row| row?).collect()
}

/// The entities right below `parent`, by id.
pub(super) fn children(connection: &Connection, parent: &EntityId) -> Result<Vec<Entity>, Failure> {
    let sql = format!("SELECT {COLUMNS} FROM entity WHERE parent_id = ?1 ORDER BY id");
    let mut select = connection.prepare_cached(&sql)?;
    select.query_map([parent.as_str()], |row| Ok(read(row)))?.map(|row| row?).collect()
}

/// Deletes all that is kept of an entity.
pub(super) fn delete(transaction: Transaction<'_>, id: &EntityId) -> Result<(), Failure> {
    for sql in [
        "DELETE FROM entity WHERE id = ?1",
        "DELETE FROM bucket WHERE entity_id = ?1",
        "DELETE FROM stored_limits WHERE entity_id = ?1",
        "DELETE FROM usage WHERE entity_id = ?1",
    ] {
        transaction.prepare_cached(sql)?.execute([id.as_str()])?;
    }
    transaction.commit()
}

fn read(row: &Row<'_>) -> Result<Entity, Failure> {
    let id: String = row.get(0)?;
    decode(row).map_err(|error| Failure::row(format!("entity {id:?}"), error))
}

fn decode(row: &Row<'_>) -> Result<Entity, Box<dyn Error + Send + Sync>> {
    let created_at = Timestamp::from_millis(u64::try_from(row.get::<_, i64>(4)?)?);
    let mut entity = Entity::new(EntityId::new(row.get_ref(0)?.as_str()?)?, created_at)
        .with_name(row.get::<_, String>(1)?)
        .with_metadata(serde_json::from_str(row.get_ref(3)?.as_str()?)?);
    if let Some(parent) = row.get_ref(2)?.as_str_or_null()? {
        entity = entity.with_parent(EntityId::new(parent)?);
    }
    Ok(entity)
}
