//! The rules a version must keep to stand in for another, by the ids that buf gives them.
//!
//! buf's ids are known to those who write protos, so where buf has a rule its id is used and its meaning
//! kept. Rules about the graph carry graphql-js's names. The few that neither has stand at the end of
//! `Rule`. How hard a rule weighs is decided here and nowhere else: one plan is executed by both versions,
//! so whatever changes the meaning of bytes blocks, and whatever takes something away blocks those who
//! are known to use it.

use crate::diff::{Class, Kind};

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each says its id and its mend below")]
pub enum Rule {
    FileSamePackage,
    PackageServiceNoDelete,
    RpcNoDelete,
    RpcSameRequestType,
    RpcSameResponseType,
    RpcSameClientStreaming,
    RpcSameServerStreaming,
    RpcSameIdempotencyLevel,
    FieldNoDelete,
    FieldNoDeleteUnlessNumberReserved,
    FieldNoDeleteUnlessNameReserved,
    FieldSameName,
    FieldSameJsonName,
    FieldSameType,
    FieldSameCardinality,
    FieldSameOneof,
    FieldSameDefault,
    MessageSameRequiredFields,
    ReservedMessageNoDelete,
    EnumValueNoDelete,
    EnumValueNoDeleteUnlessNumberReserved,
    EnumValueNoDeleteUnlessNameReserved,
    EnumValueSameName,
    ReservedEnumNoDelete,
    /// A change of the graph itself.
    Graph(Kind),
    /// A field that had a value always now can have none.
    FieldGainsPresence,
    /// The same name under another number: one plan cannot read both.
    FieldSameNumber,
    /// What was reserved is in use again.
    ReservedReused,
    /// Constraints on a value that is sent.
    FieldSameValidation,
    EntityNoDelete,
    EntitySameKey,
    LookupNoDelete,
    LookupSame,
    /// The same field of the graph, answered from elsewhere.
    FieldSameOrigin,
}

/// How hard a rule weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// Always.
    Block,
    /// When a recorded shape uses it; otherwise it is only told.
    BlockIfUsed,
    /// Never.
    Warn,
}

