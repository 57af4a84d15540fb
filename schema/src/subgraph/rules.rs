//! What can the options say that means something here?
//!
//! The fields of protobuf's, Google's and Turnout's options by their numbers, and nothing else of them. An
//! unset field is its zero, as everywhere in protobuf.

use prost::Message;

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
