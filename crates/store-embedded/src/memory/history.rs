//! Usage of hours that are over.

use std::collections::BTreeMap;

use zae_limiter_core::usage::HourOfUsage;
use zae_limiter_core::{EntityId, Resource};

#[derive(Debug, Default)]
pub(super) struct History(BTreeMap<(EntityId, Resource), Vec<HourOfUsage>>);

impl History {
    /// Adds usage: to the same hour if that is there already.
    pub(super) fn add(&mut self, usage: HourOfUsage) {
        let hours = self.0.entry((usage.entity_id.clone(), usage.resource.clone())).or_default();
        match hours.iter_mut().find(|known| known.hour == usage.hour) {
            Some(known) => {
                known.acquires += usage.acquires;
                for (name, amount) in usage.counters {
                    *known.counters.entry(name).or_default() += amount;
                }
            }
            None => hours.push(usage),
        }
    }

    /// Forgets the hours before `oldest`.
    pub(super) fn forget_before(&mut self, oldest: u32) {
        self.0.retain(|_, hours| {
            hours.retain(|usage| usage.hour >= oldest);
            !hours.is_empty()
        });
    }

    pub(super) fn forget(&mut self, entity: &EntityId) {
        self.0.retain(|(id, _), _| id != entity);
    }

    /// The usage of one entity, or of all.
    pub(super) fn of(&self, entity: Option<&EntityId>) -> impl Iterator<Item = HourOfUsage> {
        let wanted = move |id: &EntityId| entity.is_none_or(|entity| entity == id);
        self.0.iter().filter(move |((id, _), _)| wanted(id)).flat_map(|(_, hours)| hours.clone())
    }
}
