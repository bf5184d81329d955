//! What a call asks of DynamoDB, counted exactly.

use std::error::Error;

use zae_limiter::{LimitScope, LimitSet, Limits};
use zae_limiter_store_dynamodb::{DynamoDbStore, Stats};

use super::Setup;
use crate::report::{Report, Target};

/// `count` limits that nothing here exceeds.
pub(crate) fn limits(count: usize) -> Result<LimitSet, Box<dyn Error>> {
    let texts: Vec<String> = (0..count).map(|i| format!("limit{i}=1M/min")).collect();
    Ok(texts.join(",").parse()?)
}

struct Since<'a> {
    store: &'a DynamoDbStore,
    before: Stats,
}

impl<'a> Since<'a> {
    fn now(store: &'a DynamoDbStore) -> Self {
        Self { store, before: store.stats().unwrap_or_default() }
    }

    fn report(self, report: &mut Report, what: &str, requests: f64, write_units: f64) {
        let now = self.store.stats().unwrap_or_default();
        let asked = (now.requests - self.before.requests) as f64;
        report.hold(format!("{what}: requests"), asked, "", Target::AtMost(requests));
        let written = now.write_units - self.before.write_units;
        report.hold(format!("{what}: write units"), written, "WCU", Target::AtMost(write_units));
        let rest = now.read_units - self.before.read_units;
        report.hold(format!("{what}: read units"), rest, "RCU", Target::AtMost(0.0));
        report.note(format!("{what}: index units"), now.index_units - self.before.index_units, "WCU");
    }
}

pub(crate) async fn run(setup: &Setup, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let (limiter, store) = setup.open("counts").await?;
    for count in [1, 2, 5] {
        let limits = limits(count)?;
        let resource = format!("r{count}");
        let since = Since::now(&store);
        limiter.acquire("key", &resource, &limits).consume("limit0", 1).await?.commit().await?;
        since.report(report, &format!("first touch, {count} limits"), 1.0, 1.0);
        let since = Since::now(&store);
        limiter.acquire("key", &resource, &limits).consume("limit0", 1).await?.commit().await?;
        since.report(report, &format!("warm acquire + commit, {count} limits"), 1.0, 1.0);
    }
    let limits = limits(2)?;
    limiter.create_entity("child").parent("project").await?;
    for warm in [false, true] {
        let since = Since::now(&store);
        let acquire = limiter.acquire("child", "r", &limits).cascade(true).consume("limit0", 1);
        acquire.await?.commit().await?;
        if warm {
            since.report(report, "warm cascade over 2 levels", 2.0, 2.0);
        }
    }
    let since = Since::now(&store);
    let mut lease = limiter.acquire("key", "r2", &limits).consume("limit0", 1).await?;
    lease.adjust("limit1", 5)?;
    lease.commit().await?;
    since.report(report, "acquire, adjust, commit", 2.0, 2.0);

    let small: LimitSet = "limit0=1/day".parse()?;
    limiter.acquire("key", "small", &small).consume("limit0", 1).await?.commit().await?;
    let (other, other_store) = setup.open("counts").await?;
    let since = Since::now(&other_store);
    let denied = other.acquire("key", "small", &small).consume("limit0", 1).await.is_err();
    since.report(report, "denied, seen for the first time", 1.0, 1.0);
    let since = Since::now(&other_store);
    let again = other.acquire("key", "small", &small).consume("limit0", 1).await.is_err();
    since.report(report, "denied again", 0.0, 0.0);
    if !denied || !again {
        return Err("a bucket of one token gave two".into());
    }
    limiter.set_limits(&LimitScope::System, &limits).await?;
    limiter.acquire("key", "r2", Limits::Stored).consume("limit0", 1).await?.commit().await?;
    let since = Since::now(&store);
    limiter.acquire("key", "r2", Limits::Stored).consume("limit0", 1).await?.commit().await?;
    since.report(report, "warm acquire by stored limits", 1.0, 1.0);
    Ok(())
}
