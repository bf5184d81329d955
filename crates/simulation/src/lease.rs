//! What one caller does: takes, holds the lease for a while, and settles it.

use std::time::Duration;

use zae_limiter_core::Millitokens;

use crate::client::Client;
use crate::history::{End, Part};
use crate::scenario::correction;
use crate::world::World;

/// How the caller goes about it.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Gives up after so long, if ever.
    pub patience: Option<Duration>,
    /// Holds the lease for so long.
    pub holds: Duration,
    /// Then asks for more, or not.
    pub consumes: bool,
    /// And settles it like this.
    pub settles: Settles,
}

/// How a lease is settled.
#[derive(Clone, Copy, Debug)]
pub enum Settles {
    /// At what was taken: no write.
    AsTaken,
    /// At another cost.
    Adjusted,
    /// By a rollback.
    RolledBack,
}

impl Manner {
    /// A manner by chance; `impatient` of 1,000 callers give up early.
    pub fn of(world: &World, impatient: u32) -> Self {
        let gives_up = world.chance(impatient);
        let latency = Duration::from_millis(world.state().network.latency_ms);
        let patience = gives_up.then(|| world.up_to(3 * latency));
        let holds =
            if world.chance(300) { world.up_to(Duration::from_secs(30)) } else { world.up_to(latency * 4) };
        let mut state = world.state();
        let settles = match state.rng.u32(..10) {
            0..4 => Settles::AsTaken,
            4..8 => Settles::Adjusted,
            _ => Settles::RolledBack,
        };
        Self { patience, holds, consumes: state.rng.u32(..10) == 0, settles }
    }
}

/// The life of one lease.
pub async fn lease(world: World, client: Client, mut parts: Vec<Part>, manner: Manner) {
    if client.take(&parts, 1, manner.patience).await != End::Done {
        return;
    }
    tokio::time::sleep(manner.holds).await;
    if manner.consumes {
        let more: Vec<_> = parts.iter().map(|part| with_amounts(part, |_, taken| taken / 2)).collect();
        if client.take(&more, 0, manner.patience).await == End::Done {
            for (part, more) in parts.iter_mut().zip(more) {
                part.amounts.iter_mut().zip(more.amounts).for_each(|(taken, more)| *taken += more);
            }
        }
    }
    match manner.settles {
        Settles::AsTaken => {}
        Settles::Adjusted => {
            // By limit, the same on every level.
            let mut corrections = std::collections::BTreeMap::new();
            let corrections: Vec<_> = {
                let mut state = world.state();
                let corrected = |part: &Part| {
                    with_amounts(part, |limit, taken| {
                        *corrections
                            .entry(limit.name().clone())
                            .or_insert_with(|| correction(&mut state.rng, limit, taken))
                    })
                };
                parts.iter().map(corrected).collect()
            };
            client.apply(&corrections, 0, manner.patience).await;
        }
        Settles::RolledBack => {
            let returned: Vec<_> = parts.iter().map(|part| with_amounts(part, |_, taken| -taken)).collect();
            client.apply(&returned, -1, manner.patience).await;
        }
    }
}

/// The same part with other amounts, in millitokens.
fn with_amounts(part: &Part, mut amount: impl FnMut(&zae_limiter_core::Limit, i64) -> i64) -> Part {
    let amounts = part
        .limits
        .iter()
        .zip(&part.amounts)
        .map(|(limit, taken)| Millitokens::new(amount(limit, taken.get())));
    Part { amounts: amounts.collect(), ..part.clone() }
}
