//! What do the options of a descriptor say: protobuf's, Google's and Turnout's?
//!
//! A set may come without the files that define the options it uses; then they are unknown fields, and
//! still there. So options are decoded from their bytes by number, with the few fields Turnout knows, and
//! never by name. Options that do not decode, or that somebody else defined under the same number, are as
//! good as none. Nothing is decided here.

use prost::Message;
use prost::bytes::{Buf, BufMut};
use prost::encoding::{DecodeContext, WireType, decode_key, encode_key, skip_field};
use prost_reflect::{
    DescriptorPool, EnumDescriptor, EnumValueDescriptor, FieldDescriptor, FileDescriptor, MessageDescriptor,
    MethodDescriptor, OneofDescriptor, ServiceDescriptor,
};

use super::rules::{
    EnumOptions, EnumValueOptions, FieldOptions, FileOptions, MessageOptions, MethodOptions, OneofOptions,
    ServiceOptions,
};

/// The number of Turnout's extension on every kind of option.
const TURNOUT: u32 = 50770;

/// The options of every descriptor of a pool.
#[derive(Debug)]
pub(super) struct Options {
    files: Vec<File>,
    /// The kinds of options on which somebody else uses Turnout's number.
    foreign: Vec<String>,
}

impl Options {
    pub(super) fn read(pool: &DescriptorPool) -> Options {
        let files = Set::decode(pool.encode_to_vec().as_slice()).unwrap_or_default().file;
        let foreign = pool
            .all_extensions()
            .filter(|extension| extension.number() == TURNOUT)
            .filter(|extension| !extension.full_name().starts_with("turnout.graphql.v1."))
            .map(|extension| extension.containing_message().full_name().to_owned())
            .collect();
        Options { files, foreign }
    }

    /// The kinds of options on which somebody else uses Turnout's number.
    pub(super) fn foreign(&self) -> &[String] {
        &self.foreign
    }

    pub(super) fn file(&self, file: &FileDescriptor) -> FileOptions {
        let options = self.files.get(file.index()).map(|file| file.options.as_slice());
        self.decode("google.protobuf.FileOptions", options)
    }

    pub(super) fn service(&self, service: &ServiceDescriptor) -> ServiceOptions {
        let node = self.service_node(&service.parent_file(), service.path());
        self.decode("google.protobuf.ServiceOptions", node.map(|node| node.options.as_slice()))
    }

    pub(super) fn method(&self, method: &MethodDescriptor) -> MethodOptions {
        let service = method.parent_service();
        let node = self.service_node(&service.parent_file(), service.path());
        let leaf = node.and_then(|node| node.method.get(method.index()));
        self.decode("google.protobuf.MethodOptions", leaf.map(|leaf| leaf.options.as_slice()))
    }

    pub(super) fn message(&self, message: &MessageDescriptor) -> MessageOptions {
        let node = self.message_node(&message.parent_file(), message.path());
        self.decode("google.protobuf.MessageOptions", node.map(|node| node.options.as_slice()))
    }

    pub(super) fn field(&self, field: &FieldDescriptor) -> FieldOptions {
        let message = field.parent_message();
        let node = self.message_node(&field.parent_file(), message.path());
        let leaf = node.and_then(|node| node.field.get(last(field.path())));
        self.decode("google.protobuf.FieldOptions", leaf.map(|leaf| leaf.options.as_slice()))
    }

    pub(super) fn oneof(&self, oneof: &OneofDescriptor) -> OneofOptions {
        let message = oneof.parent_message();
        let node = self.message_node(&oneof.parent_file(), message.path());
        let leaf = node.and_then(|node| node.oneof.get(last(oneof.path())));
        self.decode("google.protobuf.OneofOptions", leaf.map(|leaf| leaf.options.as_slice()))
    }

    pub(super) fn enumeration(&self, definition: &EnumDescriptor) -> EnumOptions {
        let node = self.enum_node(definition);
        self.decode("google.protobuf.EnumOptions", node.map(|node| node.options.as_slice()))
    }

