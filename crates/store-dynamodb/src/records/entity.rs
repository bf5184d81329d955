//! Records of entities.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use zae_limiter_core::{Entity, EntityId, StoreError, StoreErrorKind, Timestamp};

use crate::aws::{Attributes, Connection, Key, Malformed, Pages, integer, text};
use crate::schema::{self, CREATED_AT, ID, METADATA, NAME, PARENT_ID};
use crate::stats::Access;

impl Connection {
    pub(crate) fn entity_key(&self, id: &EntityId) -> Key {
        (self.ns.entity(id), schema::META_SK.to_owned())
    }

    pub(crate) async fn create_entity(&self, entity: Entity) -> Result<(), StoreError> {
        let mut item = attributes(&entity);
        let (pk, sk) = self.entity_key(&entity.id);
        let mut text = |name: &str, value: String| item.insert(name.to_owned(), AttributeValue::S(value));
        text(schema::PK, pk);
        text(schema::SK, sk);
        if let Some(parent) = &entity.parent_id {
            text(schema::GSI1_PK, self.ns.parent(parent));
            text(schema::GSI1_SK, schema::child_sk(&entity.id));
        }
        // Sent once: a second try could not tell its own record from another's.
        let send = self
            .clients
            .once
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(#p)")
            .expression_attribute_names("#p", schema::PK)
            .set_return_consumed_capacity(self.wanted_capacity());
        if let Ok(output) = self.call(send.send()).await? {
            self.count(Access::Write, output.consumed_capacity());
            Ok(())
        } else {
            let message = format!("entity {} exists already", entity.id);
            Err(StoreError::new(StoreErrorKind::AlreadyExists, message))
        }
    }

    pub(crate) async fn entity(&self, id: &EntityId) -> Result<Option<Entity>, StoreError> {
        let item = self.get_item(&self.entity_key(id)).await?;
        item.map(|item| read(&item)).transpose()
    }

    pub(crate) async fn entities(&self) -> Result<Vec<Entity>, StoreError> {
        sorted(&self.scan(self.ns.entities(), schema::META_SK).await?)
    }

    pub(crate) async fn children(&self, parent: &EntityId) -> Result<Vec<Entity>, StoreError> {
        let pages = Pages::of_index(schema::GSI1, self.ns.parent(parent), String::new());
        sorted(&self.list(pages).await?)
    }
}

fn sorted(items: &[Attributes]) -> Result<Vec<Entity>, StoreError> {
    let mut entities = items.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    entities.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(entities)
}

/// What a record says about an entity, without its keys.
fn attributes(entity: &Entity) -> Attributes {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    // As a text: the keys of a map in DynamoDB must not be empty. A map of texts can always be written.
    let metadata = serde_json::to_string(&entity.metadata).unwrap_or_default();
    let mut item = Attributes::from([
        (ID.to_owned(), text(entity.id.as_str())),
        (NAME.to_owned(), text(&entity.name)),
        (METADATA.to_owned(), AttributeValue::S(metadata)),
        (CREATED_AT.to_owned(), AttributeValue::N(entity.created_at.as_millis().to_string())),
    ]);
    if let Some(parent) = &entity.parent_id {
        item.insert(PARENT_ID.to_owned(), text(parent.as_str()));
    }
    item
}

fn read(item: &Attributes) -> Result<Entity, StoreError> {
    read_parts(item).map_err(|malformed| {
        let id = item.get(schema::PK).and_then(|pk| pk.as_s().ok()).map_or("without a key", String::as_str);
        malformed.of(format!("the record {id}"))
    })
}

/// The parent that a record names.
pub(super) fn parent_of(item: &Attributes) -> Result<Option<EntityId>, Malformed> {
    let parent = text(item, PARENT_ID)?.map(EntityId::new).transpose();
    parent.map_err(|_| Malformed::new(PARENT_ID, "is not an entity id"))
}

fn read_parts(item: &Attributes) -> Result<Entity, Malformed> {
    let id = text(item, ID)?.and_then(|id| EntityId::new(id).ok());
    let id = id.ok_or_else(|| Malformed::new(ID, "is not an entity id"))?;
    let created = item.get(CREATED_AT).map_or(Ok(0), |value| integer(CREATED_AT, value))?;
    let created = u64::try_from(created).map_err(|_| Malformed::new(CREATED_AT, "is not an instant"))?;
    let metadata: Option<BTreeMap<String, String>> = match text(item, METADATA)? {
        Some(json) => serde_json::from_str(json).ok(),
        None => Some(BTreeMap::new()),
    };
    let metadata = metadata.ok_or_else(|| Malformed::new(METADATA, "is not a map of texts"))?;
    let mut entity = Entity::new(id, Timestamp::from_millis(created)).with_metadata(metadata);
    if let Some(name) = text(item, NAME)? {
        entity = entity.with_name(name);
    }
    if let Some(parent) = parent_of(item)? {
        entity = entity.with_parent(parent);
    }
    Ok(entity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_reads_back_as_written() {
        let id = |id| EntityId::new(id).unwrap();
        let plain = Entity::new(id("a"), Timestamp::from_millis(5));
        let full = plain
            .clone()
            .with_name("A")
            .with_parent(id("p"))
            .with_metadata([("k".into(), "v".into())].into());
        for entity in [plain, full] {
            assert_eq!(read(&attributes(&entity)).unwrap(), entity);
        }
    }

    #[test]
    fn a_damaged_record_is_told() {
        let item = attributes(&Entity::new(EntityId::new("a").unwrap(), Timestamp::EPOCH));
        for name in [ID, NAME, METADATA, CREATED_AT, PARENT_ID] {
            let mut damaged = item.clone();
            damaged.insert(name.to_owned(), AttributeValue::Bool(true));
            let error = read(&damaged).unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Corrupt);
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
