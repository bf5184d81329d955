//! A store over the model, simple enough to be right, and the same store with one [`Flaw`] at a time: what the
//! suite is tested with.

mod pending;
mod state;
mod store;

pub(crate) use pending::{CancellationFlaw, PendingStore};
pub(crate) use store::ReferenceStore;

/// A mistake that a store may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Admits a request for which one token is missing.
    AdmitsOneTooMany,
    /// Admits a request for nothing whatever the balance.
    AdmitsNothingInDebt,
    /// Denies a request for nothing when the bucket is just empty.
    DeniesNothingWhenEmpty,
    /// Stops a charge at an empty bucket.
    ForgetsDebt,
    /// Keeps what is returned to a full bucket.
    BanksReturns,
    /// Keeps what flows into a full bucket, up to a second burst.
    BanksIdleTime,
    /// Loses fractions of a millitoken whenever a bucket is looked at.
    RoundsRefill,
    /// Takes from every limit before the first that refuses.
    TakesUpToTheRefusal,
    /// Counts a denied take in the usage.
    CountsDenials,
    /// Fills the bucket when a limit changes.
    FillsOnChange,
    /// Goes by the old limit when it has changed.
    KeepsOldTerms,
    /// Forgets the limits that a call does not name, which fills them.
    ForgetsUnnamed,
    /// Lets a denied take change a limit.
    ChangesLimitOnDenial,
    /// Lets a read change a limit.
    ChangesLimitOnRead,
    /// Forgets a bucket when its fastest limit is full, not its slowest.
    ExpiresWithFastest,
    /// Lists states in the order of the limits' names.
    SortsStates,
    /// Decides, and writes a moment later.
    DecidesThenWrites,
    /// Locks bucket after bucket in the order in which a call lists them.
    LocksInLevelOrder,
    /// Does not count returns that come with a rollback.
    RollsBackUncounted,
    /// Counts in the hour in which a bucket was first used.
    CountsInFirstHour,
    /// Loses the usage of later hours when the clock goes back.
    LosesLaterHours,
    /// Counts acquires on the first level only.
    CountsFirstLevelOnly,
    /// Drops the usage of buckets that are full.
    DropsUsageOfFull,
    /// Takes `from` for exclusive and `to` for inclusive.
    ShiftsUsageRange,
    /// Writes over an entity that exists.
    OverwritesEntity,
    /// Deletes everything whose id begins with the id.
    DeletesByPrefix,
    /// Leaves buckets behind.
    DeletesRecordOnly,
    /// Deletes the children too.
    DeletesChildren,
    /// Takes `A` for `a`.
    IgnoresCase,
    /// Cannot tell `a/b` on `c` from `a` on `b/c`.
    JoinsKeys,
    /// Has one place for the limits of an entity and those of a resource of the same name.
    MixesScopes,
    /// Finds no limits of an entity that has no record.
    NeedsRecordForLimits,
    /// Lists entities as they come.
    DoesNotSort,
    /// Lists the buckets of all resources.
    ListsOtherResources,
}
