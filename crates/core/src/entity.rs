//! Who consumes, and below whom.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{EntityId, Timestamp};

/// The most ancestors that an entity may have.
pub const MAX_ANCESTORS: usize = 8;

/// A record of an entity. Limits also apply to ids that have no record; a record adds a name, metadata and,
/// above all, a parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Entity {
    /// Its id.
    pub id: EntityId,
    /// A name for people; the id if none was given.
    pub name: String,
    /// The entity above it, from which a cascading acquire also takes.
    pub parent_id: Option<EntityId>,
    /// Whatever else is to be remembered.
    pub metadata: BTreeMap<String, String>,
    /// When the record was made.
    pub created_at: Timestamp,
}

impl Entity {
    /// An entity without a parent, named like its id.
    pub fn new(id: EntityId, created_at: Timestamp) -> Self {
        Self { name: id.to_string(), id, parent_id: None, metadata: BTreeMap::new(), created_at }
    }

    /// Gives it a name for people.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Puts it below `parent`.
    #[must_use]
    pub fn with_parent(mut self, parent: EntityId) -> Self {
        self.parent_id = Some(parent);
        self
    }

    /// Attaches metadata.
    #[must_use]
    pub fn with_metadata(mut self, metadata: BTreeMap<String, String>) -> Self {
        self.metadata = metadata;
        self
    }

    /// Whether it has no parent.
    pub const fn is_parent(&self) -> bool {
        self.parent_id.is_none()
    }

    /// Whether it has a parent.
    pub const fn is_child(&self) -> bool {
        self.parent_id.is_some()
    }
}

/// What is wrong with the place of an entity among the others.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntityError {
    /// Following the parents leads back to an entity that was passed already.
    #[error("entity {0} is its own ancestor: correct the parent of one entity on that path")]
    Cycle(EntityId),
    /// There are more than [`MAX_ANCESTORS`] ancestors.
    #[error("entity {0} has more than {MAX_ANCESTORS} ancestors")]
    TooDeep(EntityId),
}
