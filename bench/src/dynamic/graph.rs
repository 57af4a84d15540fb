//! The schema: an object for each message that the roots reach, an edge for each join.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_graphql::dynamic::{
    Field, FieldFuture, FieldValue, InputValue, Object, Scalar, Schema, SchemaBuilder, Type, TypeRef,
};
use prost_reflect::{
    DescriptorPool, DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, Value,
};
use tonic::Status;
use tonic::transport::Channel;

use super::call::Method;
use super::load::Loaders;
use super::value::{Reader, SCALARS, TIMESTAMP, argument, enumeration, given, type_of};
use super::{BATCHES, EDGES, Edge, Error, ROOTS, Root};

/// Builds the schema; its roots call through `channel`.
pub(super) fn schema(pool: &DescriptorPool, channel: &Channel) -> Result<Schema, Error> {
    let mut types = Types {
        found: SCALARS.into_iter().map(|name| Scalar::new(name).into()).collect(),
        named: BTreeSet::new(),
    };
    let mut query = Object::new("Query");
    for root in &ROOTS {
        let method = Method::find(pool, root.method)?;
        let returned = match root.unwrap {
            None => method.output.clone(),
            Some(name) => item(&method.output, name)?,
        };
        types.add(&returned)?;
        query = query.field(root_field(root, method, channel.clone()));
    }
    for batch in &BATCHES {
        let missing = || Error::Missing(batch.entity.to_owned());
        types.add(&pool.get_message_by_name(batch.entity).ok_or_else(missing)?)?;
    }
    let builder = Schema::build("Query", None, None).register(query);
    Ok(types.found.into_iter().fold(builder, SchemaBuilder::register).finish()?)
}

/// The message of a repeated field.
fn item(of: &MessageDescriptor, field: &str) -> Result<MessageDescriptor, Error> {
    let kind = of.get_field_by_name(field).map(|field| field.kind());
    kind.and_then(|kind| kind.as_message().cloned()).ok_or_else(|| Error::Missing(field.to_owned()))
}

/// The types that are built so far.
struct Types {
    found: Vec<Type>,
    named: BTreeSet<String>,
}

impl Types {
    /// Adds a message and all that it contains, each once.
    fn add(&mut self, message: &MessageDescriptor) -> Result<(), Error> {
        if message.full_name() == TIMESTAMP || !self.named.insert(message.name().to_owned()) {
            return Ok(());
        }
        let mut object = Object::new(message.name());
        for field in message.fields() {
            match field.kind() {
                Kind::Message(inner) => self.add(&inner)?,
                Kind::Enum(of) => self.name(&of),
                _ => {}
            }
            object = object.field(plain_field(field));
        }
        for edge in EDGES.iter().filter(|edge| edge.message == message.full_name()) {
            let missing = || Error::Missing(edge.key.to_owned());
            let key = message.get_field_by_name(edge.key).ok_or_else(missing)?;
            object = object.field(edge_field(edge, key)?);
        }
        self.found.push(object.into());
        Ok(())
    }

    fn name(&mut self, of: &EnumDescriptor) {
        if self.named.insert(of.name().to_owned()) {
            self.found.push(enumeration(of).into());
        }
    }
}

fn plain_field(field: FieldDescriptor) -> Field {
    let (name, of) = (field.json_name().to_owned(), type_of(&field));
    let reader = Reader::new(field);
    Field::new(name, of, move |ctx| {
        FieldFuture::Value(message(ctx.parent_value).and_then(|message| reader.read(message)))
    })
}

fn edge_field(edge: &Edge, key: FieldDescriptor) -> Result<Field, Error> {
    let missing = || Error::Missing(edge.entity.to_owned());
    let which = BATCHES.iter().position(|batch| batch.entity == edge.entity).ok_or_else(missing)?;
    let name = edge.entity.rsplit('.').next().ok_or_else(missing)?;
    Ok(Field::new(edge.field, TypeRef::named(name), move |ctx| {
        let id = message(ctx.parent_value).and_then(|message| message.get_field(&key).as_i64());
        FieldFuture::new(async move {
            let Some(id) = id else { return Ok(None) };
            let found = ctx.data::<Loaders>()?.load(which, id).await.map_err(fault)?;
            Ok(found.map(FieldValue::owned_any))
        })
    }))
}

fn root_field(root: &Root, method: Method, channel: Channel) -> Field {
    let inputs: Vec<FieldDescriptor> = method.input.fields().collect();
    let unwrap = root.unwrap.and_then(|name| method.output.get_field_by_name(name));
    let of = match &unwrap {
        // A call that fails makes its field null.
        Some(list) => TypeRef::named_nn_list(list.kind().as_message().map_or("", MessageDescriptor::name)),
        None => TypeRef::named(method.output.name()),
    };
    let arguments: Vec<InputValue> =
        inputs.iter().map(|input| InputValue::new(input.json_name(), argument(input))).collect();
    let method = Arc::new((method, inputs, unwrap));
    let field = Field::new(root.field, of, move |ctx| {
        let method = Arc::clone(&method);
        let channel = channel.clone();
        FieldFuture::new(async move {
            let (method, inputs, unwrap) = &*method;
            let mut request = DynamicMessage::new(method.input.clone());
            for input in inputs {
                if let Some(value) =
                    ctx.args.get(input.json_name()).and_then(|arg| given(input, arg.as_value()))
                {
                    request.set_field(input, value);
                }
            }
            let answer = method.call(channel, request).await.map_err(fault)?;
            Ok(Some(match unwrap {
                None => FieldValue::owned_any(answer),
                Some(list) => items(answer, list),
            }))
        })
    });
    arguments.into_iter().fold(field, Field::argument)
}

/// The messages of a repeated field, moved out of the answer.
fn items<'a>(mut answer: DynamicMessage, list: &FieldDescriptor) -> FieldValue<'a> {
    let items = match answer.take_field(list) {
        Some(Value::List(items)) => items,
        _ => Vec::new(),
    };
    let messages = items.into_iter().filter_map(|item| match item {
        Value::Message(message) => Some(FieldValue::owned_any(message)),
        _ => None,
    });
    FieldValue::list(messages)
}

/// The message behind a value: its own, its parent's, or an entity that several share.
fn message<'a>(value: &'a FieldValue<'_>) -> Option<&'a DynamicMessage> {
    let shared = || value.downcast_ref::<Arc<DynamicMessage>>().map(Arc::as_ref);
    value.downcast_ref::<DynamicMessage>().or_else(shared)
}

fn fault(status: Status) -> async_graphql::Error {
    async_graphql::Error::new(status.message())
}
