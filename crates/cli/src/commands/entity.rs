//! `entity`: records of entities.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use serde::Serialize;
use zae_limiter::{Block, Entity, EntityId};

use crate::args::Global;
use crate::exit::{Exit, Failure};
use crate::output::{Align, Table, minute};
use crate::{output, store};

const EXAMPLES: &str = "\
Examples:
  zae-limiter entity create acme --name 'Acme Ltd.'
  zae-limiter entity create key-1 --parent acme --metadata team=search
  zae-limiter entity children acme
  zae-limiter entity list --json | jq -r .[].id";

/// Manage entities and their parents.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum EntityCommand {
    Create(CreateArgs),
    /// Show an entity.
    Get(OneArgs),
    /// List all entities that have a record.
    List,
    /// List the entities directly below one.
    Children(OneArgs),
    /// Delete an entity with its buckets, stored limits and usage; its children stay.
    Delete(OneArgs),
}

/// Make the record of an entity. Limits apply to ids without one too; a record adds a parent.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CreateArgs {
    /// Its id: 1 to 256 characters, no '#'.
    entity: EntityId,
    /// A name for people [default: the id]
    #[arg(long)]
    name: Option<String>,
    /// The entity above it, from which --cascade also takes.
    #[arg(long, value_name = "ENTITY")]
    parent: Option<EntityId>,
    /// Whatever else is to be remembered; repeat for more.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    metadata: Vec<(String, String)>,
}

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct OneArgs {
    /// The id.
    entity: EntityId,
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

#[derive(Serialize)]
struct Record<'a> {
    id: &'a EntityId,
    name: &'a str,
    parent_id: Option<&'a EntityId>,
    metadata: &'a BTreeMap<String, String>,
    created_at: String,
}

#[derive(Serialize)]
struct Deleted<'a> {
    deleted: &'a EntityId,
}

pub(crate) fn execute(command: EntityCommand, global: &Global) -> Result<Exit, Failure> {
    let limiter = store::open(global)?;
    match command {
        EntityCommand::Create(args) => {
            let mut create = limiter.create_entity(args.entity.as_str());
            if let Some(name) = &args.name {
                create = create.name(name);
            }
            if let Some(parent) = &args.parent {
                create = create.parent(parent.as_str());
            }
            let mut metadata = BTreeMap::new();
            for (key, value) in args.metadata {
                if let Some(key) = metadata.insert(key.clone(), value).map(|_| key) {
                    return Err(Failure::bad_input(format!("metadata {key:?} is given twice")));
                }
            }
            show_one(&create.metadata(metadata).wait()?, global)
        }
        EntityCommand::Get(args) => match limiter.entity(args.entity.as_str()).wait()? {
            Some(entity) => show_one(&entity, global),
            None => Err(Failure::other(format!("there is no record of entity {}", args.entity))),
        },
        EntityCommand::List => show(&limiter.entities().wait()?, global),
        EntityCommand::Children(args) => show(&limiter.children(args.entity.as_str()).wait()?, global),
        EntityCommand::Delete(args) => {
            limiter.delete_entity(args.entity.as_str()).wait()?;
            let deleted = Deleted { deleted: &args.entity };
            output::show(global.json, &deleted, |_| format!("deleted {}\n", args.entity))?;
            Ok(Exit::Success)
        }
    }
}

fn record(entity: &Entity) -> Record<'_> {
    Record {
        id: &entity.id,
        name: &entity.name,
        parent_id: entity.parent_id.as_ref(),
        metadata: &entity.metadata,
        created_at: entity.created_at.to_string(),
    }
}

fn show_one(entity: &Entity, global: &Global) -> Result<Exit, Failure> {
    output::show(global.json, &record(entity), |_| table(std::slice::from_ref(entity)))?;
    Ok(Exit::Success)
}

fn show(entities: &[Entity], global: &Global) -> Result<Exit, Failure> {
    let records: Vec<Record<'_>> = entities.iter().map(record).collect();
    output::show(global.json, &records, |_| table(entities))?;
    Ok(Exit::Success)
}

fn table(entities: &[Entity]) -> String {
    if entities.is_empty() {
        return "no entities\n".to_owned();
    }
    let mut table = Table::new([
        ("ENTITY", Align::Left),
        ("NAME", Align::Left),
        ("PARENT", Align::Left),
        ("CREATED (UTC)", Align::Left),
        ("METADATA", Align::Left),
    ]);
    for entity in entities {
        let metadata = entity.metadata.iter().map(|(key, value)| format!("{key}={value}"));
        table.row([
            (&entity.id).into(),
            (&entity.name).into(),
            entity.parent_id.as_ref().map_or("", EntityId::as_str).into(),
            minute(entity.created_at).into(),
            metadata.collect::<Vec<_>>().join(" ").into(),
        ]);
    }
    table.render()
}
