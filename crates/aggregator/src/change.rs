//! What a record says about usage.

use std::collections::BTreeMap;

use zae_limiter_core::{EntityId, LimitName, Resource, Timestamp};
use zae_limiter_store_dynamodb::position::StreamPosition;
use zae_limiter_store_dynamodb::schema::{self, ACQUIRES, BUCKET_SK, GSI2_PK, Namespace, PK, SK};
use zae_limiter_store_dynamodb::whole_number;

use crate::record::{Attribute, Attributes, Event, Record, Unreadable};

/// What one write to a bucket consumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Of which limiter in the table.
    pub namespace: Namespace,
    /// Who consumed.
    pub entity_id: EntityId,
    /// What was consumed.
    pub resource: Resource,
    /// When.
    pub at: Timestamp,
    /// Where in the stream.
    pub position: StreamPosition,
    /// Net consumption by limit, in millitokens. Without those that did not change.
    pub consumed: BTreeMap<LimitName, i128>,
    /// Acquires, net of those rolled back.
    pub acquires: i128,
}

/// Reads a record. `None` if it is not about the usage of a bucket, which is most often so: the stream has what happens to
/// all records of the table, this crate's own writes among them.
pub fn read<A: Attributes>(record: &Record<A>) -> Result<Option<Change>, Unreadable> {
    read_parts(record).map_err(|reason| Unreadable::new(Some(record.id.clone()), reason))
}

fn read_parts<A: Attributes>(record: &Record<A>) -> Result<Option<Change>, String> {
    let sk = text(&record.keys, SK)?;
    let Some(resource) = sk.strip_prefix(BUCKET_SK) else { return Ok(None) };
    // A bucket that is made anew counts from nothing, and one that is gone has counted what it has.
    let (old, new) = match &record.event {
        Event::Insert(new) => (None, new),
        Event::Modify(old, new) => (Some(old), new),
        Event::Remove => return Ok(None),
    };
    let (old, new_counts) = (old.map(Counts::read).transpose()?.unwrap_or_default(), Counts::read(new)?);
    let (consumed, acquires) = new_counts.since(&old)?;
    if consumed.is_empty() && acquires == 0 {
        return Ok(None);
    }
    let pk = text(&record.keys, PK)?;
    let (namespace, entity_id) =
        Namespace::of_entity(pk).ok_or_else(|| format!("{PK} {pk:?} is not the key of an entity"))?;
    // A long name is cut short in the sort key, and told apart by what follows a `#`. The index has it whole.
    let resource = if let Ok(resource) = Resource::new(resource) {
        resource
    } else {
        let key = text(new, GSI2_PK)?;
        let name = key.strip_prefix(&namespace.resources()).and_then(|name| Resource::new(name).ok());
        let name = name.filter(|name| schema::bucket_sk(name) == sk);
        name.ok_or_else(|| format!("{GSI2_PK} {key:?} is not the key of the resource of {sk:?}"))?
    };
    let position = StreamPosition { stream: record.stream.clone(), sequence: record.sequence };
    Ok(Some(Change { namespace, entity_id, resource, at: record.at, position, consumed, acquires }))
}

/// What a bucket had counted.
#[derive(Debug, Default)]
struct Counts {
    consumed: BTreeMap<LimitName, i128>,
    acquires: i128,
}

impl Counts {
    fn read(image: &impl Attributes) -> Result<Self, String> {
        let mut counts = Self::default();
        for (name, value) in image.each() {
            if name == ACQUIRES {
                counts.acquires = number(name, value)?;
            } else if let Some(limit) = schema::consumed_limit(name) {
                counts.consumed.insert(limit, number(name, value)?);
            }
        }
        Ok(counts)
    }

    /// What was counted since `old`. A limit that is gone consumed nothing.
    fn since(&self, old: &Self) -> Result<(BTreeMap<LimitName, i128>, i128), String> {
        let difference = |name: &str, new: i128, old: i128| {
            new.checked_sub(old)
                .ok_or_else(|| format!("attribute {name:?} changed by too much to be counted"))
        };
        let mut consumed = BTreeMap::new();
        for (limit, new) in &self.consumed {
            let old = old.consumed.get(limit).copied().unwrap_or_default();
            match difference(limit.as_str(), *new, old)? {
                0 => {}
                changed => {
                    consumed.insert(limit.clone(), changed);
                }
            }
        }
        Ok((consumed, difference(ACQUIRES, self.acquires, old.acquires)?))
    }
}

fn text<'a>(image: &'a impl Attributes, name: &str) -> Result<&'a str, String> {
    match image.get(name) {
        Some(Attribute::Text(text)) => Ok(text),
        Some(_) => Err(format!("attribute {name:?} is not a text")),
        None => Err(format!("attribute {name:?} is missing")),
    }
}

fn number(name: &str, value: Attribute<'_>) -> Result<i128, String> {
    let number = match value {
        Attribute::Number(text) => whole_number(text),
        _ => None,
    };
    number.ok_or_else(|| format!("attribute {name:?} is not a whole number"))
}
