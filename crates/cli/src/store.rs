//! Where the store is, and opening it.

use etcetera::BaseStrategy;
use zae_limiter::{Block, Limiter, StoreUrl};

use crate::args::Global;
use crate::exit::Failure;

/// Why there is no limiter.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// The store cannot be reached now.
    Unavailable(zae_limiter::Error),
    /// Anything else.
    Failed(Failure),
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Unavailable(error) => error.into(),
            OpenError::Failed(failure) => failure,
        }
    }
}

/// Opens the store that was asked for, or the default one.
pub(crate) fn open(global: &Global) -> Result<Limiter, OpenError> {
    let url = match &global.store {
        Some(url) => url
            .parse::<StoreUrl>()
            .map_err(|error| OpenError::Failed(zae_limiter::Error::from(error).into()))?,
        None => default_store().map_err(OpenError::Failed)?,
    };
    let limiter = Limiter::builder().failure_mode(global.failure_mode).open(&url).wait();
    limiter.map_err(|error| {
        if error.is_unavailable() { OpenError::Unavailable(error) } else { OpenError::Failed(error.into()) }
    })
}

/// `limits.db` in the user's data directory, which is made if it is not there yet.
fn default_store() -> Result<StoreUrl, Failure> {
    let name_one = "name a store with --store or ZAE_LIMITER_STORE";
    let base = etcetera::choose_base_strategy()
        .map_err(|error| Failure::bad_input(format!("there is no data directory ({error}): {name_one}")))?;
    let directory = base.data_dir().join("zae-limiter");
    std::fs::create_dir_all(&directory).map_err(|error| {
        Failure::bad_input(format!("cannot create {}: {error}; {name_one}", directory.display()))
    })?;
    let file = directory.join("limits.db");
    let path = file
        .to_str()
        .ok_or_else(|| Failure::bad_input(format!("{} is not UTF-8: {name_one}", file.display())))?;
    Ok(StoreUrl::sqlite(path))
}
