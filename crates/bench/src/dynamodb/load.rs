//! Many tasks at once: throughput and latency beside the bare update.

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::Setup;
use super::bare::{Bare, Bucket, Item};
use crate::report::{Report, Target};
use zae_limiter::{AcquireError, LimitSet, Limiter, Timestamp};

const TASKS: usize = 64;
const RESOURCE: &str = "gpt-4";

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

/// What a call of a task comes to.
type Called = Result<(), Box<dyn Error + Send + Sync>>;

/// Runs `call` from `tasks` tasks for `time`; each is told its task's number. The first failure ends it.
async fn drive<F, Fut>(tasks: usize, time: Duration, call: F) -> Result<Achieved, Box<dyn Error>>
where
    F: Fn(usize) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Called> + Send,
{
    let started = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for task in 0..tasks {
        let call = call.clone();
        running.spawn(async move {
            let mut latencies = Vec::new();
            while started.elapsed() < time {
                let before = Instant::now();
                call(task).await?;
                latencies.push(before.elapsed());
            }
            Ok::<_, Box<dyn Error + Send + Sync>>(latencies)
        });
    }
    let mut latencies = Vec::new();
    for task in running.join_all().await {
        latencies.extend(task.map_err(|error| error as Box<dyn Error>)?);
    }
    latencies.sort_unstable();
    let per_second = latencies.len() as f64 / started.elapsed().as_secs_f64();
    Ok(Achieved { per_second, latencies })
}

pub(crate) async fn run(setup: &Setup, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let load = Load::prepare(setup).await?;
    load.spread(report).await?;
    load.hot(setup, report).await?;
    accuracy(setup, report).await
}

/// Acquires, and the bare updates beside them. They take turns, so that all see the same machine.
struct Load {
    bare: Bare,
    /// A bucket for each task.
    buckets: Arc<Vec<Bucket>>,
    limiter: Limiter,
    limits: LimitSet,
    time: Duration,
    rounds: usize,
}

/// What a task does beside the limiter's acquires.
#[derive(Clone, Copy)]
enum Update {
    /// What an acquire comes to, to a bucket of the task's own.
    Take,
    /// Adds to a number in the item of a bucket of the task's own.
    Add,
    /// Adds to a number in an item that all tasks share, and that holds nothing else.
    AddToSmall,
    /// Adds to a number in the item of a bucket that all tasks share.
    AddToOne,
}

impl Load {
    /// Makes the items, and has engine and client run for a while: an engine in Java is slow at first.
    async fn prepare(setup: &Setup) -> Result<Self, Box<dyn Error>> {
        let (limiter, _) = setup.open_to("load", false).await?;
        // Nothing exceeds it, and a bucket of which that much was taken is not full for hours.
        let limits: LimitSet = "limit0=1M/day:burst=10M".parse()?;
        let bare = Bare::new(&setup.endpoint, "load");
        let buckets = buckets_in_use(&bare, &limiter, &limits).await?;
        let (time, rounds) =
            if setup.quick { (Duration::from_millis(500), 1) } else { (Duration::from_secs(3), 3) };
        let load = Self { bare, buckets, limiter, limits, time, rounds };
        for _ in 0..rounds {
            load.acquires(1, None).await?;
            load.updates(1, Update::Take).await?;
        }
        Ok(load)
    }

    async fn updates(&self, tasks: usize, update: Update) -> Result<Achieved, Box<dyn Error>> {
        let (bare, buckets) = (self.bare.clone(), Arc::clone(&self.buckets));
        drive(tasks, self.time, move |task| {
            let (bare, buckets) = (bare.clone(), Arc::clone(&buckets));
            async move {
                let done = match update {
                    Update::Take => bare.take(&buckets[task]).await,
                    Update::Add => bare.add(&buckets[task].item).await,
                    Update::AddToSmall => bare.add(&Item::small("one")).await,
                    Update::AddToOne => bare.add(&buckets[0].item).await,
                };
                done.map_err(Into::into)
            }
        })
        .await
    }

