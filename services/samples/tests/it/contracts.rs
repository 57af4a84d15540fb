//! What is in the descriptor sets that the samples register.
//!
//! The contracts together must use every mapping from protobuf to GraphQL, so that a demo shows all
//! and a test misses none. That is counted here by walking the descriptors.

use std::collections::BTreeSet;

use prost_reflect::{
    Cardinality, DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor,
    Value,
};
use turnout_samples::{DEMO, descriptors};

fn pools() -> Vec<(String, DescriptorPool)> {
    DEMO.iter()
        .map(|(service, version)| {
            let bytes = descriptors(service, version).unwrap();
            (format!("{service} {version}"), DescriptorPool::decode(bytes).unwrap())
        })
        .collect()
}

/// Whether a message is ours rather than imported.
fn ours(message: &MessageDescriptor) -> bool {
    ["shop.", "todo.", "demo."].iter().any(|package| message.package_name().starts_with(package))
}

fn messages(pool: &DescriptorPool) -> Vec<MessageDescriptor> {
    pool.all_messages().filter(|message| ours(message) && !message.is_map_entry()).collect()
}

fn fields() -> Vec<FieldDescriptor> {
    pools()
        .iter()
        .flat_map(|(_, pool)| messages(pool))
        .flat_map(|message| message.fields().collect::<Vec<_>>())
        .collect()
}

fn methods() -> Vec<MethodDescriptor> {
    let services = |pool: DescriptorPool| pool.services().collect::<Vec<_>>();
    pools()
        .into_iter()
        .flat_map(|(_, pool)| services(pool))
        .flat_map(|s| s.methods().collect::<Vec<_>>())
        .collect()
}

/// The value of one of our options, found by its full name.
fn option(options: &DynamicMessage, name: &str) -> Option<DynamicMessage> {
    let found = options.extensions().find(|(extension, _)| extension.full_name() == name);
    found.and_then(|(_, value)| value.as_message().cloned())
}

/// The names of the fields that are set.
fn set_fields(message: &DynamicMessage) -> Vec<String> {
    message.fields().map(|(field, _)| field.name().to_owned()).collect()
}

#[test]
fn every_demo_version_has_a_descriptor_set_and_no_other_version_does() {
    assert_eq!(pools().len(), DEMO.len());
    assert!(descriptors("orders", "2.9.3").is_some(), "any version of a known contract will do");
    for (service, version) in [("orders", "3.0.0"), ("orders", "1.0.0"), ("nobody", "1.0.0"), ("math", "1")] {
        assert!(descriptors(service, version).is_none(), "{service} {version}");
    }
}

#[test]
fn a_release_candidate_has_the_contract_of_its_release() {
    assert_eq!(descriptors("catalog", "1.5.0-rc.1"), descriptors("catalog", "1.5.0"));
    assert_ne!(descriptors("catalog", "1.4.9"), descriptors("catalog", "1.5.0"));
}

#[test]
fn everything_of_ours_is_described() {
    for (name, pool) in pools() {
        for message in messages(&pool) {
            let file = message.parent_file();
            let info = file.file_descriptor_proto().source_code_info.as_ref();
            let described: BTreeSet<_> = info
                .map(|info| info.location.iter().filter(|place| place.leading_comments.is_some()))
                .expect("source info")
                .map(|place| place.path.clone())
                .collect();
            assert!(described.contains(message.path()), "{name}: {} has no comment", message.full_name());
            for field in message.fields() {
                // The comment of a group stands at its message.
                let known = described.contains(field.path()) || field.is_group();
                assert!(known, "{name}: {} has no comment", field.full_name());
            }
        }
    }
}

#[test]
fn our_options_survive_in_the_bytes() {
    let (_, pool) = pools().into_iter().find(|(name, _)| name == "catalog 1.5.0").unwrap();
    let product = pool.get_message_by_name("shop.catalog.v1.Product").unwrap();
    let entity = option(&product.options(), "turnout.graphql.v1.entity").unwrap();
    assert_eq!(entity.get_field_by_name("key").unwrap().as_str(), Some("id"));
    let service = pool.get_service_by_name("shop.catalog.v1.CatalogService").unwrap();
    let rule = option(&service.options(), "turnout.graphql.v1.service").unwrap();
    assert_eq!(rule.get_field_by_name("expose").unwrap().as_bool(), Some(true));
}

#[test]
fn every_service_is_exposed_by_its_own_word() {
    for (name, pool) in pools() {
        for service in pool.services() {
            assert!(
                option(&service.options(), "turnout.graphql.v1.service").is_some(),
                "{name}: {}",
                service.name()
            );
        }
    }
}

