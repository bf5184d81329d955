//! What is added to a usage snapshot.

use std::collections::BTreeMap;
use std::fmt;

use zae_limiter_core::{EntityId, LimitName, Resource, Timestamp, Window};

use crate::position::StreamPosition;
use crate::schema::Namespace;

/// Which snapshot. It is fed by one bucket, and so by one item of the table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SnapshotKey {
    /// Of which limiter in the table.
    pub namespace: Namespace,
    /// Who consumed.
    pub entity_id: EntityId,
    /// What was consumed.
    pub resource: Resource,
    /// The kind of window.
    pub window: Window,
    /// When it starts.
    pub start: Timestamp,
}

impl fmt::Display for SnapshotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the {} usage of {}{} on {} from {}",
            self.window, self.namespace, self.entity_id, self.resource, self.start
        )
    }
}

/// The sum of some records that follow one another, to be added to a snapshot that includes none of them yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotUpdate {
    /// Which snapshot.
    pub key: SnapshotKey,
    /// Where the first of the records is. A snapshot that includes this one, or a later one, is left as it is.
    pub first: StreamPosition,
    /// Where the last is: what the snapshot includes afterwards.
    pub last: StreamPosition,
    /// Net consumption by limit, in millitokens.
    pub consumed: BTreeMap<LimitName, i128>,
    /// Acquires, net of those rolled back.
    pub acquires: i128,
    /// When the snapshot may be deleted, in s since 1970-01-01 00:00 UTC.
    pub expires_s: u64,
}

/// What became of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Added {
    /// The snapshot includes the records now.
    Done,
    /// The snapshot is as it was, and includes all records up to this one already.
    Includes(StreamPosition),
}