    /// Acquires by each task: from its own bucket, or from the one of `hot`.
    async fn acquires(&self, tasks: usize, hot: Option<&Limiter>) -> Result<Achieved, Box<dyn Error>> {
        let (limiter, limits) = (hot.unwrap_or(&self.limiter).clone(), self.limits.clone());
        let is_hot = hot.is_some();
        drive(tasks, self.time, move |task| {
            let (limiter, limits) = (limiter.clone(), limits.clone());
            async move {
                let key = if is_hot { "hot".to_owned() } else { format!("key{task}") };
                let lease = limiter.acquire(&key, RESOURCE, &limits).consume("limit0", 1).await?;
                Ok(lease.commit().await?)
            }
        })
        .await
    }

    /// Each task has a bucket of its own.
    async fn spread(&self, report: &mut Report) -> Result<(), Box<dyn Error>> {
        for (tasks, what) in [(1, "1 task"), (TASKS, "64 tasks on 64 entities")] {
            let others = [
                (Update::Take, "the same update by the bare client"),
                (Update::Add, "a bare ADD to a bucket's item"),
                (Update::AddToSmall, "a bare ADD to an item of one number, in no index"),
            ];
            let mut ratios = others.map(|_| (Vec::new(), Vec::new()));
            // Of the same update.
            let mut tails = Vec::new();
            for _ in 0..self.rounds {
                let mut achieved = Vec::new();
                for (update, _) in others {
                    achieved.push(self.updates(tasks, update).await?);
                }
                tails.extend(achieved.first().map(|theirs| theirs.percentile(99) / theirs.percentile(50)));
                let ours = self.acquires(tasks, None).await?;
                for ((medians, throughputs), theirs) in ratios.iter_mut().zip(&achieved) {
                    medians.push(ours.percentile(50) / theirs.percentile(50));
                    throughputs.push(ours.per_second / theirs.per_second);
                }
            }
            for ((update, other), (medians, throughputs)) in others.into_iter().zip(ratios) {
                let (what, figure, target) = if tasks == 1 {
                    (format!("{what}: median, of {other}"), median(medians), Target::AtMost(1.2))
                } else {
                    (format!("{what}: throughput, of {other}"), median(throughputs), Target::AtLeast(0.9))
                };
                // What an update does costs the engine: others are told, for they ask less of it.
                match update {
                    Update::Take => report.hold(what, figure, "", target),
                    _ => report.note(what, figure, ""),
                }
            }
            if tasks == 1 {
                let what = "1 task: the engine's own 99th percentile, by the bare client";
                report.note(what, median(tails), "medians");
            }
        }
        Ok(())
    }

    /// All tasks share one bucket.
    async fn hot(&self, setup: &Setup, report: &mut Report) -> Result<(), Box<dyn Error>> {
        // Its requests are counted.
        let (limiter, store) = setup.open("load").await?;
        let (mut hot, mut tail, mut units) = (vec![], vec![], vec![]);
        for _ in 0..self.rounds {
            let theirs = self.updates(TASKS, Update::AddToOne).await?;
            let before = store.stats().unwrap_or_default();
            let ours = self.acquires(TASKS, Some(&limiter)).await?;
            let after = store.stats().unwrap_or_default();
            hot.push(ours.per_second / theirs.per_second);
            units.push((after.write_units - before.write_units) / ours.latencies.len() as f64);
            let writes = (after.requests - before.requests) as f64;
            // One write is under way at a time, so this is the time of a round trip.
            let round_trip = 1e6 * ours.latencies.len() as f64 / ours.per_second / writes;
            tail.push(ours.percentile(99) / round_trip);
            report.note("64 tasks on one entity, acquires", ours.per_second, "/s");
            report.note("64 tasks on one item, bare updates", theirs.per_second, "/s");
        }
        let what = "64 tasks on one entity: throughput, of the bare update's";
        report.hold(what, median(hot), "", Target::AtLeast(5.0));
        let what = "64 tasks on one entity: write units an acquire";
        report.hold(what, median(units), "WCU", Target::AtMost(0.1));
        let what = "64 tasks on one entity: 99th percentile";
        report.hold(what, median(tail), "round trips", Target::AtMost(3.0));
        Ok(())
    }
}

