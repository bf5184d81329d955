//! Many tasks at once: throughput and latency beside the bare update.

use std::error::Error;
use std::future::Future;
use std::time::{Duration, Instant};

use super::Setup;
use super::bare::Bare;
use super::counts::limits;
use crate::report::{Report, Target};
use zae_limiter::LimitSet;

/// What a number of tasks achieved together.
struct Achieved {
    per_second: f64,
    /// Of each call, ascending.
    latencies: Vec<Duration>,
}

impl Achieved {
    fn percentile(&self, per_cent: usize) -> f64 {
        let at = (self.latencies.len() * per_cent / 100).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(at).map_or(0.0, Duration::as_secs_f64) * 1e6
    }
}

/// Runs `call` from `tasks` tasks for `time`; each is told its task's number.
async fn drive<F, Fut>(tasks: usize, time: Duration, call: F) -> Result<Achieved, Box<dyn Error>>
where
    F: Fn(usize) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let started = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for task in 0..tasks {
        let call = call.clone();
        running.spawn(async move {
            let mut latencies = Vec::new();
            while started.elapsed() < time {
                let before = Instant::now();
                call(task).await;
                latencies.push(before.elapsed());
            }
            latencies
        });
    }
    let mut latencies: Vec<Duration> = running.join_all().await.into_iter().flatten().collect();
    latencies.sort_unstable();
    let per_second = latencies.len() as f64 / started.elapsed().as_secs_f64();
    Ok(Achieved { per_second, latencies })
}

pub(crate) async fn run(setup: &Setup, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let (limiter, store) = setup.open("load").await?;
    let bare = Bare::new(&setup.endpoint, "load");
    let (time, rounds) =
        if setup.quick { (Duration::from_millis(500), 1) } else { (Duration::from_secs(3), 3) };
    let one_limit = limits(1)?;
    let update = move |shared: bool| {
        let bare = bare.clone();
        move |task: usize| {
            let bare = bare.clone();
            async move {
                let item = if shared { "hot".to_owned() } else { format!("key{task}") };
                // A failure shows as a low figure.
                let _ = bare.update(&item).await;
            }
        }
    };
    let acquire = move |limits: LimitSet, shared: bool| {
        let limiter = limiter.clone();
        move |task: usize| {
            let (limiter, limits) = (limiter.clone(), limits.clone());
            async move {
                let key = if shared { "hot".to_owned() } else { format!("key{task}") };
                if let Ok(lease) = limiter.acquire(&key, "gpt-4", &limits).consume("limit0", 1).await {
                    let _ = lease.commit().await;
                }
            }
        }
    };
    // Rounds alternate, so that both sides see the same machine.
    let (mut alone, mut spread, mut hot, mut hot_tail, mut units) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..rounds {
        let theirs = drive(1, time, update(false)).await?;
        let ours = drive(1, time, acquire(one_limit.clone(), false)).await?;
        alone.push(ours.percentile(50) / theirs.percentile(50));
        let theirs = drive(64, time, update(false)).await?;
        let ours = drive(64, time, acquire(one_limit.clone(), false)).await?;
        spread.push(ours.per_second / theirs.per_second);
        let theirs = drive(64, time, update(true)).await?;
        let before = store.stats().unwrap_or_default();
        let ours = drive(64, time, acquire(one_limit.clone(), true)).await?;
        let after = store.stats().unwrap_or_default();
        hot.push(ours.per_second / theirs.per_second);
        units.push((after.write_units - before.write_units) / ours.latencies.len() as f64);
        let writes = (after.requests - before.requests) as f64;
        // One write is under way at a time, so this is the time of a round trip.
        let round_trip = 1e6 * ours.latencies.len() as f64 / ours.per_second / writes;
        hot_tail.push(ours.percentile(99) / round_trip);
        report.note("64 tasks on one entity, acquires", ours.per_second, "/s");
        report.note("64 tasks on one item, bare updates", theirs.per_second, "/s");
    }
    report.hold("1 task: median, of the bare update's", median(alone), "", Target::AtMost(1.2));
    report.hold(
        "64 tasks on 64 entities: throughput, of the bare update's",
        median(spread),
        "",
        Target::AtLeast(0.9),
    );
    report.hold(
        "64 tasks on one entity: throughput, of the bare update's",
        median(hot),
        "",
        Target::AtLeast(5.0),
    );
    report.hold("64 tasks on one entity: write units an acquire", median(units), "WCU", Target::AtMost(0.1));
    report.hold(
        "64 tasks on one entity: 99th percentile",
        median(hot_tail),
        "round trips",
        Target::AtMost(3.0),
    );
    accuracy(setup, report).await
}

/// 64 tasks on one small bucket: what was admitted, of what the limit allows.
async fn accuracy(setup: &Setup, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let (limiter, _) = setup.open("load").await?;
    let limits: LimitSet = "limit0=6k/min:burst=6k".parse()?;
    let time = if setup.quick { Duration::from_secs(1) } else { Duration::from_secs(5) };
    let started = limiter.clock().now();
    let admitted = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let last = std::sync::Arc::clone(&admitted);
    let clock = std::sync::Arc::clone(limiter.clock());
    drive(64, time, move |_| {
        let (limiter, limits, admitted) = (limiter.clone(), limits.clone(), std::sync::Arc::clone(&admitted));
        async move {
            match limiter.acquire("small", "gpt-4", &limits).consume("limit0", 1).await {
                Ok(lease) => {
                    let _ = lease.commit().await;
                    admitted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
                // A denial is answered locally: leave the processor to others.
                Err(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await?;
    let allowed = 6_000.0 + clock.now().since(started).as_secs_f64() * 100.0;
    let share = last.load(std::sync::atomic::Ordering::Relaxed) as f64 / allowed;
    report.hold("64 tasks on one entity: admitted, of allowed", share, "", Target::AtMost(1.0));
    report.hold("64 tasks on one entity: admitted, of allowed", share, "", Target::AtLeast(0.9985));
    Ok(())
}

/// The middle of a few figures.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
