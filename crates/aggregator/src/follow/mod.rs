//! Follows the stream of a table, as a process anywhere.
//!
//! Only one follower at a time does so, by a lease in the table. That saves work, no more: every snapshot includes every
//! record once, even if two follow, and also if one dies between counting and remembering how far it has come.

mod progress;
mod reader;
mod shards;
mod stop;
pub mod streams;
mod translate;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use zae_limiter_core::{Clock, StoreError};
use zae_limiter_store_dynamodb::{Checkpoint, DynamoDbOptions, Lease, UsageTable};

pub use self::progress::Progress;
use self::reader::{End, Reading};
use self::shards::Shards;
pub use self::stop::Stop;
use self::streams::{Source, TableStream};
use crate::record::label_of;
use crate::{Aggregator, Windows};

/// How often things are done.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long to wait for more records where there were none.
    pub poll: Duration,
    /// How often progress is remembered while records are counted.
    pub checkpoint: Duration,
    /// How long the lease on the stream lasts; it is renewed three times as often. So long nobody follows the stream if a
    /// follower is killed.
    pub lease: Duration,
    /// How often new shards are looked for besides when one ends.
    pub look: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(1),
            checkpoint: Duration::from_secs(5),
            lease: Duration::from_secs(15),
            look: Duration::from_secs(30),
        }
    }
}

/// What can be chosen about a follower.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FollowOptions {
    /// The table.
    pub table: DynamoDbOptions,
    /// Which snapshots are kept.
    pub windows: Windows,
    /// How often things are done.
    pub pace: Pace,
    /// Records read at once, 1 to 1,000.
    pub batch: u16,
}

impl FollowOptions {
    /// The defaults, for a table.
    pub fn new(table: DynamoDbOptions, windows: Windows) -> Self {
        Self { table, windows, pace: Pace::default(), batch: 1_000 }
    }
}

/// Counts usage from the stream of a table until it is told to stop.
#[derive(Debug)]
pub struct Follower {
    options: FollowOptions,
    aggregator: Aggregator<UsageTable>,
    clock: Arc<dyn Clock>,
    /// What the lease is held by.
    owner: String,
    stop: Stop,
}

/// Why the following of one stream came to an end.
enum Ended {
    Stopped,
    /// Another one follows it now.
    LeaseLost,
    /// All of it is read, and the table has another one.
    Succeeded,
}

impl Follower {
    /// A follower of the stream of the table that `options` name. Waits for the answer; not to be called from within an
    /// async runtime.
    pub fn connect(
        options: FollowOptions,
        clock: Arc<dyn Clock>,
        jitter: Arc<dyn Fn(Duration) -> Duration + Send + Sync>,
    ) -> Result<Self, StoreError> {
        zae_limiter_store_dynamodb::runtime()?.block_on(async {
            let table = UsageTable::connect(&options.table, Arc::clone(&clock), jitter).await?;
            if !options.table.skip_version_check {
                table.check_version().await?;
            }
            // The hasher's keys come from the operating system's randomness: no two processes draw the same.
            let process = std::process::id();
            let owner = format!("process {process} {:08x}", RandomState::new().hash_one(process) >> 32);
            let aggregator = Aggregator::new(table, options.windows.clone());
            Ok(Self { options, aggregator, clock, owner, stop: Stop::new() })
        })
    }

    /// What this follower is stopped with.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }

    /// Follows until it is stopped, or until something is wrong that does not pass. `tell` hears how it gets on. Not to be
    /// called from within an async runtime.
    pub fn run(&self, tell: impl Fn(Progress) + Send + Sync) -> Result<(), StoreError> {
        zae_limiter_store_dynamodb::runtime()?.block_on(self.follow(&tell))
    }

    /// Reads a stream called `arn` from another source, until all of it is read or this is stopped; without a lease of its
    /// own. Not to be called from within an async runtime.
    pub fn run_on<S: Source>(
        &self,
        source: &S,
        arn: &str,
        tell: impl Fn(Progress) + Send + Sync,
    ) -> Result<(), StoreError> {
        zae_limiter_store_dynamodb::runtime()?.block_on(self.follow_stream(source, arn, &tell)).map(|_| ())
    }

