//! What a seed stands for: who limits what, how much goes on, and how much goes wrong.

use std::time::Duration;

use fastrand::Rng;
use zae_limiter_core::{EntityId, Limit, LimitSet, Millitokens, Resource};
use zae_limiter_store_dynamodb::combine::CombineOptions;
use zae_limiter_store_dynamodb::table::BucketKey;

use crate::history::Part;
use crate::network::Network;

/// Refill periods in s. The model can do those that divide a minute.
const PERIODS: [u64; 10] = [1, 2, 3, 4, 5, 6, 10, 15, 20, 60];

/// Everything about a run but the course of it.
#[derive(Debug)]
pub struct Scenario {
    /// Processes at a time.
    pub clients: usize,
    /// How far clocks may be off, in ms.
    pub skew_ms: u64,
    /// How far the clock of the table's expiry may be ahead, in ms.
    pub expiry_ahead_ms: u64,
    /// How requests fare.
    pub network: Network,
    /// How hard clients try.
    pub options: CombineOptions,
    /// Whether a cascade is one transaction.
    pub takes_together: bool,
    /// Callers that give up early, of 1,000.
    pub impatient: u32,
    /// Who is behind the times while the limits change.
    pub stale: Stale,
    /// Who is limited; parents before their children.
    pub entities: Vec<Entity>,
    /// What goes on, one after the other.
    pub phases: Vec<Phase>,
}

/// Who goes by limits that have changed meanwhile.
#[derive(Clone, Copy, Debug)]
pub enum Stale {
    /// Nobody: all know of a change at once.
    Nobody,
    /// Every other call of everyone.
    Calls,
    /// Some clients, all the time.
    Clients,
}

/// Who is limited.
#[derive(Debug)]
pub struct Entity {
    key: BucketKey,
    parent: Option<usize>,
    /// Its limits as they change over time.
    versions: Vec<LimitSet>,
}

/// Some time with calls.
#[derive(Debug)]
pub struct Phase {
    /// Nothing happens before it for so long.
    pub idle: Duration,
    /// Calls that begin during it.
    pub calls: usize,
    /// The time over which they begin.
    pub spread: Duration,
    /// Clients that crash meanwhile.
    pub crashes: usize,
    /// Whether the network is down for a while.
    pub outage: bool,
    /// Versions of the limits that are in use.
    pub versions: usize,
}

impl Scenario {
    /// What comes of `rng`.
    pub fn of(rng: &mut Rng) -> Self {
        let trouble = rng.u32(..100);
        let skew_ms = if rng.u32(..10) < 4 { 0 } else { rng.u64(1..=2_000) };
        let entities = entities(rng);
        let changing = rng.u32(..10) < 4;
        let options = CombineOptions {
            attempts: if rng.u32(..4) == 0 { rng.u32(2..6) } else { 12 },
            timeout: Duration::from_millis(if rng.u32(..4) == 0 { 800 } else { 5_000 }),
            denial_ttl: Duration::from_millis([0, 20, 1_000][rng.usize(..3)]),
            buckets: 1_000,
        };
        let phases = (0..rng.usize(1..5)).map(|i| phase(rng, i, trouble, changing)).collect();
        Self {
            clients: [1, 1, 2, 2, 3, 3, 5, 12][rng.usize(..8)],
            skew_ms,
            expiry_ahead_ms: rng.u64(..5_000),
            network: network(rng, trouble),
            options,
            takes_together: rng.u32(..4) == 0,
            impatient: [0, 50, 300][rng.usize(..3)],
            stale: [Stale::Nobody, Stale::Calls, Stale::Clients][rng.usize(..3)],
            entities,
            phases,
        }
    }

    /// For how long a denial may go by what was known, and what is under way, in ms; where one client is alone and
    /// nothing is uncertain.
    pub fn denials_hold_ms(&self) -> Option<u64> {
        let Network { latency_ms, timeout_ms, .. } = self.network;
        let is_lossless = self.network == Network { latency_ms, timeout_ms, ..Network::default() };
        let is_constant = self.phases.iter().all(|phase| phase.versions == 1);
        let is_safe = self.phases.iter().all(|phase| phase.crashes == 0 && !phase.outage);
        let known_for = u64::try_from(self.options.denial_ttl.as_millis()).unwrap_or(u64::MAX);
        let is_certain = is_lossless && is_constant && is_safe && self.skew_ms == 0;
        // Transactions do not wait for the other writes of their process.
        let is_alone = self.clients == 1 && !self.takes_together;
        (is_certain && is_alone).then_some(known_for + 2 * latency_ms)
    }

    /// A skew within the bounds.
    pub fn skew(&self, rng: &mut Rng) -> i64 {
        let most = self.skew_ms.cast_signed();
        rng.i64(-most..=most)
    }

    /// One call: the bucket of an entity, and perhaps those of its ancestors. `versions` of the limits are in use; a
    /// client that lags behind may not know of the last.
    pub fn call(&self, rng: &mut Rng, versions: usize, lags: bool) -> Vec<Part> {
        let mut next = Some(rng.usize(..self.entities.len()));
        let mut parts = Vec::new();
        let cascade = rng.u32(..10) < 7;
        while let Some(entity) = next.map(|i| &self.entities[i]) {
            let current = versions.min(entity.versions.len()) - 1;
            let version = match self.stale {
                Stale::Calls => rng.usize(..=current),
                Stale::Clients if lags => current.saturating_sub(1),
                Stale::Nobody | Stale::Clients => current,
            };
            let limits = entity.versions[version].clone();
            let amounts = limits.iter().map(|limit| Millitokens::new(amount(rng, limit))).collect();
            parts.push(Part { key: entity.key.clone(), limits, amounts });
            next = entity.parent.filter(|_| cascade);
        }
        parts
    }
}

