//! What `zae-limiter` needs in AWS, and its upkeep: the stack with the table and the function that counts usage
//! ([`template`]), the function's [`package`], and [`StackManager`], which creates, watches, upgrades and deletes them.
//!
//! [`prepare`] is for whoever opens a limiter: it creates the stack or brings its function up to date first, if asked to.

mod error;
pub mod package;
mod prepare;
mod stack;
pub mod template;

pub use error::{DeployError, DeployErrorKind};
pub use package::{Architecture, Package, PackageError};
pub use prepare::{Preparation, Prepared, prepare};
pub use stack::{
    Deleted, Deployed, Deployment, FunctionReport, Jitter, Progress, StackManager, StackName, StackNameError,
    StackReport, StackState, Upgrade, Upgraded,
};
pub use template::{ParameterError, SnapshotWindows, StackParameters};
