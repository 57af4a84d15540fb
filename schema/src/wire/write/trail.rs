//! Where in the answer is the writer? A step with the steps before it, on the stack.
//!
//! A step costs nothing but its place there. A path is made only when there is an error to tell.

use async_graphql_parser::Pos;

use super::Step;
use crate::plan::Output;

/// A step into the answer, and those before it; the outermost has none before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trail<'t> {
    before: Option<&'t Trail<'t>>,
    into: Target<'t>,
}

#[derive(Clone, Copy, Debug)]
enum Target<'t> {
    Data,
    Output(&'t Output),
    Item(usize),
    /// Into what a fetch brought, which is no step of the path.
    Fetch(usize),
}

/// Where something is.
#[derive(Debug)]
pub(super) struct Spot {
    /// All steps.
    pub(super) path: Vec<Step>,
    /// Where the innermost field is asked for.
    pub(super) at: Pos,
    /// The fetch that brought it.
    pub(super) fetch: Option<usize>,
}

impl<'t> Trail<'t> {
    /// The data as a whole.
    pub(super) const DATA: Trail<'static> = Trail { before: None, into: Target::Data };

    /// Into a response key.
    #[inline]
    pub(super) fn output(&'t self, output: &'t Output) -> Trail<'t> {
        Trail { before: Some(self), into: Target::Output(output) }
    }

    /// Into a list.
    #[inline]
    pub(super) fn item(&'t self, at: usize) -> Trail<'t> {
        Trail { before: Some(self), into: Target::Item(at) }
    }

    /// Into what a fetch brought.
    #[inline]
    pub(super) fn fetch(&'t self, fetch: usize) -> Trail<'t> {
        Trail { before: Some(self), into: Target::Fetch(fetch) }
    }

    /// Where it leads.
    pub(super) fn spot(&self) -> Spot {
        let (mut path, mut asked, mut brought) = (Vec::new(), None, None);
        let mut here = Some(self);
        while let Some(trail) = here {
            match trail.into {
                Target::Data => {}
                Target::Output(output) => {
                    asked.get_or_insert(output.at);
                    path.push(Step::Key(output.key.clone()));
                }
                Target::Item(at) => path.push(Step::Index(at)),
                Target::Fetch(fetch) => {
                    brought.get_or_insert(fetch);
                }
            }
            here = trail.before;
        }
        path.reverse();
        Spot { path, at: asked.unwrap_or_default(), fetch: brought }
    }
}
