//! Which RPCs are public, and as which fields?
//!
//! Nothing is public unless the service or the operator says so, and what belongs to the machinery never is.
//! An RPC that only reads is a query, one that streams is a subscription, anything else is a mutation:
//! a name like GetUser alone does not make a read, it only earns advice. Root fields may be null, so that
//! one service that fails never empties a page.

use prost_reflect::{FieldDescriptor, MessageDescriptor, MethodDescriptor, ServiceDescriptor};

use super::field::{Way, type_out};
use super::mask::mask_field;
use super::names;
use super::reader::{Reader, Taken, Wanted};
use super::rules::{MethodOptions, RpcRule};
use super::{Exposure, Origin};
use crate::Severity;
use crate::graph::{Extension, Field, Lookup, Mask, Read, Resolve, Root, RootKind, Rpc, Safety, TypeRef};

/// Packages that serve the machinery and nobody's frontend.
const MACHINERY: [&str; 5] =
    ["grpc.health.", "grpc.reflection.", "grpc.channelz.", "kratos.api.", "turnout.registry."];

/// How many fields the requests of all public RPCs have together: each becomes an argument of each RPC
/// that takes it, so a small set could fill the memory. The largest known APIs stay below a tenth of this.
const ARGUMENTS_MAX: usize = 100_000;

/// What the RPCs of a version are in the graph.
#[derive(Debug, Default)]
pub(super) struct Offer {
    pub(super) roots: Vec<Root>,
    pub(super) lookups: Vec<Lookup>,
    pub(super) extensions: Vec<Extension>,
}

/// An RPC with all that is said about it.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: MethodDescriptor,
    pub(super) options: MethodOptions,
    pub(super) rule: RpcRule,
    pub(super) rpc: Rpc,
}

