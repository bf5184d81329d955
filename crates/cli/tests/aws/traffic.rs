//! Processes that acquire from one table at the same time, and a ledger of what they committed.

use std::collections::BTreeMap;
use std::env;
use std::process::{Child, Command};

use serde::{Deserialize, Serialize};
use zae_limiter::{AcquireError, Block, LimitSet, Limiter};

use crate::cloud::Cloud;

const URL: &str = "ZAE_LIMITER_TEST_TRAFFIC_URL";
const LEDGER: &str = "ZAE_LIMITER_TEST_TRAFFIC_LEDGER";
const SEED: &str = "ZAE_LIMITER_TEST_TRAFFIC_SEED";
const CALLS: &str = "ZAE_LIMITER_TEST_TRAFFIC_CALLS";

/// Above both keys.
pub(crate) const PARENT: &str = "team";
pub(crate) const KEYS: [&str; 2] = ["key-1", "key-2"];
/// Whose limit lets [`FEW_BURST`] through in the time that a test takes.
pub(crate) const FEW: &str = "few";
pub(crate) const FEW_BURST: i64 = 20;

const ENTITIES: [&str; 4] = [PARENT, KEYS[0], KEYS[1], FEW];
const RESOURCES: [&str; 2] = ["gpt-4", "claude"];
/// In a ledger, beside the names of limits.
const ACQUIRES: &str = "acquires";

/// Tokens and acquires, by entity, resource and limit. What came to nothing is not in it.
pub(crate) type Amounts = BTreeMap<String, i64>;

/// What became of calls.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ledger {
    /// What was kept, in the end.
    pub(crate) committed: Amounts,
    pub(crate) commits: usize,
    pub(crate) adjusted: usize,
    pub(crate) rolled_back: usize,
    pub(crate) denied: usize,
}

fn add(amounts: &mut Amounts, entity: &str, resource: &str, what: &str, amount: i64) {
    let key = format!("{entity} {resource} {what}");
    *amounts.entry(key.clone()).or_default() += amount;
    if amounts[&key] == 0 {
        amounts.remove(&key);
    }
}

impl Ledger {
    pub(crate) fn committed(&self, entity: &str, resource: &str, what: &str) -> i64 {
        self.committed.get(&format!("{entity} {resource} {what}")).copied().unwrap_or_default()
    }

    pub(crate) fn calls(&self) -> usize {
        self.commits + self.rolled_back + self.denied
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (key, amount) in &other.committed {
            *self.committed.entry(key.clone()).or_default() += amount;
        }
        self.committed.retain(|_, amount| *amount != 0);
        self.commits += other.commits;
        self.adjusted += other.adjusted;
        self.rolled_back += other.rolled_back;
        self.denied += other.denied;
    }

    fn commit(&mut self, entities: &[&str], resource: &str, tokens: i64) {
        self.commits += 1;
        for entity in entities {
            for (what, amount) in [("rpm", 1), ("tpm", tokens), (ACQUIRES, 1)] {
                add(&mut self.committed, entity, resource, what, amount);
            }
        }
    }

    /// One call of a key, with a settlement of each kind.
    fn call(&mut self, limiter: &Limiter, random: &mut fastrand::Rng) {
        let limits: LimitSet = "rpm=1M/min,tpm=100M/min".parse().unwrap();
        let (key, resource) = (KEYS[random.usize(..2)], RESOURCES[random.usize(..2)]);
        let cascade = random.bool();
        let tokens = random.u64(..2_000);
        let acquire = limiter.acquire(key, resource, &limits).consume("rpm", 1).consume("tpm", tokens);
        let mut lease = acquire.cascade(cascade).wait().unwrap();
        let mut kept = tokens.cast_signed();
        if random.u8(..8) == 0 {
            let more = random.u64(1..100);
            lease.consume(&[("tpm", more)]).wait().unwrap();
            kept += more.cast_signed();
        }
        if random.u8(..3) == 0 {
            let delta = random.i64(-kept..=500);
            lease.adjust("tpm", delta).unwrap();
            kept += delta;
            self.adjusted += 1;
        }
        if random.u8(..5) == 0 {
            lease.rollback().wait().unwrap();
            self.rolled_back += 1;
        } else {
            lease.commit().wait().unwrap();
            let entities = [key, PARENT];
            self.commit(&entities[..=usize::from(cascade)], resource, kept);
        }
    }

    /// One call that most others leave nothing for.
    fn scarce_call(&mut self, limiter: &Limiter) {
        let limits: LimitSet = format!("rpm={FEW_BURST}/day").parse().unwrap();
        match limiter.acquire(FEW, RESOURCES[0], &limits).consume("rpm", 1).wait() {
            Ok(lease) => {
                lease.commit().wait().unwrap();
                self.commit(&[FEW], RESOURCES[0], 0);
            }
            Err(AcquireError::Exceeded(_)) => self.denied += 1,
            Err(error) => panic!("{error}"),
        }
    }
}

/// What the processes of [`acquire`] do.
#[test]
fn acquirer() {
    let Ok(url) = env::var(URL) else { return };
    let limiter = Limiter::open(&url).wait().unwrap();
    let mut random = fastrand::Rng::with_seed(env::var(SEED).unwrap().parse().unwrap());
    let mut ledger = Ledger::default();
    for _ in 0..env::var(CALLS).unwrap().parse().unwrap() {
        if random.u8(..10) == 0 {
            ledger.scarce_call(&limiter);
        } else {
            ledger.call(&limiter, &mut random);
        }
    }
    std::fs::write(env::var_os(LEDGER).unwrap(), serde_json::to_vec(&ledger).unwrap()).unwrap();
}

/// Has that many processes make that many calls each. Returns what they did, all together.
pub(crate) fn acquire(cloud: &Cloud, processes: u64, calls: usize) -> Ledger {
    let url = format!("dynamodb://{}?region=us-east-1&endpoint_url={}", cloud.table, cloud.endpoint);
    let path = |seed: u64| cloud.path(&format!("ledger-{seed}.json"));
    let start = |seed: u64| {
        Command::new(env::current_exe().unwrap())
            .args(["--exact", "traffic::acquirer"])
            .env(URL, &url)
            .env(LEDGER, path(seed))
            .env(SEED, seed.to_string())
            .env(CALLS, calls.to_string())
            .env("AWS_ACCESS_KEY_ID", &cloud.keys.0)
            .env("AWS_SECRET_ACCESS_KEY", &cloud.keys.1)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    };
    let started: Vec<Child> = (0..processes).map(start).collect();
    for process in started {
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    let mut all = Ledger::default();
    for seed in 0..processes {
        all.merge(&serde_json::from_slice(&std::fs::read(path(seed)).unwrap()).unwrap());
    }
    all
}

/// What the snapshots of one kind of window say.
pub(crate) fn counted(cloud: &Cloud, window: &str) -> Amounts {
    let mut amounts = Amounts::new();
    for entity in ENTITIES {
        let output =
            cloud.on_store(&format!("usage {entity} --window {window} --json"), "").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let snapshots: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
        for snapshot in snapshots {
            assert_eq!((&snapshot["entity_id"], &snapshot["window_type"]), (&entity.into(), &window.into()));
            let resource = snapshot["resource"].as_str().unwrap();
            for (limit, tokens) in snapshot["counters"].as_object().unwrap() {
                add(&mut amounts, entity, resource, limit, tokens.as_i64().unwrap());
            }
            add(&mut amounts, entity, resource, ACQUIRES, snapshot["total_events"].as_i64().unwrap());
        }
    }
    amounts
}
