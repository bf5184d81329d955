//! What is told while a stack is being changed.

/// A step of what is being done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// The stack is being created.
    Creating,
    /// The stack is being updated.
    Updating,
    /// The stack is as it should be already.
    Unchanged,
    /// The stack is being deleted.
    Deleting,
    /// A resource of the stack reached a state.
    Resource {
        /// As the template calls it.
        name: String,
        /// For example `AWS::DynamoDB::Table`.
        kind: String,
        /// For example `CREATE_COMPLETE`.
        status: String,
        /// Why, if CloudFormation says so.
        reason: Option<String>,
        /// Resources that are done.
        done: usize,
        /// Resources that there will be, or were.
        total: usize,
    },
    /// The package is being uploaded.
    Uploading {
        /// Its size.
        bytes: usize,
    },
    /// The function runs the package.
    Published {
        /// The version that Lambda gave it.
        version: String,
    },
    /// The table remembers what was deployed.
    Recorded,
}

/// Whom to tell.
pub(crate) type Tell = Box<dyn FnMut(Progress) + Send>;