/// Acquires a second of all tasks, each with a bucket of two limits; and the same updates by the bare client.
pub(crate) async fn rates(setup: &Setup, beside_bare: bool) -> Result<(f64, Option<f64>), Box<dyn Error>> {
    let (limiter, _) = setup.open_to("rate", false).await?;
    let limits: LimitSet = "rpm=1000M/min,tpm=1000M/min".parse()?;
    let of_store = limiter.clone();
    let acquires = rate(move |task| {
        let (limiter, limits) = (of_store.clone(), limits.clone());
        async move {
            let key = format!("key{task}");
            let acquire = limiter.acquire(&key, RESOURCE, &limits).consume("rpm", 1).consume("tpm", 500);
            Ok(acquire.await?.commit().await?)
        }
    })
    .await?;
    if !beside_bare {
        return Ok((acquires, None));
    }
    let bare = Bare::new(&setup.endpoint, "rate");
    let limits: LimitSet = "rpm=1M/day:burst=10M,tpm=1M/day:burst=10M".parse()?;
    let buckets = buckets_in_use(&bare, &limiter, &limits).await?;
    let updates = rate(move |task| {
        let (bare, buckets) = (bare.clone(), Arc::clone(&buckets));
        async move { Ok(bare.take(&buckets[task]).await?) }
    })
    .await?;
    Ok((acquires, Some(updates)))
}

/// Calls a second of all tasks.
async fn rate<F, Fut>(call: F) -> Result<f64, Box<dyn Error>>
where
    F: Fn(usize) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Called> + Send,
{
    drive(TASKS, Duration::from_millis(500), call.clone()).await?;
    Ok(drive(TASKS, Duration::from_secs(2), call).await?.per_second)
}

/// A bucket for each task, of which so much was taken that it is not full while this runs.
async fn buckets_in_use(
    bare: &Bare,
    limiter: &Limiter,
    limits: &LimitSet,
) -> Result<Arc<Vec<Bucket>>, Box<dyn Error>> {
    let mut buckets = Vec::new();
    for task in 0..TASKS {
        // The bare client counts its writes anew in every process.
        let entity = format!("bare{task}-{}", std::process::id());
        let mut acquire = limiter.acquire(&entity, RESOURCE, limits);
        for limit in limits.iter() {
            acquire = acquire.consume(limit.name().as_str(), 100_000);
        }
        acquire.await?.commit().await?;
        let bucket = Bucket::new(&entity, RESOURCE, limits)?;
        bare.keep(&bucket).await?;
        buckets.push(bucket);
    }
    Ok(Arc::new(buckets))
}

/// 64 tasks on one small bucket: what was admitted, of what the limit allows.
async fn accuracy(setup: &Setup, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let (limiter, _) = setup.open("load").await?;
    let limits: LimitSet = "limit0=6k/min:burst=6k".parse()?;
    let time = if setup.quick { Duration::from_secs(1) } else { Duration::from_secs(5) };
    let started = limiter.clock().now();
    // How many were admitted, and when the last of them was.
    let (admitted, last) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (counted, noted) = (Arc::clone(&admitted), Arc::clone(&last));
    let clock = Arc::clone(limiter.clock());
    drive(64, time, move |_| {
        let (limiter, limits, clock) = (limiter.clone(), limits.clone(), Arc::clone(&clock));
        let (counted, noted) = (Arc::clone(&counted), Arc::clone(&noted));
        async move {
            match limiter.acquire("small", RESOURCE, &limits).consume("limit0", 1).await {
                Ok(lease) => {
                    lease.commit().await?;
                    counted.fetch_add(1, Ordering::Relaxed);
                    noted.fetch_max(clock.now().as_millis(), Ordering::Relaxed);
                }
                // A denial is answered locally: leave the processor to others.
                Err(AcquireError::Exceeded(_)) => tokio::task::yield_now().await,
                Err(error) => return Err(error.into()),
            }
            Ok(())
        }
    })
    .await?;
    let last = Timestamp::from_millis(last.load(Ordering::Relaxed));
    let allowed = 6_000.0 + last.since(started).as_secs_f64() * 100.0;
    let share = admitted.load(Ordering::Relaxed) as f64 / allowed;
    report.hold("64 tasks on one entity: admitted, of allowed", share, "", Target::AtMost(1.0));
    report.hold("64 tasks on one entity: admitted, of allowed", share, "", Target::AtLeast(0.9995));
    Ok(())
}

/// The middle of a few figures.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
