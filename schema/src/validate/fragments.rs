//! The rules about fragments as a whole: each is used, and none spreads itself.

use std::collections::HashSet;

use async_graphql_parser::Pos;
use async_graphql_parser::types::ExecutableDocument;

use super::Error;
use super::walk::{Definition, Scopes};

/// Judges the fragments of a document.
pub(super) fn check(document: &ExecutableDocument, scopes: &Scopes<'_>, errors: &mut Vec<Error>) {
    let mut used = HashSet::new();
    for (name, _) in document.operations.iter() {
        used.extend(reached(Definition::Operation(name.map(|name| name.as_str())), scopes));
    }
    for (name, fragment) in &document.fragments {
        if !used.contains(&Definition::Fragment(name)) {
            errors.push(Error::invalid(format!("Fragment \"{name}\" is never used."), [fragment.pos]));
        }
    }
    cycles(document, scopes, errors);
}

/// A definition and all fragments that it reaches, each once.
pub(super) fn reached<'a>(from: Definition<'a>, scopes: &Scopes<'a>) -> Vec<Definition<'a>> {
    let (mut found, mut seen, mut next) = (vec![from], HashSet::from([from]), 0);
    while let Some(definition) = found.get(next) {
        next += 1;
        let spreads = scopes.get(definition).into_iter().flat_map(|scope| &scope.spreads);
        let fresh: Vec<_> = spreads
            .map(|(name, _)| Definition::Fragment(name))
            .filter(|fragment| seen.insert(*fragment))
            .collect();
        found.extend(fresh);
    }
    found
}

/// Tells of every fragment whether a spread in it leads back to it. The walk keeps its own stack, because a
/// chain of fragments may be as long as the text.
fn cycles(document: &ExecutableDocument, scopes: &Scopes<'_>, errors: &mut Vec<Error>) {
    let mut names: Vec<(&str, Pos)> =
        document.fragments.iter().map(|(name, fragment)| (name.as_str(), fragment.pos)).collect();
    names.sort_by_key(|(_, pos)| *pos);
    let mut done = HashSet::new();
    for (name, _) in names {
        let mut path = vec![(name, 0)];
        while let Some((fragment, next)) = path.last_mut() {
            let scope = scopes.get(&Definition::Fragment(fragment));
            let spread = scope.and_then(|scope| scope.spreads.get(*next));
            *next += 1;
            let here = *fragment;
            match spread {
                None => {
                    done.insert(here);
                    path.pop();
                }
                Some((to, at)) if path.iter().any(|(on_path, _)| on_path == to) => {
                    let message = format!("Cannot spread fragment \"{to}\" within itself.");
                    errors.push(Error::invalid(message, [*at]));
                }
                Some((to, _)) if !done.contains(to) => path.push((to, 0)),
                Some(_) => {}
            }
        }
    }
}
