//! Whether every field that the graph reads or writes means the same bytes in both versions.
//!
//! Fields are matched by number, because that is what plans hold. Messages that the new version no longer
//! has are not told here: whatever led to them has another type or is gone, and is told there.

use std::collections::BTreeSet;

use prost_reflect::{Cardinality, DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};

use super::exposed::{Exposed, Place};
use super::reserved::{Member, Reserved};
use super::{Findings, Rule, Sides};

pub(super) fn check(
    exposed: &Exposed<'_>,
    (old, new): (&DescriptorPool, &DescriptorPool),
    findings: &mut Findings<'_>,
) {
    for ((message, number), places) in &exposed.fields {
        let (Some(was), Some(is)) = (old.get_message_by_name(message), new.get_message_by_name(message))
        else {
            continue;
        };
        let Some(field) = was.get_field(*number) else { continue };
        match is.get_field(*number) {
            Some(now) => compare(&field, &now, places, findings),
            None => deleted(&field, &is, places, findings),
        }
    }
    for message in exposed.messages() {
        if let (Some(was), Some(is)) = (old.get_message_by_name(message), new.get_message_by_name(message)) {
            required(&was, &is, &exposed.carriers(message), findings);
            reserved(&was, &is, findings);
        }
    }
}

fn deleted(
    old: &FieldDescriptor,
    message: &MessageDescriptor,
    places: &[Place],
    findings: &mut Findings<'_>,
) {
    let name = Some(old.full_name());
    if let Some(elsewhere) = message.get_field_by_name(old.name()) {
        return findings.push(Rule::FieldSameNumber, name, places, Sides::new(spell(old), spell(&elsewhere)));
    }
    findings.push(Rule::FieldNoDelete, name, places, Sides::new(spell(old), ""));
    let reserved = Reserved::of_message(message);
    if !reserved.has_number(old.number().into()) {
        let sides = Sides::new(spell(old), format!("number {} is free", old.number()));
        findings.push(Rule::FieldNoDeleteUnlessNumberReserved, name, places, sides);
    }
    if !reserved.has_name(old.name()) {
        let sides = Sides::new(spell(old), format!("name {:?} is free", old.name()));
        findings.push(Rule::FieldNoDeleteUnlessNameReserved, name, places, sides);
    }
}

fn compare(old: &FieldDescriptor, new: &FieldDescriptor, places: &[Place], findings: &mut Findings<'_>) {
    let mut push = |rule, was: String, is: String| {
        findings.push(rule, Some(old.full_name()), places, Sides::new(was, is));
    };
    if old.name() != new.name() {
        push(Rule::FieldSameName, spell(old), spell(new));
    } else if old.json_name() != new.json_name() {
        push(Rule::FieldSameJsonName, old.json_name().to_owned(), new.json_name().to_owned());
    }
    if type_of(old) != type_of(new) {
        push(Rule::FieldSameType, spell(old), spell(new));
    }
    let oneofs = (oneof(old), oneof(new));
    match (count(old), count(new)) {
        (was, is) if was == is => {}
        // Another type comes with the presence it has.
        ("implicit", "optional") if type_of(old) != type_of(new) => {}
        ("implicit", "optional") if oneofs.1.is_none() => {
            push(Rule::FieldGainsPresence, spell(old), spell(new));
        }
        // `required` and oneofs have rules of their own.
        ("required", "implicit" | "optional") | ("implicit" | "optional", "required") => {}
        ("implicit" | "optional", "implicit" | "optional") if oneofs.0 != oneofs.1 => {}
        _ => push(Rule::FieldSameCardinality, spell(old), spell(new)),
    }
    if oneofs.0 != oneofs.1 {
        let side =
            |oneof: Option<String>| oneof.map_or("in no oneof".into(), |name| format!("in oneof {name}"));
        push(Rule::FieldSameOneof, side(oneofs.0), side(oneofs.1));
    }
    let default = |field: &FieldDescriptor| field.field_descriptor_proto().default_value.clone();
    if default(old) != default(new) {
        let side = |default: Option<String>| {
            default.map_or("no default".into(), |value| format!("default {value:?}"))
        };
        push(Rule::FieldSameDefault, side(default(old)), side(default(new)));
    }
    let (was, is) = (validation(old), validation(new));
    if was != is {
        push(Rule::FieldSameValidation, was.join(", "), is.join(", "));
    }
}

