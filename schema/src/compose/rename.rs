//! A service's own names become the graph's, everywhere a thing mentions a type.
//!
//! Edges are left alone: the entity they lead to may be another service's, which `join` decides.

use crate::graph::{Argument, Extension, Field, Kind, Name, Read, Resolve, Root, Type, TypeRef};

/// From a service's name of a type to the graph's; a name that is no type of the service stays.
pub(super) type To<'a> = &'a dyn Fn(&Name) -> Name;

pub(super) fn ty(ty: &mut Type, to: To<'_>) {
    match ty {
        Type::Object(object) => object.fields.iter_mut().for_each(|of| field(of, to)),
        Type::Input(input) => input.fields.iter_mut().for_each(|of| argument(of, to)),
        Type::Union(union) => union.members.iter_mut().for_each(|member| *member = to(member)),
        Type::Enum(_) | Type::Scalar(_) => {}
    }
}

pub(super) fn root(root: &mut Root, to: To<'_>) {
    field(&mut root.field, to);
    optional(&mut root.unwrap, to);
}

pub(super) fn extension(extension: &mut Extension, to: To<'_>) {
    field(&mut extension.field, to);
    read(&mut extension.key, to);
    optional(&mut extension.items, to);
    optional(&mut extension.group_by, to);
}

pub(super) fn optional(of: &mut Option<Read>, to: To<'_>) {
    if let Some(of) = of {
        read(of, to);
    }
}

fn field(field: &mut Field, to: To<'_>) {
    field.arguments.iter_mut().for_each(|of| argument(of, to));
    match &mut field.resolve {
        Resolve::Edge(_) => return,
        Resolve::Read(of) => read(of, to),
        Resolve::Choice(choices) => {
            for choice in choices {
                choice.object = to(&choice.object);
                read(&mut choice.read, to);
            }
        }
        Resolve::Case(_) | Resolve::Extension(_) | Resolve::Root(_) | Resolve::Ok => {}
    }
    type_ref(&mut field.ty, to);
}

fn argument(argument: &mut Argument, to: To<'_>) {
    type_ref(&mut argument.ty, to);
    read(&mut argument.write, to);
}

pub(super) fn type_ref(ty: &mut TypeRef, to: To<'_>) {
    match ty {
        TypeRef::Named(name) => *name = to(name),
        TypeRef::List(inner) | TypeRef::NonNull(inner) => type_ref(inner, to),
    }
}

fn read(read: &mut Read, to: To<'_>) {
    match &mut read.kind {
        Kind::Enum(name) | Kind::Message(name) | Kind::Group(name) => *name = to(name),
        Kind::Scalar(..) | Kind::Wrapper(..) | Kind::WellKnown(_) => {}
    }
}
