//! Which field mask of a request does the gateway fill in, so that nobody has to send it?
//!
//! `update_mask` names what was given of the one message that the request changes; `read_mask` names what was
//! asked for. A mask stays an argument where it is not clear what it is about.

use prost_reflect::{FieldDescriptor, Kind as Proto, MessageDescriptor};

use super::Origin;
use super::names;
use super::reader::Reader;
use super::root::{Call, after};
use crate::Severity;
use crate::graph::{Argument, Kind, Mask, TypeRef};

impl Reader<'_> {
    /// A mask that the gateway fills in, where the request has one and it is clear what it is about.
    pub(super) fn mask(&mut self, call: &Call) -> Option<Mask> {
        let request = call.method.input();
        let field = |name: &str| request.get_field_by_name(name).filter(is_mask);
        if let Some(mask) = field("update_mask") {
            let Some(of) = self.updated(call, &request) else {
                self.report(
                    Severity::Info,
                    "MASK_UNCLEAR",
                    format!(
                        "{} stays an argument, because it is not clear what it is about.",
                        mask.full_name()
                    ),
                    "Let the request have one message that is changed.",
                );
                return None;
            };
            let key = match of.kind() {
                Proto::Message(message) => self.patch_key(&message).map(|key| key.number()),
                _ => None,
            };
            self.tell(
                mask.full_name(),
                format!("is filled in with the fields of `{}` that are given", of.name()),
                Origin::Shape,
            );
            return Some(Mask::Update { mask: mask.number(), of: of.number(), key });
        }
        let mask = field("read_mask")?;
        let response = call.method.output();
        let known = self.source.catalog.of(&response).is_some();
        let of = if known { None } else { self.source.catalog.only(&response).map(FieldDescriptor::number) };
        self.tell(mask.full_name(), "is filled in with the fields that are asked for", Origin::Shape);
        Some(Mask::Read { mask: mask.number(), of })
    }

    /// The request field with what is changed: the only message in it.
    fn updated(&mut self, call: &Call, request: &MessageDescriptor) -> Option<FieldDescriptor> {
        let noun = after(call.method.name(), "Update").map(names::snake);
        let named = noun.and_then(|noun| request.get_field_by_name(&noun)).filter(is_one_message);
        named
            .or_else(|| self.source.catalog.only(request).cloned().filter(is_one_message))
            .filter(|field| self.is_sent(field))
    }

    pub(super) fn patch_argument(
        &mut self,
        request: &MessageDescriptor,
        of: u32,
        arguments: &mut [Argument],
    ) {
        let Some(Proto::Message(message)) = request.get_field(of).map(|field| field.kind()) else { return };
        let Some(argument) = arguments.iter_mut().find(|argument| argument.write.number == of) else {
            return;
        };
        if !matches!(argument.write.kind, Kind::Message(_)) {
            return;
        }
        let name = self.want_patch(&message);
        argument.write.kind = Kind::Message(name.clone());
        let ty = TypeRef::Named(name);
        argument.ty = if argument.ty.is_non_null() { ty.non_null() } else { ty };
    }
}

/// The request field that a mask hides.
pub(super) fn mask_field(mask: &Mask) -> u32 {
    match mask {
        Mask::Update { mask, .. } | Mask::Read { mask, .. } => *mask,
    }
}

fn is_mask(field: &FieldDescriptor) -> bool {
    let is_mask =
        matches!(field.kind(), Proto::Message(message) if message.full_name() == "google.protobuf.FieldMask");
    is_mask && !field.is_list()
}

fn is_one_message(field: &FieldDescriptor) -> bool {
    matches!(field.kind(), Proto::Message(_)) && !field.is_list() && !field.is_map() && !field.is_group()
}