#[test]
fn every_scalar_kind_is_used_in_every_way() {
    let fields = fields();
    let kinds = [
        Kind::Double,
        Kind::Float,
        Kind::Int32,
        Kind::Int64,
        Kind::Uint32,
        Kind::Uint64,
        Kind::Sint32,
        Kind::Sint64,
        Kind::Fixed32,
        Kind::Fixed64,
        Kind::Sfixed32,
        Kind::Sfixed64,
        Kind::Bool,
        Kind::String,
        Kind::Bytes,
    ];
    for kind in kinds {
        let of_kind: Vec<_> = fields.iter().filter(|field| field.kind() == kind).collect();
        let single = |presence| {
            of_kind.iter().any(|field| {
                field.cardinality() != Cardinality::Repeated && field.supports_presence() == presence
            })
        };
        assert!(single(false), "{kind:?} with implicit presence");
        assert!(single(true), "{kind:?} with explicit presence");
    }
    assert!(fields.iter().any(|field| field.is_list() && field.is_packed()));
    assert!(fields.iter().any(|field| field.is_list() && field.kind() == Kind::Int32 && !field.is_packed()));
    assert!(fields.iter().any(FieldDescriptor::is_group));
    assert!(fields.iter().any(FieldDescriptor::is_required));
}

#[test]
fn every_well_known_type_is_used() {
    let used: BTreeSet<_> = fields()
        .iter()
        .filter_map(|field| match field.kind() {
            Kind::Message(message) => Some(message.full_name().to_owned()),
            Kind::Enum(kind) => Some(kind.full_name().to_owned()),
            _ => None,
        })
        .collect();
    let names = [
        "Any",
        "BoolValue",
        "BytesValue",
        "DoubleValue",
        "Duration",
        "Empty",
        "FieldMask",
        "FloatValue",
        "Int32Value",
        "Int64Value",
        "ListValue",
        "NullValue",
        "StringValue",
        "Struct",
        "Timestamp",
        "UInt32Value",
        "UInt64Value",
        "Value",
    ];
    for name in names {
        assert!(used.contains(&format!("google.protobuf.{name}")), "{name}");
    }
    assert!(used.contains("google.type.Money") && used.contains("google.type.Date"));
    let empty = "google.protobuf.Empty";
    assert!(methods().iter().any(|method| method.input().full_name() == empty));
    assert!(methods().iter().any(|method| method.output().full_name() == empty));
}

#[test]
fn shapes_of_messages_and_enums_are_all_there() {
    let messages: Vec<_> = pools().iter().flat_map(|(_, pool)| messages(pool)).collect();
    let refers_to_itself = |message: &MessageDescriptor| {
        message.fields().any(|field| field.kind() == Kind::Message(message.clone()))
    };
    assert!(messages.iter().any(refers_to_itself), "recursion");
    assert!(messages.iter().any(|message| message.parent_message().is_some()), "nesting");
    let oneofs: Vec<_> = messages.iter().flat_map(|message| message.oneofs().collect::<Vec<_>>()).collect();
    let unions = oneofs.iter().filter(|oneof| option(&oneof.options(), "turnout.graphql.v1.oneof").is_some());
    let plain = oneofs.iter().filter(|oneof| !oneof.is_synthetic() && oneof.fields().len() > 1);
    assert!(unions.count() >= 2 && plain.count() >= 4);
    let map_keys: BTreeSet<_> = fields()
        .iter()
        .filter(|field| field.is_map())
        .filter_map(|field| {
            field.kind().as_message().map(|entry| format!("{:?}", entry.map_entry_key_field().kind()))
        })
        .collect();
    assert!(map_keys.len() >= 5, "{map_keys:?}");
    let enums: Vec<_> = pools().iter().flat_map(|(_, pool)| pool.all_enums().collect::<Vec<_>>()).collect();
    let of_name = |name: &str| enums.iter().find(|e| e.full_name() == name).unwrap().clone();
    assert!(of_name("demo.echo.v1.Level").enum_descriptor_proto().options.as_ref().unwrap().allow_alias());
    let prefixed =
        |name: &str, prefix: &str| of_name(name).values().all(|value| value.name().starts_with(prefix));
    assert!(prefixed("demo.echo.v1.Colour", "COLOUR_") && !prefixed("demo.echo.v1.Direction", "DIRECTION_"));
    assert!(fields().iter().any(|field| field.json_name() == "calledOtherwise"), "json_name");
}

#[test]
fn every_kind_of_method_is_there() {
    let methods = methods();
    let level = |method: &MethodDescriptor| {
        method.method_descriptor_proto().options.as_ref().and_then(|options| options.idempotency_level)
    };
    let levels: BTreeSet<_> = methods.iter().map(level).collect();
    assert_eq!(levels, [None, Some(0), Some(1), Some(2)].into());
    let streams: BTreeSet<_> =
        methods.iter().map(|method| (method.is_client_streaming(), method.is_server_streaming())).collect();
    assert_eq!(streams.len(), 4);
    let named = |prefix: &str| methods.iter().any(|method| method.name().starts_with(prefix));
    assert!(named("Get") && named("List") && named("BatchGet"));
    let paged = methods.iter().any(|method| {
        method.input().get_field_by_name("page_token").is_some()
            && method.output().get_field_by_name("next_page_token").is_some()
    });
    assert!(paged, "pagination");
    let http = |method: &MethodDescriptor| option(&method.options(), "google.api.http").is_some();
    assert!(methods.iter().any(|method| http(method) && level(method).is_none()), "GET without a level");
}

