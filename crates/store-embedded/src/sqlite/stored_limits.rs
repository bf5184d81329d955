//! Limits stored at four levels.

use rusqlite::{Connection, OptionalExtension, Row, params};
use zae_limiter_core::{EntityConfig, EntityId, LimitScope, LimitSet, Resource};

use super::failure::Failure;

/// Stands for any entity, or any resource: neither is ever empty.
const ANY: &str = "";

/// The entity and the resource that a row of `scope` is found by.
fn key(scope: &LimitScope) -> [&str; 2] {
    match scope {
        LimitScope::EntityResource(entity, resource) => [entity.as_str(), resource.as_str()],
        LimitScope::Entity(entity) => [entity.as_str(), ANY],
        LimitScope::Resource(resource) => [ANY, resource.as_str()],
        LimitScope::System => [ANY, ANY],
    }
}

pub(super) fn put(connection: &Connection, scope: &LimitScope, limits: &LimitSet) -> Result<(), Failure> {
    let limits = serde_json::to_string(limits)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let [entity, resource] = key(scope);
    connection
        .prepare_cached("INSERT OR REPLACE INTO stored_limits VALUES (?1, ?2, ?3)")?
        .execute(params![entity, resource, limits])?;
    Ok(())
}

pub(super) fn get(connection: &Connection, scope: &LimitScope) -> Result<Option<LimitSet>, Failure> {
    let mut select = connection
        .prepare_cached("SELECT limits FROM stored_limits WHERE entity_id = ?1 AND resource = ?2")?;
    select.query_row(key(scope), |row| Ok(read(row, 0, scope))).optional()?.unwrap_or(Ok(None))
}

pub(super) fn delete(connection: &Connection, scope: &LimitScope) -> Result<(), Failure> {
    connection
        .prepare_cached("DELETE FROM stored_limits WHERE entity_id = ?1 AND resource = ?2")?
        .execute(key(scope))?;
    Ok(())
}

/// All that is stored about an entity on a resource, at one instant.
pub(super) fn config(
    connection: &Connection,
    entity: &EntityId,
    resource: &Resource,
) -> Result<EntityConfig, Failure> {
    let mut select = connection.prepare_cached(
        "SELECT (SELECT parent_id FROM entity WHERE id = ?1),
                (SELECT limits FROM stored_limits WHERE entity_id = ?1 AND resource = ?2),
                (SELECT limits FROM stored_limits WHERE entity_id = ?1 AND resource = ''),
                (SELECT limits FROM stored_limits WHERE entity_id = '' AND resource = ?2),
                (SELECT limits FROM stored_limits WHERE entity_id = '' AND resource = '')",
    )?;
    select.query_row([entity.as_str(), resource.as_str()], |row| {
        Ok((|| {
            let parent = row.get_ref(0)?.as_str_or_null().map_err(rusqlite::Error::from)?.map(EntityId::new);
            let mut config = EntityConfig::default();
            config.parent_id = parent
                .transpose()
                .map_err(|error| Failure::row(format!("the parent of entity {entity}"), error))?;
            config.entity_resource =
                read(row, 1, &LimitScope::EntityResource(entity.clone(), resource.clone()))?;
            config.entity = read(row, 2, &LimitScope::Entity(entity.clone()))?;
            config.resource = read(row, 3, &LimitScope::Resource(resource.clone()))?;
            config.system = read(row, 4, &LimitScope::System)?;
            Ok(config)
        })())
    })?
}

fn read(row: &Row<'_>, column: usize, scope: &LimitScope) -> Result<Option<LimitSet>, Failure> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|error| Failure::row(format!("the limits of {scope}"), error))
}
