//! Which RPCs load entities by their keys, and which add a field to one?
//!
//! An option says so, or the shape of Google's guidelines does: `BatchGetUsers(ids) returns (users)` and
//! `GetUser(id)`, when the request's field is called like the key and lies the same in the bytes. Only RPCs
//! that read are taken by their shape. Items of a batch are matched by the key they hold, never by position.

use prost_reflect::{FieldDescriptor, Kind as Proto, MessageDescriptor};

use super::Origin;
use super::entity::{Known, is_key_kind};
use super::field::{Way, type_out};
use super::names;
use super::reader::{Reader, Wanted};
use super::root::{Call, after};
use super::rules::{Behavior, ExtendsRule, LookupRule};
use crate::Severity;
use crate::graph::{Extension, Field, Lookup, Read, Resolve, Safety, TypeRef};

/// How many keys a call takes when nobody says.
const KEYS_MAX: u32 = 100;

/// The fields that make an RPC a lookup.
struct Found {
    keys: FieldDescriptor,
    items: Option<FieldDescriptor>,
    key: FieldDescriptor,
    /// Zero when nobody says.
    max_keys: u32,
}

impl Reader<'_> {
    pub(super) fn lookup(&mut self, call: &Call) -> Option<Lookup> {
        if let Some(rule) = call.rule.lookup.clone() {
            return self.said_lookup(call, &rule);
        }
        if call.rule.extends.is_some() || call.rpc.streams {
            return None;
        }
        self.shaped_lookup(call)
    }

    fn said_lookup(&mut self, call: &Call, rule: &LookupRule) -> Option<Lookup> {
        let (request, response) = (call.method.input(), call.method.output());
        let Some(known) = self.source.catalog.named(&rule.entity) else {
            self.report(
                Severity::Error,
                "LOOKUP_IMPOSSIBLE",
                format!(
                    "{} loads nothing, because this version has no entity `{}`.",
                    call.method.full_name(),
                    rule.entity
                ),
                "Give the message `option (turnout.graphql.v1.entity) = {key: ..}`.",
            );
            return None;
        };
        let keys = request
            .get_field_by_name(&rule.keys)
            .filter(|field| is_key_kind(&field.kind()) && !field.is_map());
        let Some(keys) = keys else {
            self.missing(call, "lookup.keys", &rule.keys, &request);
            return None;
        };
        let items = match rule.items.as_str() {
            "" if response == known.message => None,
            "" => self.source.catalog.only(&response).cloned(),
            name => response.get_field_by_name(name),
        };
        let holder = items.as_ref().and_then(message_of).unwrap_or(response.clone());
        if holder != known.message || items.as_ref().is_some_and(|items| items.is_list() != keys.is_list()) {
            self.missing(call, "lookup.items", &rule.items, &response);
            return None;
        }
        let key =
            if rule.key.is_empty() { Some(known.key.clone()) } else { holder.get_field_by_name(&rule.key) };
        let Some(key) = key.filter(|key| key.kind() == keys.kind() && !key.is_list()) else {
            self.report(
                Severity::Error,
                "LOOKUP_IMPOSSIBLE",
                format!(
                    "{} loads nothing, because `{}` is no `{}` of {}.",
                    call.method.full_name(),
                    rule.keys,
                    if rule.key.is_empty() { known.key.name() } else { &rule.key },
                    holder.full_name()
                ),
                "Both must have the same type in the proto.",
            );
            return None;
        };
        Some(self.make_lookup(call, known, &Found { keys, items, key, max_keys: rule.max_keys }))
    }

    fn shaped_lookup(&mut self, call: &Call) -> Option<Lookup> {
        let (request, response) = (call.method.input(), call.method.output());
        let known = self.source.catalog.subject(&response)?;
        let items =
            if response == known.message { None } else { self.source.catalog.only(&response).cloned() };
        let is_batch = items.as_ref().is_some_and(FieldDescriptor::is_list);
        let verb = if is_batch { "BatchGet" } else { "Get" };
        after(call.method.name(), verb)?;
        let keys = request.fields().find(|field| is_key_field(field, known, is_batch))?;
        let more = request.fields().filter(|field| *field != keys);
        if more.into_iter().any(|field| self.options_of(&field).is(Behavior::Required) || field.is_required())
        {
            return None;
        }
        if call.rpc.safety != Safety::ReadOnly {
            self.report(
                Severity::Warning,
                "LOOKUP_NOT_READ_ONLY",
                format!(
                    "{} could load `{}` for joins, but does not say that it only reads.",
                    call.method.full_name(),
                    known.name
                ),
                "Set `option idempotency_level = NO_SIDE_EFFECTS` on it.",
            );
            return None;
        }
        let how = if is_batch { ", in batches" } else { "" };
        self.tell(
            call.method.full_name(),
            format!("loads {} by {}{how}", known.name, keys.name()),
            Origin::Shape,
        );
        let key = known.key.clone();
        Some(self.make_lookup(call, known, &Found { keys, items, key, max_keys: 0 }))
    }

    /// Joins are made in queries too, where nothing may be changed.
    fn advise_to_read(&mut self, call: &Call) {
        if call.rpc.safety != Safety::ReadOnly {
            self.report(
                Severity::Warning,
                "JOIN_NOT_READ_ONLY",
                format!(
                    "{} is called for joins, but does not say that it only reads.",
                    call.method.full_name()
                ),
                "Set `option idempotency_level = NO_SIDE_EFFECTS` on it.",
            );
        }
    }

    fn make_lookup(&mut self, call: &Call, known: &Known, found: &Found) -> Lookup {
        self.want(Wanted::Object(known.message.clone()));
        self.advise_to_read(call);
        Lookup {
            entity: self.entity_name(&known.name),
            rpc: call.rpc.clone(),
            keys: self.value(&found.keys, Way::In).0,
            items: found.items.as_ref().map(|items| self.value(items, Way::Out).0),
            key: self.value(&found.key, Way::Out).0,
            max_keys: keys_max(&found.keys, found.max_keys),
        }
    }

    pub(super) fn extension(&mut self, call: &Call, rule: &ExtendsRule, place: usize) -> Option<Extension> {
        let (request, response) = (call.method.input(), call.method.output());
        let key = request
            .get_field_by_name(&rule.key)
            .filter(|field| is_key_kind(&field.kind()) && !field.is_map());
        let Some(key) = key else {
            self.missing(call, "extends.key", &rule.key, &request);
            return None;
        };
        let items = match rule.items.as_str() {
            "" => None,
            name => {
                let items = response.get_field_by_name(name).filter(|field| self.is_read(field));
                if items.is_none() {
                    self.missing(call, "extends.items", name, &response);
                    return None;
                }
                items
            }
        };
        let group_by = match key.is_list() {
            true => Some(self.group_by(call, rule, items.as_ref())?),
            false => None,
        };
        self.advise_to_read(call);
        let (ty, items) = self.extension_answer(call, items.as_ref());
        let (arguments, one_of) = self.arguments(&request, &[key.number()]);
        let field = Field {
            name: self.extension_name(call, rule).into(),
            doc: self.call_doc(call),
            ty,
            arguments,
            resolve: Resolve::Extension(place),
        };
        Some(Extension {
            entity: self.entity_name(&rule.entity),
            field,
            rpc: call.rpc.clone(),
            one_of,
            key: self.value(&key, Way::In).0,
            items,
            group_by,
            max_keys: keys_max(&key, rule.max_keys),
        })
    }

    fn extension_answer(&mut self, call: &Call, items: Option<&FieldDescriptor>) -> (TypeRef, Option<Read>) {
        match items {
            Some(items) => {
                let (read, core) = self.value(items, Way::Out);
                (type_out(&read, core).nullable(), Some(read))
            }
            None => (TypeRef::Named(self.want(Wanted::Object(call.method.output()))), None),
        }
    }

    /// The field of an item that says which parent it belongs to.
    fn group_by(&mut self, call: &Call, rule: &ExtendsRule, items: Option<&FieldDescriptor>) -> Option<Read> {
        let item = items.filter(|items| items.is_list()).and_then(message_of);
        let Some(item) = item else {
            self.missing(call, "extends.items", &rule.items, &call.method.output());
            return None;
        };
        let field = item.get_field_by_name(&rule.group_by);
        let Some(field) = field.filter(|field| is_key_kind(&field.kind()) && !field.is_list()) else {
            self.missing(call, "extends.group_by", &rule.group_by, &item);
            return None;
        };
        Some(self.value(&field, Way::Out).0)
    }

    fn extension_name(&mut self, call: &Call, rule: &ExtendsRule) -> String {
        if let Some(name) = self.said_name(call, &rule.field) {
            return name;
        }
        let method = call.method.name();
        names::lower_camel(["Get", "List"].iter().find_map(|verb| after(method, verb)).unwrap_or(method))
    }
}

fn keys_max(keys: &FieldDescriptor, said: u32) -> u32 {
    match (keys.is_list(), said) {
        (false, _) => 1,
        (true, 0) => KEYS_MAX,
        (true, said) => said,
    }
}

fn message_of(field: &FieldDescriptor) -> Option<MessageDescriptor> {
    match field.kind() {
        Proto::Message(message) if !field.is_map() => Some(message),
        _ => None,
    }
}

/// Whether a request's field is called like the key: `id`, `user_id`; `ids`, `user_ids` in a batch.
fn is_key_field(field: &FieldDescriptor, known: &Known, is_batch: bool) -> bool {
    let key = known.key.name();
    let plain = [key.to_owned(), format!("{}_{key}", names::snake(&known.name))];
    let called = plain
        .iter()
        .any(|name| if is_batch { names::plural(name) == field.name() } else { name == field.name() });
    called && field.kind() == known.key.kind() && field.is_list() == is_batch
}
