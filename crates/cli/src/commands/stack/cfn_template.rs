//! `cfn-template`: the CloudFormation template, for whoever deploys by other means.

use std::path::PathBuf;

use clap::Args;
use zae_limiter_deploy::template::TEMPLATE;

use crate::exit::{Exit, Failure};
use crate::output;

const EXAMPLES: &str = "\
Examples:
  zae-limiter cfn-template -o template.yaml
  zae-limiter cfn-template | cfn-lint -

By other means than `zae-limiter deploy`:
  aws cloudformation deploy --template-file template.yaml --stack-name limits --capabilities CAPABILITY_IAM
  zae-limiter lambda-export -o lambda.zip
  aws s3 cp lambda.zip s3://BUCKET/lambda.zip      (BUCKET is the stack's output CodeBucketName)
  aws cloudformation deploy --template-file template.yaml --stack-name limits --capabilities CAPABILITY_IAM \\
    --parameter-overrides CodeKey=lambda.zip Architecture=x86_64";

/// Print the CloudFormation template.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CfnTemplateArgs {
    /// Write it into this file.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) fn execute(args: &CfnTemplateArgs) -> Result<Exit, Failure> {
    match &args.output {
        None => output::print(TEMPLATE)?,
        Some(path) => {
            std::fs::write(path, TEMPLATE).map_err(|error| Failure::file("write", path, &error))?;
        }
    }
    Ok(Exit::Success)
}
