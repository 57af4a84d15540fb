//! What does a graph answer when it is asked about itself?
//!
//! The supergraph as a dynamic schema of async-graphql, which answers `__schema` and `__type` and nothing
//! else: any other field of `Query` is null here, and its resolver never runs. Names, descriptions and
//! deprecations are those of the SDL. A document must have passed `guard` and `validate` before it comes here:
//! async-graphql's own checks are left out, and it follows fragments wherever they lead.
//!
//! No future in here waits for anything, so one poll without a runtime gives the answer.

mod bounds;
mod weight;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use async_graphql::dynamic::{
    self, Enum, EnumItem, Field, FieldFuture, InputObject, InputValue, Object, Scalar, Schema, Subscription,
    SubscriptionField, SubscriptionFieldFuture, TypeRef, Union,
};
use async_graphql::futures_util::stream;
use async_graphql::{Request, ValidationMode, Value, Variables};
use async_graphql_parser::types::{DocumentOperations, ExecutableDocument, OperationDefinition};

use crate::Supergraph;
use crate::graph::{self, Doc, Name, RootKind, Type};
use crate::sdl;
use weight::Sizes;

/// Answers questions about one graph.
#[derive(Clone)]
pub struct Introspection {
    schema: Schema,
    sizes: Sizes,
}

/// Why a question about a graph has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// The answer would be far larger than what anybody reads.
    #[error("the answer about the graph is too large")]
    TooLarge,
    /// It went wrong, which a valid question does not.
    #[error("{0}")]
    Failed(String),
}

impl std::fmt::Debug for Introspection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Introspection").finish_non_exhaustive()
    }
}

impl Introspection {
    /// Prepares the answers for a graph; the error says why it is too large, or no legal schema.
    pub fn new(supergraph: &Supergraph) -> Result<Introspection, String> {
        bounds::check(supergraph)?;
        let [query, mutation, subscription] = [RootKind::Query, RootKind::Mutation, RootKind::Subscription]
            .map(|kind| supergraph.root_type(kind));
        let query = query.ok_or("the graph has no Query")?;
        let mut builder = Schema::build(query, mutation, subscription)
            .introspection_only()
            .disable_suggestions()
            .limit_recursive_depth(usize::MAX)
            .validation_mode(ValidationMode::Fast);
        for (name, ty) in &supergraph.types {
            builder = builder.register(registered(name, ty));
        }
        let schema = builder.finish().map_err(|error| error.to_string())?;
        Ok(Introspection { schema, sizes: Sizes::of(supergraph) })
    }

    /// The answers to an operation's `__schema`, `__type` and `__typename`; all its other fields are null.
    /// Variables without a value get their default here.
    pub fn answer(
        &self,
        document: &ExecutableDocument,
        operation: Option<&str>,
        variables: Variables,
    ) -> Result<Value, Unanswered> {
        let asked = selected(document, operation);
        if asked.is_some_and(|asked| self.sizes.exceeds(document, asked)) {
            return Err(Unanswered::TooLarge);
        }
        let mut request = Request::new("");
        request.variables = with_defaults(asked, variables);
        request.operation_name = match &document.operations {
            DocumentOperations::Single(_) => None,
            DocumentOperations::Multiple(_) => operation.map(str::to_owned),
        };
        request.set_parsed_query(document.clone());
        let future = pin!(self.schema.execute(request));
        let Poll::Ready(response) = future.poll(&mut Context::from_waker(Waker::noop())) else {
            return Err(Unanswered::Failed("an answer about the graph waits for something".to_owned()));
        };
        match response.errors.first() {
            Some(error) => Err(Unanswered::Failed(error.message.clone())),
            None => Ok(response.data),
        }
    }
}

fn selected<'a>(document: &'a ExecutableDocument, name: Option<&str>) -> Option<&'a OperationDefinition> {
    let mut operations = document.operations.iter();
    let found = match name {
        Some(name) => operations.find(|(known, _)| known.is_some_and(|known| known == name)),
        None => operations.next(),
    };
    found.map(|(_, operation)| &operation.node)
}

