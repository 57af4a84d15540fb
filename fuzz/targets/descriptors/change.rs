//! Another descriptor set that is almost like this one.
//!
//! Bytes changed at random seldom say anything new: lengths no longer fit, and names point nowhere. Here
//! the set is decoded with the options in it, some places are changed to values of the same kind, and names
//! are taken from elsewhere in the set.

use std::sync::LazyLock;

use prost_reflect::prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage, Value,
};

/// What a FileDescriptorSet is, and all options that the sample contracts use.
static SET: LazyLock<MessageDescriptor> = LazyLock::new(|| {
    let bytes = include_bytes!("../../seeds/descriptors/todo.binpb");
    let pool = DescriptorPool::decode(bytes.as_slice()).expect("a legal set");
    pool.get_message_by_name("google.protobuf.FileDescriptorSet").expect("todo imports descriptor.proto")
});

/// Places changed at a time.
const CHANGES_MAX: usize = 4;

/// The set with a few changes; none when the bytes are no set.
pub(crate) fn change(bytes: &[u8], seed: u32) -> Option<Vec<u8>> {
    let mut set = DynamicMessage::decode(SET.clone(), bytes).ok()?;
    let mut texts = Vec::new();
    collect(&set, &mut texts);
    let mut dice = Dice { state: u64::from(seed) << 1 | 1, texts };
    for _ in 0..=dice.below(CHANGES_MAX) {
        dice.message(&mut set);
    }
    Some(set.encode_to_vec())
}

fn collect(message: &DynamicMessage, texts: &mut Vec<String>) {
    let values = message.fields().map(|(_, value)| value);
    for value in values.chain(message.extensions().map(|(_, value)| value)) {
        let values = match value {
            Value::List(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        for value in values {
            match value {
                Value::String(text) => texts.push(text.clone()),
                Value::Message(inner) => collect(inner, texts),
                _ => {}
            }
        }
    }
}

/// Xorshift, and the words to choose from.
struct Dice {
    state: u64,
    texts: Vec<String>,
}

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 16) as usize % end.max(1)
    }

    /// Changes one place in a message, or in one that it holds.
    fn message(&mut self, message: &mut DynamicMessage) {
        let extensions: Vec<_> = message.descriptor().extensions().collect();
        if !extensions.is_empty() && self.below(2) == 0 {
            let extension = &extensions[self.below(extensions.len())];
            let kind = extension.kind();
            self.value(message.get_extension_mut(extension), &kind);
            return;
        }
        let fields: Vec<FieldDescriptor> = match self.below(8) {
            0 => message.descriptor().fields().collect(),
            _ => message.fields().map(|(field, _)| field).collect(),
        };
        if let Some(field) = fields.get(self.below(fields.len())) {
            self.field(message, field);
        }
    }

    fn field(&mut self, message: &mut DynamicMessage, field: &FieldDescriptor) {
        if self.below(16) == 0 {
            message.clear_field(field);
            return;
        }
        let kind = field.kind();
        match message.get_field_mut(field) {
            Value::List(values) => self.list(values, &kind),
            value => self.value(value, &kind),
        }
    }

    fn list(&mut self, values: &mut Vec<Value>, kind: &Kind) {
        let (at, other) = (self.below(values.len()), self.below(values.len()));
        match self.below(8) {
            _ if values.is_empty() => values.push(Value::default_value(kind)),
            0 => _ = values.remove(at),
            1 => values.push(values[at].clone()),
            2 => values.swap(at, other),
            _ => self.value(&mut values[at], kind),
        }
    }

    fn value(&mut self, value: &mut Value, kind: &Kind) {
        match value {
            Value::Message(message) => self.message(message),
            Value::List(values) => self.list(values, kind),
            Value::Bool(bool) => *bool = !*bool,
            Value::EnumNumber(number) => *number = self.below(20) as i32,
            Value::I32(number) => {
                let near = *number;
                *number =
                    [0, 1, 2, 3, -1, near.wrapping_add(1), near.wrapping_sub(1), i32::MAX][self.below(8)];
            }
            Value::String(text) => {
                let word = self.below(self.texts.len());
                *text = match (self.below(8), self.texts.get(word)) {
                    (0, _) | (_, None) => String::new(),
                    (1, Some(word)) => format!(".{word}"),
                    (2, Some(word)) => word.rsplit('.').next().unwrap_or_default().to_owned(),
                    (3, Some(word)) => format!("{text}.{word}"),
                    (4, Some(word)) => format!("{word}s"),
                    (_, Some(word)) => word.clone(),
                };
            }
            // The rest is in options that nobody reads.
            _ => *value = Value::default_value(kind),
        }
    }
}
