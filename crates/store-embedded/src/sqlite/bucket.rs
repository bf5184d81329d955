//! The rows of buckets: one row is one bucket, and holds its whole record.

use std::error::Error;

use rusqlite::{Connection, OptionalExtension, Row, params};
use zae_limiter_core::usage::HourOfUsage;
use zae_limiter_core::{EntityId, Level, Resource, Timestamp};

use super::failure::Failure;
use super::transaction::Transaction;
use crate::record::Record;

/// A bucket as it was found: its record, and its row if it has one.
#[derive(Debug)]
pub(super) struct Bucket {
    row: Option<i64>,
    pub(super) record: Record,
}

impl Bucket {
    /// The bucket of a level. One without a row is full.
    pub(super) fn load(connection: &Connection, level: &Level, now: Timestamp) -> Result<Self, Failure> {
        let Level { entity_id, resource, limits } = level;
        let mut select = connection
            .prepare_cached("SELECT id, state FROM bucket WHERE entity_id = ?1 AND resource = ?2")?;
        let found = select
            .query_row([entity_id.as_str(), resource.as_str()], |row| Ok((row.get(0)?, decode(row, 1))))
            .optional()?;
        let Some((id, record)) = found else {
            return Ok(Self { row: None, record: Record::new(limits, now) });
        };
        let record = record.map_err(|error| damaged(entity_id.as_str(), resource.as_str(), error))?;
        Ok(Self { row: Some(id), record })
    }

    /// Writes the bucket of `level` back. The id of its row, if that is a new one.
    pub(super) fn save(&self, transaction: &Transaction<'_>, level: &Level) -> Result<Option<i64>, Failure> {
        let state =
            self.record.to_text().map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        let full_at_ms = i64::try_from(self.record.full_at_ms()).unwrap_or(i64::MAX);
        if let Some(id) = self.row {
            transaction
                .prepare_cached("UPDATE bucket SET full_at_ms = ?2, state = ?3 WHERE id = ?1")?
                .execute(params![id, full_at_ms, state])?;
            return Ok(None);
        }
        transaction
            .prepare_cached(
                "INSERT INTO bucket (entity_id, resource, full_at_ms, state) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![level.entity_id.as_str(), level.resource.as_str(), full_at_ms, state])?;
        Ok(Some(transaction.last_insert_rowid()))
    }
}

/// Every bucket of `resource`, in no order.
pub(super) fn of_resource(
    connection: &Connection,
    resource: &Resource,
) -> Result<Vec<(EntityId, Record)>, Failure> {
    // Through the table from its start to its end: an index would lead there and back for every row.
    let mut select = connection
        .prepare_cached("SELECT entity_id, resource, state FROM bucket NOT INDEXED WHERE resource = ?1")?;
    let mut rows = select.query([resource.as_str()])?;
    let mut buckets = Vec::new();
    while let Some(row) = rows.next()? {
        let (entity_id, _, record) = read(row)?;
        buckets.push((entity_id, record));
    }
    Ok(buckets)
}

/// The usage that is still counted in the rows of the buckets themselves.
pub(super) fn usage(
    transaction: &Transaction<'_>,
    entity: Option<&EntityId>,
    resource: Option<&Resource>,
) -> Result<Vec<HourOfUsage>, Failure> {
    let of_entity = if entity.is_some() { "entity_id = ?1" } else { "?1 IS NULL" };
    let on_resource = if resource.is_some() { "resource = ?2" } else { "?2 IS NULL" };
    let sql = format!("SELECT entity_id, resource, state FROM bucket WHERE {of_entity} AND {on_resource}");
    let mut select = transaction.prepare_cached(&sql)?;
    let mut rows = select.query(params![entity.map(EntityId::as_str), resource.map(Resource::as_str)])?;
    let mut hours = Vec::new();
    while let Some(row) = rows.next()? {
        let (entity_id, resource, record) = read(row)?;
        hours.extend(record.usage(&entity_id, &resource));
    }
    Ok(hours)
}

/// A row of `entity_id, resource, state`.
fn read(row: &Row<'_>) -> Result<(EntityId, Resource, Record), Failure> {
    let (entity_id, resource): (String, String) = (row.get(0)?, row.get(1)?);
    let damaged = |error| damaged(&entity_id, &resource, error);
    let record = decode(row, 2).map_err(damaged)?;
    let names = (EntityId::new(&entity_id), Resource::new(&resource));
    match names {
        (Ok(entity_id), Ok(resource)) => Ok((entity_id, resource, record)),
        (Err(error), _) | (_, Err(error)) => Err(damaged(error.into())),
    }
}

pub(super) fn decode(row: &Row<'_>, column: usize) -> Result<Record, Box<dyn Error + Send + Sync>> {
    Ok(Record::from_text(row.get_ref(column)?.as_str()?)?)
}

fn damaged(entity_id: &str, resource: &str, error: Box<dyn Error + Send + Sync>) -> Failure {
    Failure::row(format!("the bucket of {entity_id:?} on {resource:?}"), error)
}
