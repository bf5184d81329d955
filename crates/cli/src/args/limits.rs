//! Which limits a call is held to.

use clap::Args;
use zae_limiter::{Limit, LimitSet, Limits};

use crate::exit::Failure;

#[derive(Args, Debug)]
pub(crate) struct LimitArgs {
    /// A limit, for example rpm=100/min or tpm=10k/min:burst=15k; repeat for more [default: the stored limits]
    #[arg(long = "limit", value_name = "NAME=RATE/PERIOD[:burst=N]", value_delimiter = ',')]
    limits: Vec<Limit>,
    /// Use the stored limits; those of --limit only where none are stored.
    #[arg(long)]
    stored: bool,
}

impl LimitArgs {
    pub(crate) fn into_limits(self) -> Result<Limits, Failure> {
        if self.limits.is_empty() {
            return Ok(Limits::Stored);
        }
        let given = LimitSet::new(self.limits).map_err(zae_limiter::Error::from)?;
        Ok(if self.stored { Limits::StoredElse(given) } else { Limits::Given(given) })
    }
}