impl Rule {
    /// Its id, as buf and graphql-js write theirs.
    pub fn id(self) -> &'static str {
        match self {
            Rule::FileSamePackage => "FILE_SAME_PACKAGE",
            Rule::PackageServiceNoDelete => "PACKAGE_SERVICE_NO_DELETE",
            Rule::RpcNoDelete => "RPC_NO_DELETE",
            Rule::RpcSameRequestType => "RPC_SAME_REQUEST_TYPE",
            Rule::RpcSameResponseType => "RPC_SAME_RESPONSE_TYPE",
            Rule::RpcSameClientStreaming => "RPC_SAME_CLIENT_STREAMING",
            Rule::RpcSameServerStreaming => "RPC_SAME_SERVER_STREAMING",
            Rule::RpcSameIdempotencyLevel => "RPC_SAME_IDEMPOTENCY_LEVEL",
            Rule::FieldNoDelete => "FIELD_NO_DELETE",
            Rule::FieldNoDeleteUnlessNumberReserved => "FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED",
            Rule::FieldNoDeleteUnlessNameReserved => "FIELD_NO_DELETE_UNLESS_NAME_RESERVED",
            Rule::FieldSameName => "FIELD_SAME_NAME",
            Rule::FieldSameJsonName => "FIELD_SAME_JSON_NAME",
            Rule::FieldSameType => "FIELD_SAME_TYPE",
            Rule::FieldSameCardinality => "FIELD_SAME_CARDINALITY",
            Rule::FieldSameOneof => "FIELD_SAME_ONEOF",
            Rule::FieldSameDefault => "FIELD_SAME_DEFAULT",
            Rule::MessageSameRequiredFields => "MESSAGE_SAME_REQUIRED_FIELDS",
            Rule::ReservedMessageNoDelete => "RESERVED_MESSAGE_NO_DELETE",
            Rule::EnumValueNoDelete => "ENUM_VALUE_NO_DELETE",
            Rule::EnumValueNoDeleteUnlessNumberReserved => "ENUM_VALUE_NO_DELETE_UNLESS_NUMBER_RESERVED",
            Rule::EnumValueNoDeleteUnlessNameReserved => "ENUM_VALUE_NO_DELETE_UNLESS_NAME_RESERVED",
            Rule::EnumValueSameName => "ENUM_VALUE_SAME_NAME",
            Rule::ReservedEnumNoDelete => "RESERVED_ENUM_NO_DELETE",
            Rule::Graph(kind) => kind.as_str(),
            Rule::FieldGainsPresence => "FIELD_GAINS_PRESENCE",
            Rule::FieldSameNumber => "FIELD_SAME_NUMBER",
            Rule::ReservedReused => "RESERVED_REUSED",
            Rule::FieldSameValidation => "FIELD_SAME_VALIDATION",
            Rule::EntityNoDelete => "ENTITY_NO_DELETE",
            Rule::EntitySameKey => "ENTITY_SAME_KEY",
            Rule::LookupNoDelete => "LOOKUP_NO_DELETE",
            Rule::LookupSame => "LOOKUP_SAME",
            Rule::FieldSameOrigin => "FIELD_SAME_ORIGIN",
        }
    }

    pub(super) fn weight(self) -> Weight {
        match self {
            Rule::FieldNoDelete
            | Rule::EnumValueNoDelete
            | Rule::EntityNoDelete
            | Rule::EntitySameKey
            | Rule::LookupNoDelete => Weight::BlockIfUsed,
            Rule::Graph(kind) => match kind.class() {
                Class::Breaking => Weight::BlockIfUsed,
                Class::Dangerous | Class::Safe => Weight::Warn,
            },
            Rule::ReservedMessageNoDelete
            | Rule::ReservedEnumNoDelete
            | Rule::FieldGainsPresence
            | Rule::FieldSameValidation
            | Rule::LookupSame
            | Rule::FieldSameOrigin => Weight::Warn,
            Rule::FileSamePackage
            | Rule::PackageServiceNoDelete
            | Rule::RpcNoDelete
            | Rule::RpcSameRequestType
            | Rule::RpcSameResponseType
            | Rule::RpcSameClientStreaming
            | Rule::RpcSameServerStreaming
            | Rule::RpcSameIdempotencyLevel
            | Rule::FieldNoDeleteUnlessNumberReserved
            | Rule::FieldNoDeleteUnlessNameReserved
            | Rule::FieldSameName
            | Rule::FieldSameJsonName
            | Rule::FieldSameType
            | Rule::FieldSameCardinality
            | Rule::FieldSameOneof
            | Rule::FieldSameDefault
            | Rule::FieldSameNumber
            | Rule::MessageSameRequiredFields
            | Rule::EnumValueNoDeleteUnlessNumberReserved
            | Rule::EnumValueNoDeleteUnlessNameReserved
            | Rule::EnumValueSameName
            | Rule::ReservedReused => Weight::Block,
        }
    }

    /// What would mend it, as a sentence.
    pub fn mend(self) -> &'static str {
        match self {
            Rule::FileSamePackage | Rule::PackageServiceNoDelete => {
                "Keep the service beside the new one, or release this as a new major version."
            }
            Rule::RpcNoDelete => "Keep the RPC, deprecate it, and remove it in a new major version.",
            Rule::RpcSameRequestType | Rule::RpcSameResponseType => {
                "Keep the message and add fields to it, or add a second RPC."
            }
            Rule::RpcSameClientStreaming | Rule::RpcSameServerStreaming => "Add a second RPC that streams.",
            Rule::RpcSameIdempotencyLevel => {
                "Keep the level: it decides whether calls are repeated, and whether this is a query."
            }
            Rule::FieldNoDelete | Rule::EnumValueNoDelete => {
                "Keep it and deprecate it until no frontend uses it."
            }
            Rule::FieldNoDeleteUnlessNumberReserved | Rule::EnumValueNoDeleteUnlessNumberReserved => {
                "Reserve its number, so that nothing else is ever written there."
            }
            Rule::FieldNoDeleteUnlessNameReserved | Rule::EnumValueNoDeleteUnlessNameReserved => {
                "Reserve its name, so that nothing else is ever called so."
            }
            Rule::FieldSameName
            | Rule::FieldSameJsonName
            | Rule::FieldSameType
            | Rule::FieldSameCardinality
            | Rule::FieldSameOneof => "Keep the field as it is, and add the new one under a new number.",
            Rule::FieldSameNumber => "Give the new field another name, and keep the old one.",
            Rule::FieldSameDefault => "Keep the default: absent values would mean something else.",
            Rule::MessageSameRequiredFields => "Keep required fields as they are; make new ones optional.",
            Rule::ReservedMessageNoDelete | Rule::ReservedEnumNoDelete => {
                "Keep the reservation: old data may still hold what was there."
            }
            Rule::ReservedReused => "Take a number and a name that were never in use.",
            Rule::EnumValueSameName => "Keep the name, or add a value under a new number.",
            Rule::Graph(kind) => graph_mend(kind),
            Rule::FieldGainsPresence => "Keep it without presence, or expect null where a zero value was.",
            Rule::FieldSameValidation => "Make sure that what callers send today is still accepted.",
            Rule::EntityNoDelete => "Keep the entity option: other services refer to it.",
            Rule::EntitySameKey => "Keep the key: other services hold it.",
            Rule::LookupNoDelete => "Keep a lookup of this entity: joins load it by its key.",
            Rule::LookupSame => "Nothing, if it was meant; joins change when this version is promoted.",
            Rule::FieldSameOrigin => {
                "Nothing, if it was meant; the field is answered from elsewhere when this version is promoted."
            }
        }
    }
}

fn graph_mend(kind: Kind) -> &'static str {
    match kind {
        Kind::RequiredArgAdded | Kind::RequiredInputFieldAdded => {
            "Do not demand it: take a default when it is absent."
        }
        Kind::ValueAddedToEnum => "Make sure that frontends know what to do with a value they do not know.",
        Kind::TypeAddedToUnion => "Make sure that frontends know what to do with a member they do not know.",
        Kind::InputMadeExclusive => "Let them be given together, and decide in the service.",
        Kind::FieldChangedKind | Kind::ArgChangedKind | Kind::TypeChangedKind => {
            "Keep its type, and add another field."
        }
        Kind::TypeRemoved
        | Kind::FieldRemoved
        | Kind::ArgRemoved
        | Kind::ValueRemovedFromEnum
        | Kind::TypeRemovedFromUnion => "Keep it and deprecate it until no frontend uses it.",
        Kind::TypeAdded
        | Kind::FieldAdded
        | Kind::FieldChangedKindSafe
        | Kind::ArgChangedKindSafe
        | Kind::OptionalArgAdded
        | Kind::OptionalInputFieldAdded
        | Kind::InputFreed
        | Kind::DeprecationAdded
        | Kind::DeprecationRemoved
        | Kind::DeprecationChanged
        | Kind::DescriptionChanged => "Nothing.",
    }
}