/// async-graphql leaves defaults out where it decides about `@skip` and `@include`.
fn with_defaults(operation: Option<&OperationDefinition>, mut variables: Variables) -> Variables {
    for definition in operation.into_iter().flat_map(|operation| &operation.variable_definitions) {
        let name = &definition.node.name.node;
        if let (false, Some(default)) = (variables.contains_key(name), definition.node.default_value()) {
            variables.insert(name.clone(), default.clone());
        }
    }
    variables
}

fn registered(name: &Name, ty: &Type) -> dynamic::Type {
    let name = &**name;
    let text = sdl::description(ty.doc());
    match ty {
        Type::Object(object) if name == RootKind::Subscription.as_str() => {
            let it = with(Subscription::new(name), text, Subscription::description);
            object.fields.iter().map(stream_field).fold(it, Subscription::field).into()
        }
        Type::Object(object) => {
            let it = with(Object::new(name), text, Object::description);
            object.fields.iter().map(field).fold(it, Object::field).into()
        }
        Type::Input(input) => {
            let it = with(InputObject::new(name), text, InputObject::description);
            input.fields.iter().map(argument).fold(it, InputObject::field).into()
        }
        Type::Enum(known) => {
            with(Enum::new(name), text, Enum::description).items(known.values.iter().map(item)).into()
        }
        Type::Union(union) => {
            let it = with(Union::new(name), text, Union::description);
            union.members.iter().fold(it, |it, member| it.possible_type(&**member)).into()
        }
        Type::Scalar(scalar) => {
            let it = with(Scalar::new(name), text, Scalar::description);
            with(it, scalar.specified_by(), Scalar::specified_by_url).into()
        }
    }
}

/// Sets what there is, and nothing where there is nothing: an empty text would be shown.
fn with<T, V>(thing: T, value: Option<V>, set: impl FnOnce(T, V) -> T) -> T {
    match value {
        Some(value) => set(thing, value),
        None => thing,
    }
}

fn field(known: &graph::Field) -> Field {
    let it = Field::new(&*known.name, type_ref(&known.ty), |_| FieldFuture::Value(None));
    let it = with(it, sdl::description(&known.doc), Field::description);
    let it = with(it, reason(&known.doc), |it, reason| it.deprecation(Some(reason)));
    known.arguments.iter().map(argument).fold(it, Field::argument)
}

fn stream_field(known: &graph::Field) -> SubscriptionField {
    let it = SubscriptionField::new(&*known.name, type_ref(&known.ty), |_| {
        SubscriptionFieldFuture::new(async { Ok(stream::empty::<async_graphql::Result<Value>>()) })
    });
    let it = with(it, sdl::description(&known.doc), SubscriptionField::description);
    let it = with(it, reason(&known.doc), |it, reason| it.deprecation(Some(reason)));
    known.arguments.iter().map(argument).fold(it, SubscriptionField::argument)
}

fn argument(known: &graph::Argument) -> InputValue {
    let it = InputValue::new(&*known.name, type_ref(&known.ty));
    let it = with(it, sdl::description(&known.doc), InputValue::description);
    with(it, reason(&known.doc), |it, reason| it.deprecation(Some(reason)))
}

fn item(known: &graph::EnumValue) -> EnumItem {
    let it = with(EnumItem::new(&*known.name), sdl::description(&known.doc), EnumItem::description);
    with(it, reason(&known.doc), |it, reason| it.deprecation(Some(reason)))
}

fn reason(doc: &Doc) -> Option<&str> {
    doc.deprecated.as_deref()
}

fn type_ref(ty: &graph::TypeRef) -> TypeRef {
    match ty {
        graph::TypeRef::Named(name) => TypeRef::named(&**name),
        graph::TypeRef::List(inner) => TypeRef::List(Box::new(type_ref(inner))),
        graph::TypeRef::NonNull(inner) => TypeRef::NonNull(Box::new(type_ref(inner))),
    }
}