#[test]
fn every_option_of_ours_is_used() {
    let mut used = BTreeSet::new();
    for (name, options) in all_options() {
        let Some(rule) = option(&options, &format!("turnout.graphql.v1.{name}")) else { continue };
        used.extend(set_fields(&rule).into_iter().map(|field| format!("{name}.{field}")));
        for part in ["lookup", "extends"] {
            if let Some(Value::Message(inner)) =
                rule.get_field_by_name(part).map(std::borrow::Cow::into_owned)
            {
                used.extend(set_fields(&inner).into_iter().map(|field| format!("{part}.{field}")));
            }
        }
    }
    let expected = [
        "service.expose",
        "rpc.field",
        "rpc.root",
        "rpc.unwrap",
        "rpc.hidden",
        "rpc.cost",
        "rpc.lookup",
        "rpc.extends",
        "lookup.entity",
        "lookup.keys",
        "lookup.items",
        "lookup.key",
        "lookup.max_keys",
        "extends.entity",
        "extends.field",
        "extends.key",
        "extends.items",
        "extends.group_by",
        "extends.max_keys",
        "entity.key",
        "field.name",
        "field.ref",
        "field.as",
        "field.hidden",
        "field.id",
        "field.empty_as_null",
        "oneof.union",
    ];
    for name in expected {
        assert!(used.contains(name), "{name} is not used");
    }
}

/// The options of everything, each with the name of the option of ours that may stand in it.
fn all_options() -> Vec<(&'static str, DynamicMessage)> {
    let mut all: Vec<_> = methods().iter().map(|method| ("rpc", method.options())).collect();
    all.extend(fields().iter().map(|field| ("field", field.options())));
    for (_, pool) in pools() {
        all.extend(pool.services().map(|service| ("service", service.options())));
        for message in messages(&pool) {
            all.push(("entity", message.options()));
            all.extend(message.oneofs().map(|oneof| ("oneof", oneof.options())));
        }
    }
    all
}

#[test]
fn every_standard_annotation_is_used() {
    let mut behaviours = BTreeSet::new();
    for field in fields() {
        for (extension, value) in field.options().extensions() {
            if extension.full_name() == "google.api.field_behavior" {
                behaviours.extend(value.as_list().unwrap().iter().filter_map(Value::as_enum_number));
            }
        }
    }
    assert_eq!(behaviours, (1..=8).collect());
    let references: Vec<_> = fields()
        .iter()
        .filter_map(|field| option(&field.options(), "google.api.resource_reference"))
        .collect();
    assert!(references.iter().any(|reference| set_fields(reference) == ["type"]));
    assert!(references.iter().any(|reference| set_fields(reference) == ["child_type"]));
}

#[test]
fn everything_that_can_be_deprecated_is_somewhere() {
    assert!(
        fields().iter().any(|f| f.field_descriptor_proto().options.as_ref().is_some_and(|o| o.deprecated()))
    );
    assert!(
        methods().iter().any(|m| m
            .method_descriptor_proto()
            .options
            .as_ref()
            .is_some_and(|o| o.deprecated()))
    );
    let pools = pools();
    let any = |found: &dyn Fn(&DescriptorPool) -> bool| pools.iter().any(|(_, pool)| found(pool));
    assert!(any(&|pool| pool.files().any(|f| f
        .file_descriptor_proto()
        .options
        .as_ref()
        .is_some_and(|o| o.deprecated()))));
    assert!(any(&|pool| {
        pool.services().any(|s| s.service_descriptor_proto().options.as_ref().is_some_and(|o| o.deprecated()))
    }));
    assert!(any(&|pool| {
        pool.all_messages().any(|m| m.descriptor_proto().options.as_ref().is_some_and(|o| o.deprecated()))
    }));
    assert!(any(&|pool| {
        pool.all_enums().any(|e| {
            e.values()
                .any(|v| v.enum_value_descriptor_proto().options.as_ref().is_some_and(|o| o.deprecated()))
        })
    }));
}

#[test]
fn types_of_different_services_do_not_collide_in_one_graph() {
    // Requests become arguments, and responses of one package stay out of the way of others.
    let mut seen = std::collections::BTreeMap::new();
    for (_, pool) in pools() {
        for message in messages(&pool) {
            let name = message.name().to_owned();
            // Two majors of one service never stand in one graph.
            let package = message.package_name().replace("users.v2", "users.v1");
            if !name.ends_with("Request") && !name.ends_with("Response") {
                let other = seen.entry(name.clone()).or_insert(package.clone());
                assert_eq!(*other, package, "{name}");
            }
        }
    }
}
