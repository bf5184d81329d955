//! What happened, in order: all that the checker knows of a run.

use std::fmt;

use zae_limiter_core::{Amounts, Level, LimitSet, StoreErrorKind, Timestamp};
use zae_limiter_store_dynamodb::item::{BucketItem, Writer};
use zae_limiter_store_dynamodb::plan::{BucketWrite, Kind};
use zae_limiter_store_dynamodb::table::BucketKey;

/// One call of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Op(pub usize);

/// One request to the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request(pub usize);

/// What a call asks of one bucket.
#[derive(Clone, Debug)]
pub struct Part {
    /// The bucket.
    pub key: BucketKey,
    /// As the client knows its limits.
    pub limits: LimitSet,
    /// One for each limit.
    pub amounts: Amounts,
}

impl Part {
    /// The bucket with its limits.
    pub fn level(&self) -> Level {
        let BucketKey { entity_id, resource } = self.key.clone();
        Level { entity_id, resource, limits: self.limits.clone() }
    }
}

/// How a call ended, as its caller sees it. A call whose client crashes has no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A take was admitted, or an apply carried out.
    Done,
    /// A take was denied.
    Denied,
    /// A take was denied, with no limit that is exceeded.
    DeniedForNothing,
    /// The caller gave up and dropped the call.
    Cancelled,
    /// The store said that it could not.
    Failed(StoreErrorKind),
}

/// What a client hears about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It was applied.
    Done,
    /// Its condition did not hold, and the item carries its stamp: an earlier try was applied.
    Repeated,
    /// Its condition did not hold.
    Failed,
    /// Nothing for too long.
    Unknown,
    /// It was throttled.
    Refused,
    /// It was rejected for good.
    Error,
}

/// When a client decided on a write.
#[derive(Clone, Copy, Debug)]
pub struct Decided {
    /// By its clock.
    pub clock: Timestamp,
    /// Truly, in ms.
    pub at: u64,
}

/// One thing that happened.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields say what they are")]
pub enum Event {
    /// A client started, with a clock that is wrong by so many ms.
    Started { client: Writer, skew_ms: i64 },
    /// Its clock was set.
    Stepped { client: Writer, skew_ms: i64 },
    /// A client vanished, with all that it was doing.
    Crashed { client: Writer },
    /// A call began.
    Called { op: Op, client: Writer, kind: Kind, parts: Vec<Part>, acquires: i64 },
    /// A call ended.
    Ended { op: Op, end: End },
    /// A client sent a write, by its clock at `clock`.
    /// Its retry as a transaction is the same, and decided when the first was.
    Sent { request: Request, client: Writer, key: BucketKey, write: Box<BucketWrite>, decided: Decided },
    /// A write arrived and was applied.
    Applied { request: Request, item: BucketItem },
    /// A write arrived, and its condition did not hold.
    NotApplied { request: Request },
    /// The client heard about its write.
    Heard { request: Request, heard: Heard },
    /// An expired item was deleted.
    Deleted { key: BucketKey, item: BucketItem },
}

/// Everything that happened, each with its true time in ms.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// In order.
    pub events: Vec<(u64, Event)>,
    /// No clock of a client was ever wrong by more than this, in ms.
    pub skew_ms: u64,
    /// In a calm run, where denials have to be right: by how many ms their reason may come earlier or later.
    pub denials_hold_ms: Option<u64>,
    ops: usize,
    requests: usize,
}

impl History {
    /// Nothing yet; no clock will be wrong by more than `skew_ms`.
    pub fn new(skew_ms: u64) -> Self {
        Self { skew_ms, ..Self::default() }
    }

    /// Writes down an event.
    pub fn note(&mut self, at: u64, event: Event) {
        self.events.push((at, event));
    }

    /// A name for the next call.
    pub fn next_op(&mut self) -> Op {
        self.ops += 1;
        Op(self.ops)
    }

    /// A name for the next request.
    pub fn next_request(&mut self) -> Request {
        self.requests += 1;
        Request(self.requests)
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begin = self.events.first().map_or(0, |(at, _)| *at);
        for (at, event) in &self.events {
            writeln!(f, "{:>10} ms  {event}", at - begin)?;
        }
        Ok(())
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { client, skew_ms } => write!(f, "{client} starts, clock {skew_ms:+} ms"),
            Self::Stepped { client, skew_ms } => write!(f, "{client} sets its clock to {skew_ms:+} ms"),
            Self::Crashed { client } => write!(f, "{client} crashes"),
            Self::Called { op, client, kind, parts, acquires } => {
                write!(f, "{client} calls {}: {kind:?}, {acquires:+} acquires", op.0)?;
                for part in parts {
                    write!(f, "; {}", part.key.entity_id)?;
                    for (limit, amount) in part.limits.iter().zip(&part.amounts) {
                        write!(f, " {limit} {amount}")?;
                    }
                }
                Ok(())
            }
            Self::Ended { op, end } => write!(f, "call {} ends: {end:?}", op.0),
            Self::Sent { request, client, key, write, decided } => {
                write!(
                    f,
                    "{client} sends {} at {} to {}: {write}",
                    request.0,
                    decided.clock.as_millis(),
                    key.entity_id,
                    write = Shown(write)
                )
            }
            Self::Applied { request, item } => {
                write!(f, "request {} is applied: ttl {}, ac {}", request.0, item.ttl, item.acquires)?;
                for (name, held) in &item.limits {
                    let full_at_ms = held.limit.rate().full_at_ms(held.full_at);
                    write!(f, "; {name} full at {full_at_ms}, tc {}", held.consumed)?;
                }
                Ok(())
            }
            Self::NotApplied { request } => write!(f, "request {} is not applied", request.0),
            Self::Heard { request, heard } => write!(f, "request {} answered: {heard:?}", request.0),
            Self::Deleted { key, item } => write!(f, "{} is deleted, ttl {}", key.entity_id, item.ttl),
        }
    }
}

/// A write on one line.
struct Shown<'a>(&'a BucketWrite);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let write = self.0;
        write!(f, "stamp {} {:+} acquires, {:?}", write.stamp.number, write.acquires, write.expiry)?;
        for limit_write in &write.limits {
            write!(f, "; {} {} {:?}", limit_write.limit, limit_write.consumed, limit_write.step)?;
        }
        Ok(())
    }
}