/// What a caller takes of one limit, in millitokens.
fn amount(rng: &mut Rng, limit: &Limit) -> i64 {
    let burst = i64::try_from(limit.burst()).unwrap_or(i64::MAX) * 1_000;
    match rng.u32(..100) {
        0..12 => 0,
        12..60 => 1_000 * rng.i64(1..=1 + burst / 8_000),
        60..80 => rng.i64(1..=burst / 4),
        80..97 => rng.i64(1..=burst),
        _ => rng.i64(burst..=2 * burst),
    }
}

/// What a caller corrects one limit by: a charge, a return, or nothing.
pub fn correction(rng: &mut Rng, limit: &Limit, taken: i64) -> i64 {
    match rng.u32(..10) {
        0..3 => 0,
        3..6 => -rng.i64(0..=taken.max(0)),
        6..9 => amount(rng, limit),
        _ => 3 * amount(rng, limit),
    }
}

fn entities(rng: &mut Rng) -> Vec<Entity> {
    let parents: &[Option<usize>] = match rng.u32(..6) {
        0 | 1 => &[None],
        2 => &[None, Some(0)],
        3 => &[None, Some(0), Some(0)],
        4 => &[None, Some(0), Some(1)],
        _ => &[None, Some(0), Some(1), Some(1)],
    };
    let names = ["org", "team", "key-1", "key-2"];
    let entity = |(parent, name): (&Option<usize>, &str)| {
        let versions = (0..3).fold(Vec::new(), |mut versions: Vec<LimitSet>, _| {
            versions.push(match versions.last() {
                Some(last) => changed(rng, last),
                None => limits(rng),
            });
            versions
        });
        let key = BucketKey {
            // Both are valid names.
            entity_id: EntityId::new(name).expect("valid"),
            resource: Resource::new("r").expect("valid"),
        };
        Entity { key, parent: *parent, versions }
    };
    parents.iter().zip(names).map(entity).collect()
}

fn limits(rng: &mut Rng) -> LimitSet {
    let names = &["m", "n", "t"][..[1, 1, 2, 3][rng.usize(..4)]];
    LimitSet::new(names.iter().map(|name| limit(rng, name))).expect("names are distinct")
}

fn limit(rng: &mut Rng, name: &str) -> Limit {
    let capacity = rng.u64(1..=60);
    let burst = capacity + if rng.bool() { 0 } else { rng.u64(..=60) };
    let amount = if rng.bool() { capacity } else { rng.u64(1..=60) };
    Limit::new(name, capacity, burst, amount, PERIODS[rng.usize(..PERIODS.len())]).expect("within the bounds")
}

/// The same limits, some with other parameters; perhaps one more, or one less.
fn changed(rng: &mut Rng, limits: &LimitSet) -> LimitSet {
    let mut changed: Vec<_> = limits.to_vec();
    for held in &mut changed {
        if rng.bool() {
            *held = limit(rng, held.name().as_str());
        }
    }
    match rng.u32(..4) {
        0 if changed.len() > 1 => drop(changed.pop()),
        1 => changed.push(limit(rng, "x")),
        _ => {}
    }
    let mut names = std::collections::BTreeSet::new();
    changed.retain(|limit| names.insert(limit.name().clone()));
    LimitSet::new(changed).expect("names are distinct")
}

fn phase(rng: &mut Rng, nth: usize, trouble: u32, changing: bool) -> Phase {
    let idle = match rng.u32(..8) {
        0..3 => Duration::ZERO,
        3..5 => Duration::from_millis(rng.u64(..10_000)),
        5 => Duration::from_secs(rng.u64(..300)),
        // Long enough for entries of writers to be swept.
        6 => Duration::from_secs(rng.u64(600..1_500)),
        // Long enough for items to expire.
        _ => Duration::from_secs(rng.u64(3_600..20_000)),
    };
    let spread = match rng.u32(..4) {
        0 => Duration::from_millis(rng.u64(..50)),
        1 | 2 => Duration::from_millis(rng.u64(100..5_000)),
        _ => Duration::from_secs(rng.u64(5..60)),
    };
    Phase {
        idle,
        calls: rng.usize(5..50),
        spread,
        crashes: if trouble >= 60 { rng.usize(..3) } else { 0 },
        outage: trouble >= 80 && rng.bool(),
        versions: if changing { nth + 1 + rng.usize(..2) } else { 1 },
    }
}

/// From a calm network to one that is hardly of use.
fn network(rng: &mut Rng, trouble: u32) -> Network {
    let latency_ms = [2, 10, 40, 150][rng.usize(..4)];
    let timeout_ms = 4 * latency_ms + 20;
    let most = match trouble {
        0..20 => return Network { latency_ms, timeout_ms, ..Network::default() },
        20..60 => 60,
        _ => 200,
    };
    Network {
        latency_ms,
        timeout_ms,
        lost_request: rng.u32(..most),
        lost_answer: rng.u32(..most),
        late: rng.u32(..most),
        repeated: rng.u32(..2 * most),
        throttled: rng.u32(..most),
        rejected: if rng.u32(..8) == 0 { rng.u32(..most / 4) } else { 0 },
        reset: rng.u32(..most),
    }
}
