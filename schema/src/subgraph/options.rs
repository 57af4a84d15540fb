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

#[derive(Clone, PartialEq, Message)]
pub(super) struct FileOptions {
    #[prost(bool, tag = "23")]
    pub(super) deprecated: bool,
    #[prost(message, optional, tag = "50")]
    pub(super) features: Option<Features>,
}

/// What an edition leaves to each file and field. Zero is unset.
#[derive(Clone, Copy, PartialEq, Message)]
pub(super) struct Features {
    /// 1 is EXPLICIT, 2 is IMPLICIT, 3 is LEGACY_REQUIRED.
    #[prost(int32, tag = "1")]
    presence: i32,
    /// 1 is LENGTH_PREFIXED, 2 is DELIMITED.
    #[prost(int32, tag = "5")]
    encoding: i32,
}

/// Whether a field can be absent, by an edition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Explicit,
    Implicit,
    Required,
}

impl Features {
    /// Those of a field in a file: its own, else the file's, else the edition's.
    pub(super) fn within(own: Option<Features>, file: Option<Features>) -> Features {
        let (own, file) = (own.unwrap_or_default(), file.unwrap_or_default());
        let first = |own: i32, file: i32| if own == 0 { file } else { own };
        Features {
            presence: first(own.presence, file.presence),
            encoding: first(own.encoding, file.encoding),
        }
    }

    pub(super) fn presence(self) -> Presence {
        match self.presence {
            2 => Presence::Implicit,
            3 => Presence::Required,
            _ => Presence::Explicit,
        }
    }

    pub(super) fn is_delimited(self) -> bool {
        self.encoding == 2
    }
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ServiceOptions {
    #[prost(bool, tag = "33")]
    pub(super) deprecated: bool,
    #[prost(message, optional, tag = "50770")]
    pub(super) rule: Option<ServiceRule>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ServiceRule {
    #[prost(bool, tag = "1")]
    pub(super) expose: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct MethodOptions {
    #[prost(bool, tag = "33")]
    pub(super) deprecated: bool,
    /// 1 is NO_SIDE_EFFECTS, 2 is IDEMPOTENT.
    #[prost(int32, tag = "34")]
    pub(super) idempotency_level: i32,
    #[prost(message, optional, tag = "50770")]
    pub(super) rule: Option<RpcRule>,
    #[prost(message, optional, tag = "72295728")]
    pub(super) http: Option<Http>,
}

/// google.api.HttpRule, as far as it tells a read.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Http {
    #[prost(string, optional, tag = "2")]
    pub(super) get: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RpcRule {
    #[prost(string, tag = "1")]
    pub(super) field: String,
    /// 1 is QUERY, 2 is MUTATION, 3 is SUBSCRIPTION.
    #[prost(int32, tag = "2")]
    pub(super) root: i32,
    #[prost(string, tag = "3")]
    pub(super) unwrap: String,
    #[prost(bool, tag = "4")]
    pub(super) hidden: bool,
    #[prost(uint32, tag = "5")]
    pub(super) cost: u32,
    #[prost(message, optional, tag = "6")]
    pub(super) lookup: Option<LookupRule>,
    #[prost(message, optional, tag = "7")]
    pub(super) extends: Option<ExtendsRule>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct LookupRule {
    #[prost(string, tag = "1")]
    pub(super) entity: String,
    #[prost(string, tag = "2")]
    pub(super) keys: String,
    #[prost(string, tag = "3")]
    pub(super) items: String,
    #[prost(string, tag = "4")]
    pub(super) key: String,
    #[prost(uint32, tag = "5")]
    pub(super) max_keys: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ExtendsRule {
    #[prost(string, tag = "1")]
    pub(super) entity: String,
    #[prost(string, tag = "2")]
    pub(super) field: String,
    #[prost(string, tag = "3")]
    pub(super) key: String,
    #[prost(string, tag = "4")]
    pub(super) items: String,
    #[prost(string, tag = "5")]
    pub(super) group_by: String,
    #[prost(uint32, tag = "6")]
    pub(super) max_keys: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct MessageOptions {
    #[prost(bool, tag = "3")]
    pub(super) deprecated: bool,
    #[prost(message, optional, tag = "1053")]
    pub(super) resource: Option<Resource>,
    #[prost(message, optional, tag = "50770")]
    pub(super) rule: Option<EntityRule>,
}

/// google.api.ResourceDescriptor, as far as it tells a key.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Resource {
    #[prost(string, tag = "1")]
    pub(super) r#type: String,
    #[prost(string, tag = "3")]
    pub(super) name_field: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct EntityRule {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(string, tag = "2")]
    pub(super) name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct FieldOptions {
    #[prost(bool, tag = "3")]
    pub(super) deprecated: bool,
    #[prost(message, optional, tag = "21")]
    pub(super) features: Option<Features>,
    #[prost(int32, repeated, tag = "1052")]
    behaviors: Vec<i32>,
    #[prost(message, optional, tag = "1055")]
    pub(super) reference: Option<ResourceReference>,
    #[prost(message, optional, tag = "50770")]
    rule: Option<FieldRule>,
}

impl FieldOptions {
    pub(super) fn is(&self, behavior: Behavior) -> bool {
        self.behaviors.contains(&(behavior as i32))
    }

    pub(super) fn rule(&self) -> FieldRule {
        self.rule.clone().unwrap_or_default()
    }
}

/// google.api.FieldBehavior, as far as it means something here.
#[derive(Clone, Copy, Debug)]
pub(super) enum Behavior {
    Required = 2,
    OutputOnly = 3,
    InputOnly = 4,
    Immutable = 5,
    Identifier = 8,
}

/// google.api.ResourceReference.
#[derive(Clone, PartialEq, Message)]
pub(super) struct ResourceReference {
    #[prost(string, tag = "1")]
    pub(super) r#type: String,
    #[prost(string, tag = "2")]
    pub(super) child_type: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct FieldRule {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) r#ref: String,
    #[prost(string, tag = "3")]
    pub(super) r#as: String,
    #[prost(bool, tag = "4")]
    pub(super) hidden: bool,
    #[prost(bool, tag = "5")]
    pub(super) id: bool,
    #[prost(bool, tag = "6")]
    pub(super) empty_as_null: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct OneofOptions {
    #[prost(message, optional, tag = "50770")]
    rule: Option<OneofRule>,
}

impl OneofOptions {
    /// The name of the union that the oneof is, when it is one.
    pub(super) fn union(&self) -> Option<&str> {
        self.rule.as_ref().map(|rule| rule.union.as_str()).filter(|name| !name.is_empty())
    }
}

#[derive(Clone, PartialEq, Message)]
struct OneofRule {
    #[prost(string, tag = "1")]
    union: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct EnumOptions {
    #[prost(bool, tag = "3")]
    pub(super) deprecated: bool,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct EnumValueOptions {
    #[prost(bool, tag = "1")]
    pub(super) deprecated: bool,
}
