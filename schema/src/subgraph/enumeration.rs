//! What are the names of an enum?
//!
//! The values without the type's own name in front, when all have it. A zero that means "not said" is no
//! name but null. Of several names for one number the first is written, and all are taken.

use prost_reflect::{EnumDescriptor, EnumValueDescriptor};

use super::names;
use super::reader::{Reader, Taken};
use crate::graph::{Enum, EnumValue};

/// What GraphQL keeps for itself.
const RESERVED: [&str; 3] = ["true", "false", "null"];

impl Reader<'_> {
    pub(super) fn enumeration(&mut self, definition: &EnumDescriptor) -> Enum {
        let all = values(definition);
        let said: Vec<&EnumValueDescriptor> = all.iter().filter(|value| !is_unspecified(value)).collect();
        let zero_is_null = said.len() < all.len() && !said.is_empty();
        let shown = if said.is_empty() { all.iter().collect() } else { said };
        let prefix = prefix(definition, &shown);
        let file = definition.parent_file();
        let mut taken = Taken::default();
        let mut values = Vec::new();
        for value in shown {
            let name = value.name().strip_prefix(&prefix).unwrap_or(value.name());
            let name = if RESERVED.contains(&name) { format!("{name}_") } else { names::unreserved(name) };
            let name = name.into();
            if taken.take(&name) {
                let deprecated = self.source.options.enum_value(value).deprecated;
                let doc = self.source.comments.doc(&file, value.path(), deprecated);
                values.push(EnumValue { name, doc, number: value.number() });
            }
        }
        let deprecated = self.source.options.file(&file).deprecated
            || self.source.options.enumeration(definition).deprecated;
        let doc = self.source.comments.doc(&file, definition.path(), deprecated);
        Enum { doc, source: definition.full_name().into(), values, zero_is_null }
    }
}

/// In the order of the proto, of which the first of several names for one number is the one to write.
fn values(definition: &EnumDescriptor) -> Vec<EnumValueDescriptor> {
    let names = definition.enum_descriptor_proto().value.iter();
    names.filter_map(|value| definition.get_value_by_name(value.name())).collect()
}

fn is_unspecified(value: &EnumValueDescriptor) -> bool {
    value.number() == 0 && (value.name() == "UNSPECIFIED" || value.name().ends_with("_UNSPECIFIED"))
}

/// `ORDER_STATUS_`, when it can be taken off every name; nothing otherwise.
fn prefix(definition: &EnumDescriptor, values: &[&EnumValueDescriptor]) -> String {
    let prefix = format!("{}_", names::screaming(definition.name()));
    let mut bare = Taken::default();
    let all_have_it = values.iter().all(|value| {
        let rest = value.name().strip_prefix(&prefix);
        rest.is_some_and(|rest| names::is_legal(rest) && !RESERVED.contains(&rest) && bare.take(&rest.into()))
    });
    if all_have_it { prefix } else { String::new() }
}
