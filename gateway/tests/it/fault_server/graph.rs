//! What the services with faults say of themselves: one package, one message, and for each fault a service with
//! an RPC that reads and one that changes something.

use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::method_options::IdempotencyLevel;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, MethodOptions, ServiceDescriptorProto,
};

use super::Fault;

const PACKAGE: &str = "faults.v1";
const TYPES: &str = "faults/v1/thing.proto";

/// The descriptors of the service with a fault. They carry no option of anybody's: exposing is up to whoever
/// runs the gateway.
pub(crate) fn descriptors(fault: Fault) -> Vec<u8> {
    let name = fault.name();
    let method = |name: String, level: IdempotencyLevel| MethodDescriptorProto {
        name: Some(name),
        input_type: Some(format!(".{PACKAGE}.Ask")),
        output_type: Some(format!(".{PACKAGE}.Thing")),
        options: Some(MethodOptions { idempotency_level: Some(level.into()), ..Default::default() }),
        ..Default::default()
    };
    let service = ServiceDescriptorProto {
        name: Some(format!("{name}Service")),
        method: vec![
            method(name.clone(), IdempotencyLevel::NoSideEffects),
            method(format!("Do{name}"), IdempotencyLevel::IdempotencyUnknown),
        ],
        ..Default::default()
    };
    let file = FileDescriptorProto {
        name: Some(format!("faults/v1/{}.proto", fault.service())),
        package: Some(PACKAGE.to_owned()),
        dependency: vec![TYPES.to_owned()],
        service: vec![service],
        syntax: Some("proto3".to_owned()),
        ..Default::default()
    };
    FileDescriptorSet { file: vec![types(), file] }.encode_to_vec()
}

fn types() -> FileDescriptorProto {
    let ask = message("Ask", vec![field("say", 1, Type::String)]);
    let part = message("Part", vec![field("text", 1, Type::String)]);
    let thing = message(
        "Thing",
        vec![
            field("name", 1, Type::String),
            field("count", 2, Type::Int32),
            of("Part", field("part", 3, Type::Message)),
            FieldDescriptorProto { label: Some(Label::Repeated.into()), ..field("tags", 4, Type::String) },
            of("Kind", field("kind", 5, Type::Enum)),
        ],
    );
    let value = |(name, number): (&str, i32)| EnumValueDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        ..Default::default()
    };
    let kind = EnumDescriptorProto {
        name: Some("Kind".to_owned()),
        value: [("KIND_UNSPECIFIED", 0), ("KIND_FINE", 1)].map(value).to_vec(),
        ..Default::default()
    };
    FileDescriptorProto {
        name: Some(TYPES.to_owned()),
        package: Some(PACKAGE.to_owned()),
        message_type: vec![ask, part, thing],
        enum_type: vec![kind],
        syntax: Some("proto3".to_owned()),
        ..Default::default()
    }
}

fn message(name: &str, field: Vec<FieldDescriptorProto>) -> DescriptorProto {
    DescriptorProto { name: Some(name.to_owned()), field, ..Default::default() }
}

fn field(name: &str, number: i32, kind: Type) -> FieldDescriptorProto {
    FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(Label::Optional.into()),
        r#type: Some(kind.into()),
        json_name: Some(name.to_owned()),
        ..Default::default()
    }
}

fn of(name: &str, field: FieldDescriptorProto) -> FieldDescriptorProto {
    FieldDescriptorProto { type_name: Some(format!(".{PACKAGE}.{name}")), ..field }
}
