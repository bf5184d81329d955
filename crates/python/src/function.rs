//! The executable that becomes the function. The Python package has none, as its command runs within the interpreter: one
//! of the same release has to lie on the path, or be named.

use std::env;
use std::path::{Path, PathBuf};

use zae_limiter_deploy::{Package, PackageError, StackParameters};

/// Names the executable, if not the one on the path is meant.
const NAMED: &str = "ZAE_LIMITER_EXECUTABLE";
const PROGRAM: &str = "zae-limiter";

/// An executable that can be the function.
pub(crate) struct Executable {
    pub(crate) path: PathBuf,
    pub(crate) package: Package,
}

impl Executable {
    fn at(path: PathBuf) -> Result<Self, PackageError> {
        let package = Package::of_executable(&path)?;
        Ok(Self { path, package })
    }

    /// The executable that is named, else the first on the path that can be the function. `None` if there is no such, an
    /// error if what is named is not.
    pub(crate) fn find() -> Result<Option<Self>, String> {
        if let Some(named) = env::var_os(NAMED).filter(|named| !named.is_empty()) {
            return Self::at(named.into()).map(Some).map_err(|error| format!("{NAMED}: {error}"));
        }
        let path = env::var_os("PATH").unwrap_or_default();
        let places = env::split_paths(&path).map(|place| place.join(PROGRAM));
        // The package's own command lies there too: a script, which is passed over.
        Ok(places.filter(|place| Path::is_file(place)).find_map(|place| Self::at(place).ok()))
    }
}

/// What to say where there is none.
pub(crate) fn lacking() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("no executable of zae-limiter {version} is on the PATH or named by {NAMED}")
}

/// The executable for a new stack, and a warning if it gets no function for want of one.
pub(crate) fn of_new_stack(
    parameters: &mut StackParameters,
    table: &str,
) -> Result<(Option<Executable>, Option<String>), String> {
    if parameters.enable_aggregator == Some(false) {
        return Ok((None, None));
    }
    if let Some(executable) = Executable::find()? {
        return Ok((Some(executable), None));
    }
    let advice = format!("run `zae-limiter deploy --table-name {table}` of a release's executable to add it");
    if parameters.enable_aggregator == Some(true) {
        return Err(format!("there is nothing that could be its function: {}; {advice}", lacking()));
    }
    parameters.enable_aggregator = Some(false);
    let warning = format!(
        "the stack of table {table} has no function, so usage is not counted: {}; {advice}, or say \
         EnableAggregator=false",
        lacking()
    );
    Ok((None, Some(warning)))
}
