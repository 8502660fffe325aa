use super::super::args::Args;
use super::super::look::SCHEMA;
use super::*;
use crate::control::{
    Done, DrainView, NatView, PeerView, PeersView, PlanView, RoutesView, SasView, StatsView,
    VpcsView, VrrpView, WhyView,
};
use clap::CommandFactory;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Makes the schema of a type.
type Make = fn(&mut SchemaGenerator) -> Schema;

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// What each command prints; several where it depends on the arguments.
const PRINTED: &[(&str, &[Make])] = &[
    ("peers", &[of::<PeersView>]),
    ("peers NAME", &[of::<PeerView>]),
    ("events", &[of::<Happened<'_>>]),
    ("why", &[of::<WhyView>]),
    ("routes", &[of::<RoutesView>]),
    ("sas", &[of::<SasView>]),
    ("vrrp", &[of::<VrrpView>]),
    ("vpcs", &[of::<VpcsView>]),
    ("nat", &[of::<NatView>]),
    ("stats", &[of::<StatsView>]),
    ("ping", &[of::<Echoes>]),
    ("doctor", &[of::<Found<'_>>]),
    ("diff", &[of::<PlanView>]),
    ("reload", &[of::<Done>]),
    ("reload --dry-run", &[of::<PlanView>]),
    ("confirm", &[of::<Done>]),
    ("log", &[of::<Done>]),
    ("rekey", &[of::<Done>]),
    ("initiate", &[of::<Done>]),
    ("terminate", &[of::<Done>]),
    ("drain", &[of::<DrainView>]),
    ("undrain", &[of::<Done>]),
    ("disable", &[of::<Done>]),
    ("enable", &[of::<Done>]),
    ("init", &[of::<Begun<'_>>]),
    ("peer add", &[of::<Edit<'_>>]),
    ("peer remove", &[of::<Edit<'_>>]),
    ("keygen", &[of::<NewSecret>, of::<NewSecretFile>, of::<NewKeyPair>]),
    ("pubkey", &[of::<PublicKey>]),
    ("ca init", &[of::<NewAuthority>]),
    ("ca issue", &[of::<NewCertificate>]),
    ("ca renew", &[of::<NewCertificate>, of::<Renewals>]),
    ("ca revoke", &[of::<NewList>]),
    ("ca list", &[of::<IssuedList>]),
    ("check", &[of::<Checked>, of::<Agreement>]),
    ("lab up", &[of::<PeersView>]),
    ("lab down", &[of::<Message>]),
    ("lab status", &[of::<LabStatus>]),
    ("lab fail", &[of::<Message>]),
    ("lab heal", &[of::<Healed>]),
    ("an error", &[of::<Failed>]),
];

/// What these print is no JSON, whatever is asked.
const OTHERWISE: [&str; 6] = ["top", "metrics", "capture", "completions", "manual", "lab exec"];

/// The whole document.
fn document() -> Value {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let made = PRINTED.iter().map(|(name, makes)| {
        let schemas: Vec<Value> =
            makes.iter().map(|make| make(&mut generator).to_value()).collect();
        ((*name).to_owned(), Value::from(schemas))
    });
    let commands: Map<String, Value> = made.collect();
    let mut any: Vec<Value> = Vec::new();
    for schema in commands.values().flat_map(|schemas| schemas.as_array().unwrap()) {
        if !any.contains(schema) {
            any.push(schema.clone());
        }
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("What vpnctl --json prints, schema {SCHEMA}"),
        "description": "One object a line. `x-commands` says which objects a command prints. Fields may be \
                        added, so unknown ones are to be ignored; none changes its meaning or goes without \
                        another number of the schema.",
        "type": "object",
        "properties": { "schema": { "const": SCHEMA } },
        "required": ["schema"],
        "anyOf": any,
        "x-commands": commands,
        "$defs": generator.take_definitions(true),
    })
}

/// After a change of what is printed: WRITE_SCHEMA=1 cargo test --lib schema
#[test]
fn the_schema_in_docs_is_what_the_types_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schema.json");
    let says = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    if std::env::var_os("WRITE_SCHEMA").is_some() {
        std::fs::write(path, &says).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap();
    assert!(written == says, "docs/schema.json is old: WRITE_SCHEMA=1 cargo test --lib schema");
}

#[test]
fn the_schema_knows_every_command() {
    let mut commands = BTreeMap::new();
    for command in Args::command().get_subcommands() {
        let name = command.get_name();
        let below: Vec<String> =
            command.get_subcommands().map(|below| format!("{name} {}", below.get_name())).collect();
        match below.is_empty() {
            true => drop(commands.insert(name.to_owned(), ())),
            false => commands.extend(below.into_iter().map(|below| (below, ()))),
        }
    }
    let known =
        |name: &str| PRINTED.iter().any(|(one, _)| *one == name) || OTHERWISE.contains(&name);
    let missing: Vec<&String> = commands.keys().filter(|name| !known(name)).collect();
    assert!(missing.is_empty(), "what do they print? {missing:?}");
}

#[test]
fn an_object_says_its_version() {
    let said = super::super::look::versioned(&Message { message: "done".to_owned() }).unwrap();
    assert_eq!(said, format!(r#"{{"message":"done","schema":{SCHEMA}}}"#));
}
