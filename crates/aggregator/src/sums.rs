//! Changes of a batch, by the snapshots that they belong to.

use std::collections::HashMap;

use zae_limiter_store_dynamodb::position::StreamPosition;
use zae_limiter_store_dynamodb::snapshot::{SnapshotKey, SnapshotUpdate};

use crate::change::Change;
use crate::windows::Windows;

/// What a batch adds to one snapshot.
///
/// A snapshot is fed by one item of the table, whose records come one after the other, however shards split. So the
/// position of the last one that is included says about each record whether it is included too.
#[derive(Clone, Debug)]
pub struct Addition<'a> {
    key: SnapshotKey,
    expires_s: u64,
    /// By position, none twice, and at least one.
    changes: Vec<&'a Change>,
}

impl<'a> Addition<'a> {
    /// Which snapshot.
    pub const fn key(&self) -> &SnapshotKey {
        &self.key
    }

    /// Where the first of the records is.
    pub fn first(&self) -> &'a StreamPosition {
        &self.changes[0].position
    }

    /// The one update that adds all of it.
    pub fn update(&self) -> SnapshotUpdate {
        let mut update = SnapshotUpdate {
            key: self.key.clone(),
            first: self.first().clone(),
            last: self.changes[self.changes.len() - 1].position.clone(),
            consumed: [].into(),
            acquires: 0,
            expires_s: self.expires_s,
        };
        for change in &self.changes {
            for (limit, amount) in &change.consumed {
                let sum = update.consumed.entry(limit.clone()).or_default();
                *sum = sum.saturating_add(*amount);
            }
            update.acquires = update.acquires.saturating_add(change.acquires);
        }
        update
    }

    /// What is left of it for a snapshot that includes the records up to `position`.
    #[must_use]
    pub fn beyond(mut self, position: &StreamPosition) -> Option<Self> {
        self.changes.retain(|change| change.position > *position);
        (!self.changes.is_empty()).then_some(self)
    }
}

/// Sorts changes by the snapshots that they belong to, in the order in which these first occur. A record that a batch has
/// twice counts once.
pub fn by_snapshot<'a>(windows: &Windows, changes: &'a [Change]) -> Vec<Addition<'a>> {
    let mut places: HashMap<SnapshotKey, usize> = HashMap::new();
    let mut additions: Vec<Addition<'a>> = Vec::new();
    for change in changes {
        for (window, start) in windows.around(change.at) {
            let key = SnapshotKey {
                namespace: change.namespace.clone(),
                entity_id: change.entity_id.clone(),
                resource: change.resource.clone(),
                window,
                start,
            };
            let place = *places.entry(key).or_insert_with_key(|key| {
                let expires_s = windows.expires_s(window, start);
                additions.push(Addition { key: key.clone(), expires_s, changes: Vec::new() });
                additions.len() - 1
            });
            additions[place].changes.push(change);
        }
    }
    for addition in &mut additions {
        // Usually in order already.
        addition.changes.sort_by(|a, b| a.position.cmp(&b.position));
        addition.changes.dedup_by(|a, b| a.position == b.position);
    }
    additions
}