impl Reader<'_> {
    pub(super) fn offer(&mut self, exposure: Exposure) -> Offer {
        let mut offer = Offer::default();
        let mut taken = Taken::default();
        for call in self.calls(exposure) {
            let lookup = self.lookup(&call);
            let is_lookup = lookup.is_some();
            offer.lookups.extend(lookup);
            if let Some(rule) = call.rule.extends.clone() {
                let place = offer.extensions.len();
                offer.extensions.extend(self.extension(&call, &rule, place));
            }
            if !self.is_root(&call, is_lookup) {
                continue;
            }
            let kind = self.root_kind(&call);
            if let Some(name) = self.root_name(&call, kind, &mut taken) {
                let root = self.root(&call, kind, name, offer.roots.len());
                offer.roots.push(root);
            }
        }
        if offer.roots.is_empty() && offer.lookups.is_empty() && offer.extensions.is_empty() {
            self.report(
                Severity::Warning,
                "NOTHING_PUBLIC",
                "Nothing of this version is public.".to_owned(),
                "Set `option (turnout.graphql.v1.service) = {expose: true}` on a service, or let the operator \
                 expose all of it.",
            );
        }
        offer
    }

    /// The public RPCs, in the order of the files.
    fn calls(&mut self, exposure: Exposure) -> Vec<Call> {
        let services = self.source.descriptors.pool().services();
        let public: Vec<ServiceDescriptor> =
            services.filter(|service| self.is_public(service, exposure)).collect();
        let mut calls = Vec::new();
        let mut arguments = 0;
        for service in public {
            if !self.says_public(&service) {
                self.tell(service.full_name(), "is public", Origin::Operator);
            }
            for method in service.methods() {
                if method.is_client_streaming() {
                    self.report(
                        Severity::Warning,
                        "STREAM_OF_CALLERS",
                        format!("{} is not in the graph, because its caller streams.", method.full_name()),
                        "Only unary RPCs and streams from the service have a form in GraphQL.",
                    );
                    continue;
                }
                arguments += method.input().fields().len();
                if arguments > ARGUMENTS_MAX {
                    self.report(
                        Severity::Error,
                        "TOO_MANY_ARGUMENTS",
                        format!(
                            "RPCs from {} on are left out: their requests have too many fields.",
                            method.full_name()
                        ),
                        "Expose fewer RPCs, or register the services apart.",
                    );
                    return calls;
                }
                let call = self.call(method);
                calls.push(call);
            }
        }
        calls
    }

    fn is_public(&self, service: &ServiceDescriptor, exposure: Exposure) -> bool {
        let of_machines = MACHINERY.iter().any(|package| service.full_name().starts_with(package));
        if of_machines || !self.source.descriptors.owns(service.full_name()) {
            return false;
        }
        exposure == Exposure::All || self.says_public(service)
    }

    fn says_public(&self, service: &ServiceDescriptor) -> bool {
        self.source.options.service(service).rule.is_some_and(|rule| rule.expose)
    }

    fn call(&mut self, method: MethodDescriptor) -> Call {
        let options = self.source.options.method(&method);
        let rule = options.rule.clone().unwrap_or_default();
        let safety = self.safety(&method, &options, &rule);
        let rpc = Rpc {
            service: method.parent_service().full_name().into(),
            method: method.name().into(),
            request: method.input().full_name().into(),
            response: method.output().full_name().into(),
            safety,
            streams: method.is_server_streaming(),
            cost: rule.cost.max(1),
        };
        Call { method, options, rule, rpc }
    }

    fn safety(&mut self, method: &MethodDescriptor, options: &MethodOptions, rule: &RpcRule) -> Safety {
        let reads_by_http = options.http.as_ref().is_some_and(|http| http.get.is_some());
        match options.idempotency_level {
            1 => return Safety::ReadOnly,
            2 => {
                if reads_by_http {
                    self.report(
                        Severity::Warning,
                        "ANNOTATIONS_CONFLICT",
                        format!(
                            "{} is a GET in HTTP and not NO_SIDE_EFFECTS in gRPC; it counts as IDEMPOTENT.",
                            method.full_name()
                        ),
                        "Say NO_SIDE_EFFECTS when it only reads.",
                    );
                }
                return Safety::Idempotent;
            }
            _ => {}
        }
        if method.is_server_streaming() {
            return Safety::Once;
        }
        if rule.root == 1 {
            self.tell(method.full_name(), "only reads, because it is a query", Origin::Option);
            return Safety::ReadOnly;
        }
        if reads_by_http && rule.root == 0 {
            self.tell(method.full_name(), "only reads, because it is a GET in HTTP", Origin::Standard);
            return Safety::ReadOnly;
        }
        Safety::Once
    }

    /// A batch is there for joins: it is a root field only when it has a name of its own.
    fn is_root(&mut self, call: &Call, is_lookup: bool) -> bool {
        if call.rule.hidden {
            return false;
        }
        let named = !call.rule.field.is_empty() || call.rule.root != 0;
        let for_joins = is_lookup && call.method.name().starts_with("BatchGet") && !named;
        if for_joins {
            self.tell(
                call.method.full_name(),
                "is no root field, because it is there for joins",
                Origin::Shape,
            );
        }
        !for_joins
    }

    fn root_kind(&mut self, call: &Call) -> RootKind {
        let about = call.method.full_name();
        let wished = match call.rule.root {
            1 => Some(RootKind::Query),
            2 => Some(RootKind::Mutation),
            3 => Some(RootKind::Subscription),
            _ => None,
        };
        if let Some(wished) = wished {
            if (wished == RootKind::Subscription) == call.rpc.streams {
                return wished;
            }
            let is = if call.rpc.streams { "streams" } else { "does not stream" };
            self.report(
                Severity::Error,
                "ROOT_IMPOSSIBLE",
                format!("{about} cannot be a field of {}, because it {is}.", wished.as_str()),
                "Leave `root` out, or choose another one.",
            );
        }
        if call.rpc.streams {
            return RootKind::Subscription;
        }
        match call.rpc.safety {
            Safety::ReadOnly => RootKind::Query,
            Safety::Idempotent => RootKind::Mutation,
            Safety::Once => {
                if ["Get", "List", "Search", "BatchGet"]
                    .iter()
                    .any(|verb| after(call.method.name(), verb).is_some())
                {
                    self.report(
                        Severity::Warning,
                        "LOOKS_LIKE_A_READ",
                        format!("{about} looks like a read, and is a mutation because it does not say so."),
                        "Set `option idempotency_level = NO_SIDE_EFFECTS` on it.",
                    );
                }
                RootKind::Mutation
            }
        }
    }

    /// `GetUser` and `ListUsers` are `user` and `users` when they read; everything else keeps its verb.
    fn root_name(&mut self, call: &Call, kind: RootKind, taken: &mut Taken) -> Option<String> {
        let method = call.method.name();
        let mut candidates = Vec::new();
        if let Some(name) = self.said_name(call, &call.rule.field) {
            candidates.push(name);
        } else {
            let noun = ["Get", "List", "BatchGet"].iter().find_map(|verb| after(method, verb));
            candidates.extend(noun.filter(|_| kind == RootKind::Query).map(names::lower_camel));
            candidates.push(names::lower_camel(method));
            let service = call.method.parent_service();
            let service = service.name().strip_suffix("Service").unwrap_or(service.name());
            candidates.push(names::lower_camel(&format!("{service}_{method}")));
        }
        let about = format!("{} is", call.method.full_name());
        let place =
            candidates.iter().position(|name| taken.take(&format!("{}.{name}", kind.as_str()).into()));
        let taken = format!("because {}.{} is taken.", kind.as_str(), candidates[0]);
        let help = "Give it another name with `(turnout.graphql.v1.rpc).field`.";
        match place {
            Some(0) => {}
            Some(place) => {
                let message = format!("{about} called `{}`, {taken}", candidates[place]);
                self.report(Severity::Info, "FIELD_RENAMED", message, help);
            }
            None => self.report(
                Severity::Error,
                "FIELD_NAME_TAKEN",
                format!("{about} not in the graph, {taken}"),
                help,
            ),
        }
        place.map(|place| candidates.swap_remove(place))
    }

    /// The name that an option gives a field, when it gives one.
    pub(super) fn said_name(&mut self, call: &Call, name: &str) -> Option<String> {
        if name.is_empty() || names::is_legal(name) {
            return Some(name.to_owned()).filter(|name| !name.is_empty());
        }
        self.report(
            Severity::Warning,
            "NAME_ILLEGAL",
            format!("`{name}`, as {} wants to be called, is no name in GraphQL.", call.method.full_name()),
            "Use letters, digits and single underscores.",
        );
        None
    }

    fn root(&mut self, call: &Call, kind: RootKind, name: String, place: usize) -> Root {
        let mask = self.mask(call);
        let (ty, unwrap) = self.answer(call);
        let hidden: Vec<u32> = mask.iter().map(mask_field).collect();
        let (mut arguments, one_of) = self.arguments(&call.method.input(), &hidden);
        if let Some(Mask::Update { of, .. }) = mask {
            self.patch_argument(&call.method.input(), of, &mut arguments);
        }
        let doc = self.call_doc(call);
        let field = Field { name: name.into(), doc, ty, arguments, resolve: Resolve::Root(place) };
        Root { kind, field, rpc: call.rpc.clone(), unwrap, one_of, mask }
    }

    pub(super) fn call_doc(&self, call: &Call) -> crate::graph::Doc {
        let service = call.method.parent_service();
        let file = service.parent_file();
        let deprecated = call.options.deprecated
            || self.source.options.service(service).deprecated
            || self.source.options.file(&file).deprecated;
        self.source.comments.doc(&file, call.method.path(), deprecated)
    }

    /// The type of the answer, and the response field that is the answer.
    fn answer(&mut self, call: &Call) -> (TypeRef, Option<Read>) {
        let response = call.method.output();
        if let Some(field) = self.unwrapped(call, &response) {
            let (read, core) = self.value(&field, Way::Out);
            return (type_out(&read, core).nullable(), Some(read));
        }
        if response.full_name() == "google.protobuf.Empty" {
            return (TypeRef::Named(self.want(Wanted::Payload(call.method.clone()))), None);
        }
        (TypeRef::Named(self.want(Wanted::Object(response))), None)
    }

    fn unwrapped(&mut self, call: &Call, response: &MessageDescriptor) -> Option<FieldDescriptor> {
        // Wrappers never gain a field, so nothing is lost by returning their value.
        if response.full_name().starts_with("google.protobuf.") && response.name().ends_with("Value") {
            let only = response.get_field_by_name("value").filter(|_| response.fields().len() == 1);
            if only.is_some() {
                return only;
            }
        }
        if call.rule.unwrap.is_empty() {
            return None;
        }
        let field = response.get_field_by_name(&call.rule.unwrap).filter(|field| self.is_read(field));
        if field.is_none() {
            self.missing(call, "unwrap", &call.rule.unwrap, response);
        }
        field
    }

    pub(super) fn missing(&mut self, call: &Call, option: &str, field: &str, message: &MessageDescriptor) {
        self.report(
            Severity::Error,
            "OPTION_FIELD_MISSING",
            format!(
                "`{option}` of {} names `{field}`, which {} does not have.",
                call.method.full_name(),
                message.full_name()
            ),
            "Name a public field of that message.",
        );
    }
}

/// `User` after `Get` in `GetUser`; nothing in `Getaway` or `Get`.
pub(super) fn after<'a>(name: &'a str, verb: &str) -> Option<&'a str> {
    name.strip_prefix(verb).filter(|rest| rest.starts_with(|first: char| first.is_ascii_uppercase()))
}
