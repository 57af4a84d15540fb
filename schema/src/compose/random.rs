//! What holds for any set of services: the graph is well made, the order they come in is nothing, and a
//! newcomer changes nothing that was there.
//!
//! The services are random but made to collide: few names, few packages, keys that fit and keys that do not.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::{Locks, compose, verify};
use crate::graph::{Resolve, Type};
use crate::subgraph::{Exposure, read};
use crate::{Subgraph, Supergraph, fixture};

const SERVICES: [&str; 5] = ["accounts", "books", "clubs", "desks", "events"];
const ENTITIES: [&str; 3] = ["User", "Item", "Tag"];
const FIELDS: [&str; 3] = ["name", "notes", "others"];
const KEYS: [&str; 4] = ["string", "int64", "uint32", "double"];

#[derive(Clone, Debug)]
struct Service {
    name: &'static str,
    owns: Vec<Owned>,
    refers: Vec<(&'static str, &'static str)>,
    adds: Vec<Added>,
    /// The fields that its copy of a shared message has beyond the common one, and whether it uses it.
    shared: Option<u8>,
    mutates: bool,
    /// A message of its own that is called like an entity and is none.
    stub: Option<&'static str>,
}

#[derive(Clone, Debug)]
struct Owned {
    entity: &'static str,
    key: &'static str,
    /// 0: none, 1: single, 2: batch.
    lookup: u8,
    root: bool,
}

#[derive(Clone, Debug)]
struct Added {
    entity: &'static str,
    field: &'static str,
    key: &'static str,
    batch: bool,
}

fn service(name: &'static str) -> impl Strategy<Value = Service> {
    let owned = (select(&KEYS[..]), 0..3u8, any::<bool>());
    let owns = subsequence(&ENTITIES[..], 0..=2)
        .prop_flat_map(move |names| (Just(names.clone()), prop::collection::vec(owned.clone(), names.len())))
        .prop_map(|(names, rest)| {
            let all = names.into_iter().zip(rest);
            all.map(|(entity, (key, lookup, root))| Owned { entity, key, lookup, root }).collect::<Vec<_>>()
        });
    let refers = prop::collection::vec((select(&ENTITIES[..]), select(&KEYS[..])), 0..3);
    let added = (select(&ENTITIES[..]), select(&FIELDS[..]), select(&KEYS[..]), any::<bool>());
    let adds = prop::collection::vec(added, 0..3).prop_map(|all| {
        all.into_iter().map(|(entity, field, key, batch)| Added { entity, field, key, batch }).collect()
    });
    let rest = (prop::option::of(0..3u8), any::<bool>(), prop::option::of(select(&ENTITIES[..])));
    (owns, refers, adds, rest).prop_map(move |(owns, refers, adds, (shared, mutates, stub))| {
        let owned = |stub: &&str| owns.iter().any(|owned: &Owned| owned.entity == *stub);
        let stub = stub.filter(|stub| !owned(stub));
        Service { name, owns, refers, adds, shared, mutates, stub }
    })
}

fn world() -> impl Strategy<Value = Vec<Service>> {
    subsequence(&SERVICES[..], 1..=4)
        .prop_flat_map(|names| names.into_iter().map(service).collect::<Vec<_>>())
}

/// What random services offer.
pub(crate) fn subgraphs() -> impl Strategy<Value = Vec<Subgraph>> {
    world().prop_map(|world| world.iter().map(subgraph).collect())
}

fn shuffled() -> impl Strategy<Value = (Vec<Service>, Vec<Service>)> {
    world().prop_flat_map(|world| (Just(world.clone()), Just(world).prop_shuffle()))
}

fn subgraph(service: &Service) -> Subgraph {
    let head = |package: &str| {
        format!(
            "syntax = \"proto3\";\npackage {package};\nimport \"turnout/graphql/v1/options.proto\";\n\
             import \"google/api/field_behavior.proto\";\n\
             import \"google/protobuf/timestamp.proto\";\n"
        )
    };
    let shared = head("shared.v1") + &shared(service.shared.unwrap_or(0));
    let own = head(&format!("{}.v1", service.name)) + "import \"shared.proto\";\n" + &own(service);
    let files = [("own.proto", own.as_str()), ("shared.proto", shared.as_str())];
    read(service.name, "1.0.0", &fixture::descriptors(&files), Exposure::Annotated).subgraph
}