    pub(super) fn enum_value(&self, value: &EnumValueDescriptor) -> EnumValueOptions {
        let node = self.enum_node(value.parent_enum());
        let leaf = node.and_then(|node| node.value.get(last(value.path())));
        self.decode("google.protobuf.EnumValueOptions", leaf.map(|leaf| leaf.options.as_slice()))
    }

    fn service_node(&self, file: &FileDescriptor, path: &[i32]) -> Option<&ServiceNode> {
        self.files.get(file.index())?.service.get(last(path))
    }

    fn enum_node(&self, definition: &EnumDescriptor) -> Option<&EnumNode> {
        let file = definition.parent_file();
        match definition.parent_message() {
            None => self.files.get(file.index())?.enumeration.get(last(definition.path())),
            Some(message) => {
                self.message_node(&file, message.path())?.enumeration.get(last(definition.path()))
            }
        }
    }

    /// A path is `[4, i, 3, j, ..]`: a message of the file, then messages within.
    fn message_node(&self, file: &FileDescriptor, path: &[i32]) -> Option<&MessageNode> {
        let mut places = path.chunks(2).map(last);
        let mut node = self.files.get(file.index())?.message.get(places.next()?)?;
        for place in places {
            node = node.nested.get(place)?;
        }
        Some(node)
    }

    fn decode<T: Message + Default>(&self, kind: &str, bytes: Option<&[u8]>) -> T {
        let bytes = bytes.unwrap_or_default();
        if self.foreign.iter().any(|foreign| foreign == kind) {
            return T::decode(without(bytes, TURNOUT).as_slice()).unwrap_or_default();
        }
        T::decode(bytes).unwrap_or_default()
    }
}

fn last(path: &[i32]) -> usize {
    path.last().and_then(|place| usize::try_from(*place).ok()).unwrap_or(usize::MAX)
}

/// The same fields without one; those up to the first broken one.
fn without(bytes: &[u8], number: u32) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut rest = bytes;
    while rest.has_remaining() {
        let Ok((tag, wire)) = decode_key(&mut rest) else { return kept };
        let value = rest;
        if skip_field(wire, tag, &mut rest, DecodeContext::default()).is_err() {
            return kept;
        }
        if tag != number && wire != WireType::EndGroup {
            encode_key(tag, wire, &mut kept);
            kept.put_slice(&value[..value.len() - rest.len()]);
        }
    }
    kept
}

/// The descriptors of a pool, as far as they lead to options.
#[derive(Clone, PartialEq, Message)]
struct Set {
    #[prost(message, repeated, tag = "1")]
    file: Vec<File>,
}

#[derive(Clone, PartialEq, Message)]
struct File {
    #[prost(message, repeated, tag = "4")]
    message: Vec<MessageNode>,
    #[prost(message, repeated, tag = "5")]
    enumeration: Vec<EnumNode>,
    #[prost(message, repeated, tag = "6")]
    service: Vec<ServiceNode>,
    #[prost(bytes = "vec", tag = "8")]
    options: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct MessageNode {
    #[prost(message, repeated, tag = "2")]
    field: Vec<FieldNode>,
    #[prost(message, repeated, tag = "3")]
    nested: Vec<MessageNode>,
    #[prost(message, repeated, tag = "4")]
    enumeration: Vec<EnumNode>,
    #[prost(bytes = "vec", tag = "7")]
    options: Vec<u8>,
    #[prost(message, repeated, tag = "8")]
    oneof: Vec<OneofNode>,
}

#[derive(Clone, PartialEq, Message)]
struct FieldNode {
    #[prost(bytes = "vec", tag = "8")]
    options: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct OneofNode {
    #[prost(bytes = "vec", tag = "2")]
    options: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct EnumNode {
    #[prost(message, repeated, tag = "2")]
    value: Vec<EnumValueNode>,
    #[prost(bytes = "vec", tag = "3")]
    options: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct EnumValueNode {
    #[prost(bytes = "vec", tag = "3")]
    options: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct ServiceNode {
    #[prost(message, repeated, tag = "2")]
    method: Vec<MethodNode>,
    #[prost(bytes = "vec", tag = "3")]
    options: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct MethodNode {
    #[prost(bytes = "vec", tag = "4")]
    options: Vec<u8>,
}