/// A required field that one side does not know makes the other's bytes unreadable for it, seen or not.
fn required(old: &MessageDescriptor, new: &MessageDescriptor, places: &[Place], findings: &mut Findings<'_>) {
    let names = |message: &MessageDescriptor| -> BTreeSet<String> {
        let required = message.fields().filter(|field| field.cardinality() == Cardinality::Required);
        required.map(|field| format!("{} = {}", field.name(), field.number())).collect()
    };
    let (was, is) = (names(old), names(new));
    if was != is {
        let side = |names: BTreeSet<String>| {
            format!("required: {}", names.into_iter().collect::<Vec<_>>().join(", "))
        };
        let sides = Sides::new(side(was), side(is));
        findings.push(Rule::MessageSameRequiredFields, Some(old.full_name()), places, sides);
    }
}

fn reserved(old: &MessageDescriptor, new: &MessageDescriptor, findings: &mut Findings<'_>) {
    let now: Vec<Member> = new
        .fields()
        .map(|field| Member {
            number: field.number().into(),
            name: field.name().to_owned(),
            spelled: spell(&field),
        })
        .collect();
    let about = (Rule::ReservedMessageNoDelete, old.full_name());
    Reserved::of_message(old).check(&Reserved::of_message(new), &now, about, findings);
}

/// The field as a proto file has it.
fn spell(field: &FieldDescriptor) -> String {
    let count = match count(field) {
        "implicit" | "map" => "",
        // Of a message, and of a member of a oneof, presence goes without saying.
        "optional" if matches!(field.kind(), Kind::Message(_)) || oneof(field).is_some() => "",
        other => other,
    };
    let space = if count.is_empty() { "" } else { " " };
    format!("{count}{space}{} {} = {}", type_of(field), field.name(), field.number())
}

fn count(field: &FieldDescriptor) -> &'static str {
    match field.cardinality() {
        Cardinality::Repeated if field.is_map() => "map",
        Cardinality::Repeated => "repeated",
        Cardinality::Required => "required",
        Cardinality::Optional if field.supports_presence() => "optional",
        Cardinality::Optional => "implicit",
    }
}

fn type_of(field: &FieldDescriptor) -> String {
    match field.kind() {
        Kind::Message(entry) if field.is_map() => {
            // Strangers' entries may lack their fields, which `map_entry_key_field` does not expect.
            let side =
                |number| entry.get_field(number).map_or_else(|| "nothing".into(), |field| type_of(&field));
            format!("map<{}, {}>", side(1), side(2))
        }
        Kind::Message(message) if field.is_group() => format!("group {}", message.full_name()),
        Kind::Message(message) => message.full_name().to_owned(),
        Kind::Enum(definition) => definition.full_name().to_owned(),
        kind => format!("{kind:?}"),
    }
}

fn oneof(field: &FieldDescriptor) -> Option<String> {
    field.containing_oneof().filter(|oneof| !oneof.is_synthetic()).map(|oneof| oneof.name().to_owned())
}

/// The options of the usual validators, as text. What they mean is not known here, only that they differ.
fn validation(field: &FieldDescriptor) -> Vec<String> {
    let options = field.options();
    let mut rules: Vec<String> = options
        .extensions()
        .filter(|(extension, _)| {
            let name = extension.full_name();
            name.starts_with("buf.validate.") || name.starts_with("validate.")
        })
        .map(|(extension, value)| format!("({}) = {value}", extension.full_name()))
        .collect();
    rules.sort();
    rules
}
