//! `status`: how the stack and its function are.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;
use zae_limiter::Block;
use zae_limiter_deploy::{FunctionReport, StackReport, StackState};

use super::StackArgs;
use crate::args::Global;
use crate::exit::{Exit, Failure};
use crate::output::{self, Align, BAD, Cell, FAIR, GOOD, Table};

const EXAMPLES: &str = "\
Examples:
  zae-limiter status --region eu-central-1
  zae-limiter status --stack-name zae-limiter-rate-limits --json | jq .outputs";

/// Show how the stack and its function are.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    stack: StackArgs,
}

#[derive(Serialize)]
struct Shown<'a> {
    stack_name: &'a str,
    stack_id: &'a str,
    status: &'a str,
    reason: Option<&'a str>,
    advice: Option<&'a str>,
    created: Option<String>,
    updated: Option<String>,
    parameters: &'a BTreeMap<String, String>,
    outputs: &'a BTreeMap<String, String>,
    function: Option<Function<'a>>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    state: &'a str,
    last_update: &'a str,
    runtime: &'a str,
    architecture: &'a str,
    memory_mb: i32,
    timeout_s: i32,
    code_bytes: i64,
}

impl<'a> From<&'a FunctionReport> for Function<'a> {
    fn from(function: &'a FunctionReport) -> Self {
        Self {
            name: &function.name,
            state: &function.state,
            last_update: &function.last_update,
            runtime: &function.runtime,
            architecture: &function.architecture,
            memory_mb: function.memory_mb,
            timeout_s: function.timeout_s,
            code_bytes: function.code_bytes,
        }
    }
}

pub(crate) fn execute(args: StatusArgs, global: &Global) -> Result<Exit, Failure> {
    let report = args.stack.connect(global)?.status().wait()?;
    let shown = Shown {
        stack_name: &report.stack_name,
        stack_id: &report.stack_id,
        status: &report.status,
        reason: report.reason.as_deref(),
        advice: report.advice.as_deref(),
        created: report.created.map(|at| at.to_string()),
        updated: report.updated.map(|at| at.to_string()),
        parameters: &report.parameters,
        outputs: &report.outputs,
        function: report.function.as_ref().map(Into::into),
    };
    output::show(global.json, &shown, |_| text(&report))?;
    match report.advice {
        // What it is was printed; whether it works is told by the exit code.
        Some(advice) if report.state != StackState::Busy => Err(Failure::other(advice)),
        _ => Ok(Exit::Success),
    }
}

fn text(report: &StackReport) -> String {
    let style = match report.state {
        StackState::Complete => GOOD,
        StackState::Busy | StackState::UpdateTakenBack => FAIR,
        _ => BAD,
    };
    let mut table = Table::new([("stack", Align::Left), (report.stack_name.as_str(), Align::Left)]);
    let mut row = |name: &str, value: Cell| table.row([Cell::from(name), value]);
    row("status", Cell::styled(&report.status, style));
    for (name, value) in [("reason", &report.reason), ("created", &report.created.map(|at| at.to_string()))] {
        if let Some(value) = value {
            row(name, Cell::from(value));
        }
    }
    if let Some(updated) = report.updated {
        row("updated", Cell::from(updated));
    }
    if let Some(function) = &report.function {
        row("function", Cell::from(&function.name));
        let state = format!("{}, last update {}", function.state, function.last_update);
        let well = function.state == "Active" && function.last_update == "Successful";
        row("  state", Cell::styled(state, if well { GOOD } else { FAIR }));
        let kind = format!(
            "{} on {}, {} MB, {} s, package of {} KB",
            function.runtime,
            function.architecture,
            function.memory_mb,
            function.timeout_s,
            output::grouped((function.code_bytes + 999) / 1_000)
        );
        row("  runs", Cell::from(kind));
    }
    for (head, values) in [("parameters", &report.parameters), ("outputs", &report.outputs)] {
        if !values.is_empty() {
            row(head, Cell::from(""));
        }
        for (name, value) in values {
            row(&format!("  {name}"), Cell::from(value));
        }
    }
    table.render()
}
