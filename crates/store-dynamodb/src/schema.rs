//! The names of the table: keys, indexes and attributes.
//!
//! | record | PK | SK | index keys |
//! |---|---|---|---|
//! | entity | `{ns}ENTITY#{id}` | `#META` | GSI1 `{ns}PARENT#{parent}` / `CHILD#{id}` |
//! | bucket | `{ns}ENTITY#{id}` | `#BUCKET#{resource}` | GSI2 `{ns}RESOURCE#{resource}` / `BUCKET#{id}` |
//! | stored limits | `{ns}ENTITY#{id}`, `{ns}RESOURCE#{resource}`, `{ns}SYSTEM#` | `#LIMIT#{resource or _default_}` | |
//! | usage snapshot | `{ns}ENTITY#{id}` | `#USAGE#{resource}#{window}#{start}` | GSI2 `{ns}RESOURCE#{resource}` / `USAGE#{window}#{start}#{id}` |
//! | version | `{ns}SYSTEM#` | `#VERSION` | |
//!
//! A name that would not fit a sort key is cut there, and told apart by a digest; the partition keys have it whole.
//!
//! Attributes of a bucket: for each limit `{limit}.v` (when it will be full, see `FullAt`), `{limit}.tc` (net
//! consumption ever, in millitokens) and `{limit}.lm` (capacity/burst/refill amount/refill period in s); `ac` (acquires
//! ever), `ttl`, and `w.{writer}` (the last write of each process).
//!
//! Attributes of an entity: `id`, `name`, `parent_id`, `metadata` (a map of texts, as JSON), `created_at` (ms).
//!
//! Attributes of stored limits: `limits`, a list of limits in their text form, `rpm=100/min`.
//!
//! Attributes of a usage snapshot: `entity_id`, `resource`, `window`, `start` (ms), for each limit `{limit}.tc` (net
//! consumption, in millitokens), `ac` (acquires), `ttl`, and `seq` (the last stream record that is included, see
//! `StreamPosition`). All of it is flat, so that one update makes a snapshot or adds to it, as the case may be.
//!
//! Two records are about following the stream: `{ns}SYSTEM#` / `#FOLLOWER` says whose turn it is (`owner`, `until` in ms),
//! and `{ns}SYSTEM#` / `#SHARD#{stream}#{shard}` how far a shard is counted (`seq`, the number of its last record that
//! is; `done` if there are no more; `ttl`). A table has one stream, so their namespace is always empty.
//!
//! Attributes of the version: `schema_version`, `client_min_version`, and `lambda_version` and `template_version` if
//! there is a function and a stack.

use std::fmt;

use sha2::{Digest, Sha256};

use zae_limiter_core::{EntityId, LimitName, LimitScope, Resource, Timestamp, Window};

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
/// Acquires: of a bucket, ever; of a usage snapshot, in its window.
pub const ACQUIRES: &str = "ac";
/// What the name of a limit is followed by in the attribute of its net consumption.
pub const CONSUMED: &str = "tc";
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

/// What the sort key of a bucket in [`GSI2`] starts with.
pub const BUCKET_GSI2_SK: &str = "BUCKET#";
/// Id of an entity.
pub const ID: &str = "id";
/// Name of an entity.
pub const NAME: &str = "name";
/// Id of the parent of an entity.
pub const PARENT_ID: &str = "parent_id";
/// Metadata of an entity.
pub const METADATA: &str = "metadata";
/// When the record of an entity was made, in ms.
pub const CREATED_AT: &str = "created_at";
/// Stored limits.
pub const LIMITS: &str = "limits";
/// Entity of a usage snapshot.
pub const ENTITY_ID: &str = "entity_id";
/// Resource of a usage snapshot.
pub const RESOURCE: &str = "resource";
/// Kind of window of a usage snapshot.
pub const WINDOW: &str = "window";
/// Start of the window of a usage snapshot, in ms.
pub const START: &str = "start";
/// The last stream record that a usage snapshot includes, or that a follower is through with.
pub const SEQUENCE: &str = "seq";
/// Sort key of the record that says who follows the stream.
pub const FOLLOWER_SK: &str = "#FOLLOWER";
/// What the sort key of a shard's progress starts with.
pub const SHARD_SK: &str = "#SHARD#";
/// Who follows the stream.
pub const OWNER: &str = "owner";
/// Until when, in ms.
pub const UNTIL: &str = "until";
/// Whether all of a shard is counted.
pub const DONE: &str = "done";

/// The longest name, in bytes, that is part of a sort key as it is: DynamoDB takes 1,024 bytes in all.
const NAME_IN_SORT_KEY: usize = 900;
/// What is left of a longer one, before its digest.
const NAME_CUT: usize = 800;

