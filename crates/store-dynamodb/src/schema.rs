//! The names of the table: keys, indexes and attributes.
//!
//! | record | PK | SK | index keys |
//! |---|---|---|---|
//! | entity | `{ns}ENTITY#{id}` | `#META` | GSI1 `{ns}PARENT#{parent}` / `CHILD#{id}` |
//! | bucket | `{ns}ENTITY#{id}` | `#BUCKET#{resource}` | GSI2 `{ns}RESOURCE#{resource}` / `BUCKET#{id}` |
//! | stored limits | `{ns}ENTITY#{id}`, `{ns}RESOURCE#{resource}`, `{ns}SYSTEM#` | `#LIMIT#{resource or _default_}` | |
//! | usage snapshot | `{ns}ENTITY#{id}` | `#USAGE#{resource}#{window}#{start}` | GSI2 `{ns}RESOURCE#{resource}` / `USAGE#{window}#{start}#{id}` |
//! | version | `{ns}SYSTEM#` | `#VERSION` | |

use std::fmt;

use zae_limiter_core::{EntityId, LimitScope, Resource, Timestamp, Window};

/// Partition key of the table.
pub const PK: &str = "PK";
/// Sort key of the table.
pub const SK: &str = "SK";
/// The index of children by parent. Projects everything: only entity records carry its keys.
pub const GSI1: &str = "GSI1";
/// Partition key of [`GSI1`].
pub const GSI1_PK: &str = "GSI1PK";
/// Sort key of [`GSI1`].
pub const GSI1_SK: &str = "GSI1SK";
/// The index of buckets and usage by resource. Projects keys only, so that a bucket write never touches it.
pub const GSI2: &str = "GSI2";
/// Partition key of [`GSI2`].
pub const GSI2_PK: &str = "GSI2PK";
/// Sort key of [`GSI2`].
pub const GSI2_SK: &str = "GSI2SK";
/// When a record may be deleted: whole seconds since 1970-01-01 00:00 UTC.
pub const TTL: &str = "ttl";
/// Acquires of a bucket, ever.
pub const ACQUIRES: &str = "ac";
/// Sort key of an entity record.
pub const META_SK: &str = "#META";
/// Sort key of the version record.
pub const VERSION_SK: &str = "#VERSION";
/// What the sort key of a bucket starts with.
pub const BUCKET_SK: &str = "#BUCKET#";
/// What the sort key of stored limits starts with.
pub const LIMIT_SK: &str = "#LIMIT#";
/// What the sort key of a usage snapshot starts with.
pub const USAGE_SK: &str = "#USAGE#";

/// Keeps several independent limiters apart in one table. Empty, or followed by a slash in every key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Namespace(String);

/// A namespace that cannot be part of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("namespace {0:?} must have at most 64 of the characters A-Z a-z 0-9 . _ -")]
pub struct NamespaceError(String);

impl Namespace {
    /// The namespace called `name`; empty for none.
    pub fn new(name: &str) -> Result<Self, NamespaceError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        match name {
            "" => Ok(Self::default()),
            _ if name.len() <= 64 && name.bytes().all(plain) => Ok(Self(format!("{name}/"))),
            _ => Err(NamespaceError(name.to_owned())),
        }
    }

    /// Partition key of all records of an entity.
    pub fn entity(&self, id: &EntityId) -> String {
        format!("{self}ENTITY#{id}")
    }

    /// What the partition key of every entity starts with.
    pub fn entities(&self) -> String {
        format!("{self}ENTITY#")
    }

    /// Partition key of records of a resource, in the table and in [`GSI2`].
    pub fn resource(&self, resource: &Resource) -> String {
        format!("{self}RESOURCE#{resource}")
    }

    /// Partition key of records of the system.
    pub fn system(&self) -> String {
        format!("{self}SYSTEM#")
    }

    /// Partition key of the children of `parent` in [`GSI1`].
    pub fn parent(&self, parent: &EntityId) -> String {
        format!("{self}PARENT#{parent}")
    }

    /// Partition and sort key of stored limits.
    pub fn limits(&self, scope: &LimitScope) -> (String, String) {
        let sk = |resource: &str| format!("{LIMIT_SK}{resource}");
        match scope {
            LimitScope::EntityResource(id, resource) => (self.entity(id), sk(resource.as_str())),
            LimitScope::Entity(id) => (self.entity(id), sk(Resource::DEFAULT)),
            LimitScope::Resource(resource) => (self.resource(resource), sk(resource.as_str())),
            LimitScope::System => (self.system(), sk(Resource::DEFAULT)),
        }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Sort key of a bucket.
pub fn bucket_sk(resource: &Resource) -> String {
    format!("{BUCKET_SK}{resource}")
}

/// Sort key of a bucket in [`GSI2`].
pub fn bucket_gsi2_sk(id: &EntityId) -> String {
    format!("BUCKET#{id}")
}

/// Sort key of a usage snapshot.
pub fn usage_sk(resource: &Resource, window: Window, start: Timestamp) -> String {
    format!("{USAGE_SK}{resource}#{window}#{start}")
}

/// Sort key of a usage snapshot in [`GSI2`].
pub fn usage_gsi2_sk(window: Window, start: Timestamp, id: &EntityId) -> String {
    format!("USAGE#{window}#{start}#{id}")
}

/// Sort key of a child in [`GSI1`].
pub fn child_sk(id: &EntityId) -> String {
    format!("CHILD#{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_a_prefix_of_every_key() {
        let id = EntityId::new("k").unwrap();
        assert_eq!(Namespace::default().entity(&id), "ENTITY#k");
        let ns = Namespace::new("prod").unwrap();
        assert_eq!(ns.entity(&id), "prod/ENTITY#k");
        assert_eq!(ns.limits(&LimitScope::System), ("prod/SYSTEM#".into(), "#LIMIT#_default_".into()));
        for bad in ["a/b", "a#b", "ä", &"x".repeat(65)] {
            assert!(Namespace::new(bad).is_err(), "{bad}");
        }
    }
}