    async fn follow(&self, tell: &(dyn Fn(Progress) + Send + Sync)) -> Result<(), StoreError> {
        while self.take_turn(tell).await? {
            let arn = self.patiently(tell, async || self.table().stream_arn().await).await?;
            let Some(arn) = arn else { break };
            let source = TableStream::connect(&self.options.table, &arn, self.options.batch.into()).await?;
            tell(Progress::Started { stream: arn.clone() });
            match self.follow_stream(&source, &arn, tell).await {
                Ok(Ended::LeaseLost | Ended::Succeeded) => {}
                Ok(Ended::Stopped) => break,
                Err(error) => {
                    // The error that there was says more than one on top of it.
                    let _ = self.table().end_lease(&self.owner).await;
                    return Err(error);
                }
            }
        }
        // If that fails, it ends by itself.
        let _ = self.table().end_lease(&self.owner).await;
        tell(Progress::Stopped);
        Ok(())
    }

    const fn table(&self) -> &UsageTable {
        self.aggregator.snapshots()
    }

    /// Waits for the lease. False if it was told to stop.
    async fn take_turn(&self, tell: &(dyn Fn(Progress) + Send + Sync)) -> Result<bool, StoreError> {
        let mut told = None;
        while !self.stop.is_stopped() {
            match self.table().lease(&self.owner, self.options.pace.lease).await {
                Ok(Lease::Ours) => return Ok(true),
                Ok(Lease::Theirs { owner, until }) => {
                    if told.as_ref() != Some(&owner) {
                        tell(Progress::Waiting { owner: owner.clone(), until });
                        told = Some(owner);
                    }
                }
                Err(error) if error.is_unavailable() => {
                    tell(Progress::Retrying { problem: error.to_string() });
                }
                Err(error) => return Err(error),
            }
            self.stop.or_after(self.options.pace.lease / 5).await;
        }
        Ok(false)
    }

    /// Tries until it is answered. `None` if it was told to stop.
    async fn patiently<T>(
        &self,
        tell: &(dyn Fn(Progress) + Send + Sync),
        ask: impl AsyncFn() -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        while !self.stop.is_stopped() {
            match ask().await {
                Ok(answer) => return Ok(Some(answer)),
                Err(error) if error.is_unavailable() => {
                    tell(Progress::Retrying { problem: error.to_string() });
                    self.stop.or_after(self.options.pace.poll).await;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Reads all shards, parents before their children.
    async fn follow_stream<S: Source>(
        &self,
        source: &S,
        arn: &str,
        tell: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Ended, StoreError> {
        let stream: Arc<str> = label_of(arn).into();
        let begin = async || self.table().checkpoints(&stream).await;
        let Some(mut checkpoints): Option<HashMap<String, Checkpoint>> = self.patiently(tell, begin).await?
        else {
            return Ok(Ended::Stopped);
        };
        let done = checkpoints.iter().filter(|(_, checkpoint)| checkpoint.done);
        let mut shards = Shards::new(done.map(|(id, _)| id.clone()));
        let pace = self.options.pace;
        let reading = Reading {
            source,
            stream: Arc::clone(&stream),
            aggregator: &self.aggregator,
            clock: &*self.clock,
            pace,
            stop: &self.stop,
            tell,
        };
        let mut readers = FuturesUnordered::new();
        let mut renew = tokio::time::interval(pace.lease / 3);
        let mut look = tokio::time::interval(pace.look);
        loop {
            tokio::select! {
                Some(ended) = readers.next() => {
                    let (shard, end): (String, End) = ended?;
                    if end == End::Done {
                        shards.finish(&shard);
                        look.reset_immediately();
                    }
                }
                _ = renew.tick() => match self.table().lease(&self.owner, pace.lease).await {
                    Ok(Lease::Ours) => {}
                    Ok(Lease::Theirs { .. }) => return Ok(Ended::LeaseLost),
                    Err(error) if error.is_unavailable() => tell(Progress::Retrying { problem: error.to_string() }),
                    Err(error) => return Err(error),
                },
                _ = look.tick(), if !self.stop.is_stopped() => {
                    if let Some(told) = self.patiently(tell, async || source.shards().await).await? {
                        shards.learn(told);
                    }
                    for shard in shards.start() {
                        let checkpoint = checkpoints.remove(&shard).unwrap_or_default();
                        readers.push(reading.read(shard, checkpoint));
                    }
                    let is_through = readers.is_empty() && !self.stop.is_stopped();
                    if is_through
                        && let Some(now) = self.patiently(tell, async || self.table().stream_arn().await).await?
                        && now != arn
                    {
                        return Ok(Ended::Succeeded);
                    }
                }
                () = self.stop.said(), if readers.is_empty() => return Ok(Ended::Stopped),
            }
        }
    }
}
