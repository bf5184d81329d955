//! What a plan comes to: one conditional update.

use smallvec::SmallVec;
use zae_limiter_core::{FullAt, Limit, Millitokens};

use super::Stamp;
use crate::item::Writer;

/// One conditional update of one item: it applies as a whole, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketWrite {
    /// One step for each limit concerned.
    pub limits: SmallVec<[LimitWrite; 4]>,
    /// Acquires to count.
    pub acquires: i64,
    /// What becomes of the expiry time.
    pub expiry: Expiry,
    /// What a repetition is recognised by, and refused.
    pub stamp: Stamp,
    /// Entries of writers that are removed, if they are still these.
    pub forget: Vec<(Writer, u64)>,
    /// Whether the item may be new, so that its index keys are written too. Otherwise it has to be there.
    pub may_create: bool,
}

/// What a write does to one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitWrite {
    /// The parameters that all numbers are scaled by; the item has to have the same, or none for this limit.
    pub limit: Limit,
    /// Added to the net consumption.
    pub consumed: Millitokens,
    /// The condition on the state, and the new state.
    pub step: Step,
}

/// The condition on a limit's state, and what it becomes. Numbers are on the scale of the limit's [`FullAt`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// If the state is at least `from` (the bucket is not full) and at most `to`: moves on by `cost`.
    Busy {
        /// Now.
        from: i128,
        /// Not below `from`. For a take: now, and the burst, less the cost, so that the bucket holds enough. For a
        /// charge, which may leave debt: as far as the expiry time covers.
        to: i128,
        /// What is taken.
        cost: i128,
    },
    /// If there is no state, or it is below `before` (the bucket is full): becomes `after`.
    Idle {
        /// Now.
        before: i128,
        /// Now, and the cost.
        after: i128,
        /// What the condition may take for granted.
        found: Found,
    },
    /// If there is no state, or it is at most `to` (the bucket is not in debt): stays.
    Stay {
        /// Now, and the burst.
        to: i128,
        /// What the condition may take for granted.
        found: Found,
    },
    /// If there is a state: moves back by `cost`.
    Return {
        /// What is returned.
        cost: i128,
    },
    /// If the state and the parameters are exactly these: becomes `after`.
    Swap {
        /// The parameters found.
        from_limit: Limit,
        /// The state found, on their scale.
        from: FullAt,
        /// The state to be, on the scale of the new parameters.
        after: FullAt,
    },
    /// Does not apply: what is asked can never be taken, or not from the state known. The answer brings the item.
    Never,
}

/// What is known of a limit that is taken to be full. The condition is as narrow as that, since DynamoDB bounds the
/// operators of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing: it may be there or not.
    Unknown,
    /// It was not there.
    Absent,
    /// It was there.
    Present,
}

/// What becomes of the expiry time, which never comes before the bucket is full (invariant I8). It never moves back
/// either, so that what one process knows of it stays true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Stays; refused if it is earlier than this, in s.
    Keep(u64),
    /// Becomes this, in s; refused if it is later already, for then somebody had a reason.
    Raise(u64),
}