fn shared(extra: u8) -> String {
    let extra = ["", "string more = 9;", "Detail more = 9;"][usize::from(extra)];
    format!(
        "message Note {{ string text = 1; Detail detail = 2; string user_id = 3 {}; }}
        message Detail {{ Level level = 1; {extra} }}
        enum Level {{ LEVEL_UNSPECIFIED = 0; LEVEL_LOW = 1; }}",
        "[(turnout.graphql.v1.field) = {ref: \"User\"}]"
    )
}

/// What every service's own message has, beside keys: a union, a map, itself.
const VISIT: &str = "
    oneof kind {
        option (turnout.graphql.v1.oneof) = {union: \"Kind\"};
        Walk walk = 10;
        Ride ride = 11;
        string note = 12;
    }
    oneof how { string by = 13; Ride with = 14; }
    map<string, Walk> walks = 15;
    repeated Visit again = 16;
    google.protobuf.Timestamp time = 17;";

/// What is asked of every service: one of each form.
const ASKED: &str = "
    repeated Filter all = 2;
    map<string, Filter> named = 3;
    oneof by { string code = 4; uint64 number = 5; }
    shared.v1.Level level = 6;
    optional double far = 7;
    google.protobuf.Timestamp since = 8;
    repeated bytes tokens = 9;
    int32 page_size = 10;";

const FILTER: &str = "
    message Filter {
        Filter not = 1;
        string name = 2 [(google.api.field_behavior) = REQUIRED];
        oneof by { bool all = 3; Filter any = 4; }
        repeated int32 sizes = 5;
    }
    message Walk { string name = 1; int32 steps = 2; Ride back = 3; }
    message Ride { string name = 1; bool fast = 2; }\n";

const READS: &str = "option idempotency_level = NO_SIDE_EFFECTS;";

fn own(service: &Service) -> String {
    let (mut rpcs, mut messages) = (String::new(), String::new());
    let mut rpc = |name: &str, types: (&str, &str), options: &str| {
        rpcs += &format!("rpc {name}({}) returns ({}) {{ {options} }}\n", types.0, types.1);
    };
    for Owned { entity, key, lookup, root } in &service.owns {
        messages += &format!(
            "message {entity} {{
                option (turnout.graphql.v1.entity) = {{key: \"id\"}};
                {key} id = 1;
                string name = 2;
            }}
            message Get{entity}Request {{ {key} id = 1; }}
            message Batch{entity}Request {{ repeated {key} ids = 1; }}
            message Batch{entity}Response {{ repeated {entity} items = 1; }}\n"
        );
        let hidden = if *root { "" } else { "hidden: true" };
        let single = if *lookup == 1 {
            format!("lookup: {{ entity: \"{entity}\", keys: \"id\" }}")
        } else {
            String::new()
        };
        let options = format!("{READS} option (turnout.graphql.v1.rpc) = {{ {hidden} {single} }};");
        rpc(&format!("Find{entity}"), (&format!("Get{entity}Request"), entity), &options);
        if *lookup == 2 {
            let options = format!(
                "{READS} option (turnout.graphql.v1.rpc) = {{
                    hidden: true
                    lookup: {{ entity: \"{entity}\", keys: \"ids\", items: \"items\" }}
                }};"
            );
            let types = (&*format!("Batch{entity}Request"), &*format!("Batch{entity}Response"));
            rpc(&format!("Many{entity}"), types, &options);
        }
    }
    messages += &visits(service);
    messages += FILTER;
    rpc("GetVisit", ("VisitRequest", "Visit"), READS);
    if service.shared.is_some() {
        rpc(&format!("{}Note", service.name), ("VisitRequest", "shared.v1.Note"), READS);
    }
    if let Some(stub) = service.stub {
        messages += &format!("message {stub} {{ string name = 1; }}\n");
        rpc(&format!("{}Stub", service.name), ("VisitRequest", stub), READS);
    }
    if service.mutates {
        rpc("Save", ("VisitRequest", "Visit"), "");
        rpc("WatchVisits", ("VisitRequest", "stream Visit"), READS);
    }
    for (place, Added { entity, field, key, batch }) in service.adds.iter().enumerate() {
        let (many, group) = if *batch { ("repeated", "group_by: \"key\"") } else { ("", "") };
        messages += &format!(
            "message Add{place}Request {{ {many} {key} keys = 1; }}
            message Add{place}Item {{ {key} key = 1; string text = 2; }}
            message Add{place}Response {{ repeated Add{place}Item items = 1; }}\n"
        );
        let extends =
            format!("entity: \"{entity}\", field: \"{field}\", key: \"keys\", items: \"items\" {group}");
        let options = format!(
            "{READS} option (turnout.graphql.v1.rpc) = {{ hidden: true, extends: {{ {extends} }} }};"
        );
        let types = (&*format!("Add{place}Request"), &*format!("Add{place}Response"));
        rpc(&format!("Add{place}"), types, &options);
    }
    format!("service S {{ option (turnout.graphql.v1.service) = {{expose: true}};\n{rpcs} }}\n{messages}")
}

/// What it answers, with what that refers to, and how it is asked.
fn visits(service: &Service) -> String {
    let mut visit = String::new();
    for (place, (entity, key)) in service.refers.iter().enumerate() {
        let number = place + 2;
        let option = format!("(turnout.graphql.v1.field) = {{ref: \"{entity}\", as: \"to{number}\"}}");
        visit += &format!("{key} of{number} = {number} [{option}]; ");
    }
    format!("message Visit {{ {visit} {VISIT} }} message VisitRequest {{ Filter filter = 1; {ASKED} }}\n")
}

/// What a client could use of `old` and cannot use of `new`, or finds changed.
fn lost(old: &Supergraph, new: &Supergraph) -> Vec<String> {
    let mut lost = Vec::new();
    for (name, ty) in &old.types {
        match (ty, new.types.get(name)) {
            (Type::Object(ours), Some(Type::Object(theirs))) => {
                let kept = |field: &&crate::graph::Field| {
                    theirs.field(&field.name).is_some_and(|their| their.ty == field.ty)
                        || field.resolve == Resolve::Ok
                };
                let gone = ours.fields.iter().filter(|field| !kept(field));
                lost.extend(gone.map(|field| format!("{name}.{}", field.name)));
                if ours.source != theirs.source {
                    lost.push(format!("{name} is {} and was {}", theirs.source, ours.source));
                }
            }
            (_, Some(their)) if std::mem::discriminant(ty) == std::mem::discriminant(their) => {}
            _ => lost.push(name.to_string()),
        }
    }
    let service = |graph: &Supergraph, by: usize| graph.members[by].service.clone();
    for root in &old.roots {
        let same = new
            .roots
            .iter()
            .any(|their| their.what.rpc == root.what.rpc && service(new, their.by) == service(old, root.by));
        if !same {
            lost.push(format!("{}.{}", root.what.kind.as_str(), root.what.field.name));
        }
    }
    lost
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_graph_is_well_made(world in world()) {
        let subgraphs: Vec<Subgraph> = world.iter().map(subgraph).collect();
        let composition = compose(&subgraphs, &Locks::default());
        let graph = composition.supergraph.expect("every service has a query");
        prop_assert_eq!(verify(&graph), Vec::<String>::new());
        let again = compose(&subgraphs, &composition.locks);
        prop_assert_eq!(again.supergraph, Some(graph));
        prop_assert_eq!(again.locks, composition.locks);
        prop_assert_eq!(again.diagnostics, composition.diagnostics);
    }

    #[test]
    fn the_order_is_nothing((world, shuffled) in shuffled()) {
        let compose = |world: &[Service]| {
            let composition = compose(&world.iter().map(subgraph).collect::<Vec<_>>(), &Locks::default());
            (composition.supergraph, composition.locks, composition.diagnostics)
        };
        prop_assert_eq!(compose(&world), compose(&shuffled));
    }

    #[test]
    fn a_newcomer_changes_nothing_that_was_there((_, coming) in shuffled()) {
        let mut there: Vec<Subgraph> = Vec::new();
        let (mut locks, mut before) = (Locks::default(), None);
        for service in &coming {
            there.push(subgraph(service));
            let composition = compose(&there, &locks);
            locks = composition.locks;
            let after = composition.supergraph.expect("every service has a query");
            prop_assert_eq!(verify(&after), Vec::<String>::new());
            if let Some(before) = &before {
                prop_assert_eq!(lost(before, &after), Vec::<String>::new());
            }
            before = Some(after);
        }
    }
}