/// A name as part of a sort key. No two names are the same there: `#` is in none of them.
fn fitted(name: &str) -> String {
    if name.len() <= NAME_IN_SORT_KEY {
        return name.to_owned();
    }
    let mut fitted = name[..name.floor_char_boundary(NAME_CUT)].to_owned();
    fitted.push('#');
    for byte in Sha256::digest(name) {
        // Writing to a string cannot fail.
        let _ = fmt::Write::write_fmt(&mut fitted, format_args!("{byte:02x}"));
    }
    fitted
}

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

    /// The namespace and the entity of a partition key; `None` if it is not one of an entity.
    pub fn of_entity(key: &str) -> Option<(Self, EntityId)> {
        // Neither part has a `#` in it.
        let (kind, id) = key.split_once('#')?;
        let namespace = kind.strip_suffix("ENTITY")?;
        let namespace = match namespace.strip_suffix('/') {
            Some(name) if !name.is_empty() => Self::new(name).ok()?,
            None if namespace.is_empty() => Self::default(),
            _ => return None,
        };
        Some((namespace, EntityId::new(id).ok()?))
    }

    /// Partition key of records of a resource, in the table and in [`GSI2`].
    pub fn resource(&self, resource: &Resource) -> String {
        format!("{self}RESOURCE#{resource}")
    }

    /// What the partition key of every resource starts with.
    pub fn resources(&self) -> String {
        format!("{self}RESOURCE#")
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
        let sk = |resource: &str| format!("{LIMIT_SK}{}", fitted(resource));
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
    format!("{BUCKET_SK}{}", fitted(resource.as_str()))
}

/// Sort key of a bucket in [`GSI2`].
pub fn bucket_gsi2_sk(id: &EntityId) -> String {
    format!("{BUCKET_GSI2_SK}{}", fitted(id.as_str()))
}

/// Sort key of a usage snapshot.
pub fn usage_sk(resource: &Resource, window: Window, start: Timestamp) -> String {
    format!("{}{start}", usage_sk_prefix(resource, window))
}

/// What the sort keys of all usage snapshots of a resource start with, in windows of one kind.
pub fn usage_sk_prefix(resource: &Resource, window: Window) -> String {
    format!("{USAGE_SK}{}#{window}#", fitted(resource.as_str()))
}

/// Sort key of a usage snapshot in [`GSI2`].
pub fn usage_gsi2_sk(window: Window, start: Timestamp, id: &EntityId) -> String {
    format!("{}{start}#{}", usage_gsi2_sk_prefix(window), fitted(id.as_str()))
}

/// What the sort keys in [`GSI2`] of all usage snapshots start with, in windows of one kind.
pub fn usage_gsi2_sk_prefix(window: Window) -> String {
    format!("USAGE#{window}#")
}

/// The attribute of the net consumption of a limit.
pub fn consumed(limit: &LimitName) -> String {
    format!("{limit}.{CONSUMED}")
}

/// The limit whose net consumption an attribute holds.
pub fn consumed_limit(attribute: &str) -> Option<LimitName> {
    let (limit, CONSUMED) = attribute.rsplit_once('.')? else { return None };
    LimitName::new(limit).ok()
}

/// Sort key of the progress of a shard.
pub fn shard_sk(stream: &str, shard: &str) -> String {
    format!("{SHARD_SK}{stream}#{shard}")
}

/// Sort key of a child in [`GSI1`].
pub fn child_sk(id: &EntityId) -> String {
    format!("CHILD#{}", fitted(id.as_str()))
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

    #[test]
    fn the_key_of_an_entity_tells_whose_it_is() {
        let id = EntityId::new("a/ENTITY b").unwrap();
        for name in ["", "prod", "ENTITY"] {
            let ns = Namespace::new(name).unwrap();
            assert_eq!(Namespace::of_entity(&ns.entity(&id)), Some((ns, id.clone())));
        }
        for bad in
            ["", "ENTITY", "ENTITY#", "/ENTITY#k", "prodENTITY#k", "a/b/ENTITY#k", "RESOURCE#k", "SYSTEM#"]
        {
            assert_eq!(Namespace::of_entity(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_longest_names_fit_and_keep_apart() {
        let long = |last: &str| "\u{1f980}".repeat(255) + last;
        let resource = |name: &str| Resource::new(name).unwrap();
        let (a, b) = (long("a"), long("b"));
        assert_ne!(bucket_sk(&resource(&a)), bucket_sk(&resource(&b)));
        assert_eq!(bucket_sk(&resource("gpt-4")), "#BUCKET#gpt-4");
        let id = EntityId::new(long("\u{1f980}")).unwrap();
        for key in [
            usage_gsi2_sk(Window::Monthly, Timestamp::MAX, &id),
            usage_sk(&resource(&a), Window::Monthly, Timestamp::MAX),
            child_sk(&id),
        ] {
            assert!(key.len() <= 1_024, "{}", key.len());
        }
    }
}
