//! What more limits, and more entities, cost.

use std::error::Error;
use std::time::Instant;

use super::Setup;
use super::counts::limits;
use crate::report::Report;

pub(crate) async fn run(setup: &Setup, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let (limiter, store) = setup.open("cost").await?;
    for count in [1, 2, 5, 8, 10, 12, 14, 16, 20] {
        let limits = limits(count)?;
        let resource = format!("limits{count}");
        let names: Vec<String> = limits.iter().map(|limit| limit.name().to_string()).collect();
        let acquire = || {
            let acquire = limiter.acquire("key", &resource, &limits);
            names.iter().fold(acquire, |acquire, name| acquire.consume(name, 1))
        };
        acquire().await?.commit().await?;
        let before = store.stats().unwrap_or_default();
        let started = Instant::now();
        for _ in 0..50 {
            acquire().await?.commit().await?;
        }
        let micros = started.elapsed().as_secs_f64() * 1e6 / 50.0;
        let units = (store.stats().unwrap_or_default().write_units - before.write_units) / 50.0;
        report.note(format!("{count} limits: write units an acquire"), units, "WCU");
        report.note(format!("{count} limits: time of an acquire"), micros, "µs");
    }
    let one = limits(1)?;
    let mut made = 0;
    for entities in if setup.quick { vec![10, 1_000] } else { vec![10, 1_000, 10_000, 100_000] } {
        let mut filling = tokio::task::JoinSet::new();
        for part in 0..32 {
            let (limiter, limits, from) = (limiter.clone(), one.clone(), made);
            filling.spawn(async move {
                for number in (from + part..entities).step_by(32) {
                    let key = format!("entity{number}");
                    if let Ok(lease) = limiter.acquire(&key, "many", &limits).consume("limit0", 1).await {
                        let _ = lease.commit().await;
                    }
                }
            });
        }
        filling.join_all().await;
        made = entities;
        let started = Instant::now();
        let before = store.stats().unwrap_or_default();
        for number in 0..200 {
            let key = format!("entity{}", number * (entities / 10) % entities);
            limiter.acquire(&key, "many", &one).consume("limit0", 1).await?.commit().await?;
        }
        let after = store.stats().unwrap_or_default();
        report.note(
            format!("{entities} entities: time of an acquire"),
            started.elapsed().as_secs_f64() * 1e6 / 200.0,
            "µs",
        );
        report.note(
            format!("{entities} entities: write units an acquire"),
            (after.write_units - before.write_units) / 200.0,
            "WCU",
        );
    }
    Ok(())
}
