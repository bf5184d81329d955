//! `limits`: limits that are kept in the store, on four levels.

use clap::{Args, Subcommand};
use serde::Serialize;
use zae_limiter::{Block, EntityId, Limit, LimitScope, LimitSet, Limiter, Resource};

use crate::args::Global;
use crate::exit::{Exit, Failure};
use crate::output::{Align, Table, duration_in_words, grouped};
use crate::{output, store};

const EXAMPLES: &str = "\
Examples:
  zae-limiter limits set --entity key-1 --resource gpt-4 --limit rpm=100/min --limit tpm=10k/min:burst=15k
  zae-limiter limits set --system --limit rpm=10/min
  zae-limiter limits get --resource gpt-4
  zae-limiter limits get --effective key-1 gpt-4

The most specific apply: those of an entity on a resource, of an entity, of a resource, of the system. Changing limits
keeps what the buckets hold.";

/// Manage the limits that are kept in the store.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum LimitsCommand {
    Set(SetArgs),
    Get(GetArgs),
    Delete(DeleteArgs),
}

/// Store limits, in place of those stored there.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SetArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    /// A limit, for example rpm=100/min or tpm=10k/min:burst=15k; repeat for more.
    #[arg(long = "limit", required = true, value_name = "NAME=RATE/PERIOD[:burst=N]", value_delimiter = ',')]
    limits: Vec<Limit>,
}

/// Show stored limits.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct GetArgs {
    /// Show the limits that apply to an entity on a resource, wherever they are stored.
    #[arg(
        long,
        num_args = 2,
        value_names = ["ENTITY", "RESOURCE"],
        conflicts_with_all = ["system", "entity", "resource"]
    )]
    effective: Option<Vec<String>>,
    #[command(flatten)]
    scope: ScopeArgs,
}

/// Remove stored limits.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    scope: ScopeArgs,
}

/// Where limits are stored.
#[derive(Args, Debug)]
struct ScopeArgs {
    /// For this entity: on every resource, or on the one given.
    #[arg(long)]
    entity: Option<EntityId>,
    /// On this resource: for every entity, or for the one given.
    #[arg(long)]
    resource: Option<Resource>,
    /// For everything without limits of its own.
    #[arg(long, conflicts_with_all = ["entity", "resource"])]
    system: bool,
}

impl ScopeArgs {
    fn into_scope(self) -> Result<LimitScope, Failure> {
        match (self.entity, self.resource, self.system) {
            (Some(entity), Some(resource), _) => Ok(LimitScope::EntityResource(entity, resource)),
            (Some(entity), None, _) => Ok(LimitScope::Entity(entity)),
            (None, Some(resource), _) => Ok(LimitScope::Resource(resource)),
            (None, None, true) => Ok(LimitScope::System),
            (None, None, false) => {
                Err(Failure::bad_input("say where: --entity, --resource, both, or --system"))
            }
        }
    }
}

#[derive(Serialize)]
struct Stored {
    /// `entity_resource`, `entity`, `resource` or `system`; `null` if none are stored anywhere.
    level: Option<&'static str>,
    entity_id: Option<EntityId>,
    resource: Option<Resource>,
    limits: Vec<Limit>,
    #[serde(skip)]
    place: String,
}

pub(crate) fn execute(command: LimitsCommand, global: &Global) -> Result<Exit, Failure> {
    let stored = match command {
        LimitsCommand::Set(args) => {
            let limits = LimitSet::new(args.limits).map_err(zae_limiter::Error::from)?;
            let scope = args.scope.into_scope()?;
            store::open(global)?.set_limits(&scope, &limits).wait()?;
            Stored::at(scope, Some(limits))
        }
        LimitsCommand::Get(GetArgs { effective: Some(names), .. }) => {
            let [entity, resource] = &names[..] else {
                return Err(Failure::bad_input("--effective takes an entity and a resource"));
            };
            let entity = EntityId::new(entity).map_err(zae_limiter::Error::from)?;
            let resource = Resource::new(resource).map_err(zae_limiter::Error::from)?;
            effective(&store::open(global)?, entity, resource)?
        }
        LimitsCommand::Get(args) => {
            let scope = args.scope.into_scope()?;
            let limits = store::open(global)?.limits(&scope).wait()?;
            Stored::at(scope, limits)
        }
        LimitsCommand::Delete(args) => {
            let scope = args.scope.into_scope()?;
            store::open(global)?.delete_limits(&scope).wait()?;
            Stored::at(scope, None)
        }
    };
    output::show(global.json, &stored, Stored::text)?;
    Ok(Exit::Success)
}

/// The limits that apply, and where they come from.
fn effective(limiter: &Limiter, entity: EntityId, resource: Resource) -> Result<Stored, Failure> {
    let config = limiter.store().config(&entity, &resource).wait().map_err(zae_limiter::Error::from)?;
    let place = format!("{entity} on {resource}");
    let levels = [
        (config.entity_resource, LimitScope::EntityResource(entity.clone(), resource.clone())),
        (config.entity, LimitScope::Entity(entity)),
        (config.resource, LimitScope::Resource(resource)),
        (config.system, LimitScope::System),
    ];
    let found = levels.into_iter().find_map(|(limits, scope)| Some((limits?, scope)));
    Ok(match found {
        Some((limits, scope)) => Stored::at(scope, Some(limits)),
        None => Stored { level: None, entity_id: None, resource: None, limits: Vec::new(), place },
    })
}

impl Stored {
    fn at(scope: LimitScope, limits: Option<LimitSet>) -> Self {
        let place = scope.to_string();
        let (level, entity_id, resource) = match scope {
            LimitScope::EntityResource(entity, resource) => ("entity_resource", Some(entity), Some(resource)),
            LimitScope::Entity(entity) => ("entity", Some(entity), None),
            LimitScope::Resource(resource) => ("resource", None, Some(resource)),
            LimitScope::System => ("system", None, None),
        };
        let limits = limits.map(Into::into).unwrap_or_default();
        Self { level: Some(level), entity_id, resource, limits, place }
    }

    fn text(&self) -> String {
        if self.limits.is_empty() {
            return format!("no limits are stored for {}\n", self.place);
        }
        let mut table = Table::new([
            ("LIMIT", Align::Left),
            ("CAPACITY", Align::Right),
            ("BURST", Align::Right),
            ("REFILL", Align::Right),
            ("AS TEXT", Align::Left),
        ]);
        for limit in &self.limits {
            let period = duration_in_words(limit.refill_period());
            table.row([
                limit.name().into(),
                grouped(limit.capacity()).into(),
                grouped(limit.burst()).into(),
                format!("{} per {period}", grouped(limit.refill_amount())).into(),
                limit.into(),
            ]);
        }
        format!("limits of {}\n{}", self.place, table.render())
    }
}
