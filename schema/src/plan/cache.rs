//! Which plans are at hand? The plans of one graph, by the text they were asked with.
//!
//! What is kept is the caller's: a plan, or a plan with what was made ready beside it.
//! Looking one up copies nothing: the text is only hashed and compared. The key is the text as the caller
//! has it, so that a document can be found before it is unescaped; two spellings of one document are two
//! entries. A cache belongs to one graph and dies with it, so nothing is ever invalidated. It is bounded:
//! when it is full, the plans that nobody asked for since the last time it was full go first, so that
//! a stream of documents that are sent once cannot push out those that are sent always. Sharing it among
//! threads is the caller's business; looking up needs no more than `&self`.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The plans of one graph, each kept as a `P`.
#[derive(Debug)]
pub struct Cache<P> {
    by_text: HashMap<Box<str>, Vec<Entry<P>>>,
    plans: usize,
    plans_max: usize,
}

#[derive(Debug)]
struct Entry<P> {
    operation: Option<Box<str>>,
    plan: Arc<P>,
    /// Since the cache was last full.
    used: AtomicBool,
}

impl<P> Cache<P> {
    /// A cache for so many plans, at least one.
    pub fn new(plans_max: usize) -> Cache<P> {
        Cache { by_text: HashMap::new(), plans: 0, plans_max: plans_max.max(1) }
    }

    /// The plan of an operation of this text.
    pub fn get(&self, text: &str, operation: Option<&str>) -> Option<Arc<P>> {
        let entries = self.by_text.get(text)?;
        let entry = entries.iter().find(|entry| entry.operation.as_deref() == operation)?;
        entry.used.store(true, Ordering::Relaxed);
        Some(entry.plan.clone())
    }

    /// Keeps a plan. One that is there already stays, so that all requests share it.
    pub fn put(&mut self, text: &str, operation: Option<&str>, plan: Arc<P>) -> Arc<P> {
        if let Some(known) = self.get(text, operation) {
            return known;
        }
        if self.plans == self.plans_max {
            self.make_room();
        }
        let entry = Entry {
            operation: operation.map(Box::from),
            plan: plan.clone(),
            // What was only put was asked for once; that is not yet a reason to keep it.
            used: AtomicBool::new(false),
        };
        self.by_text.entry(Box::from(text)).or_default().push(entry);
        self.plans += 1;
        plan
    }

    /// How many plans there are.
    pub fn len(&self) -> usize {
        self.plans
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.plans == 0
    }

    fn make_room(&mut self) {
        let mut kept = 0;
        self.by_text.retain(|_, entries| {
            entries.retain_mut(|entry| std::mem::take(entry.used.get_mut()));
            kept += entries.len();
            !entries.is_empty()
        });
        // All of them were used: any half goes, which is cheaper than knowing the best one.
        if kept == self.plans_max {
            let half = kept / 2;
            kept = 0;
            self.by_text.retain(|_, entries| {
                let stays = kept + entries.len() <= half;
                kept += if stays { entries.len() } else { 0 };
                stays
            });
        }
        self.plans = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::super::Plan;
    use super::*;
    use crate::compose::{Locks, compose};
    use crate::fixture;
    use crate::supergraph::Supergraph;

    fn graph() -> Supergraph {
        compose(&[fixture::sample_subgraph("math", "1")], &Locks::default()).supergraph.unwrap()
    }

    fn planned(graph: &Supergraph, text: &str) -> Arc<Plan> {
        Arc::new(super::super::plan(graph, &async_graphql_parser::parse_query(text).unwrap(), None).unwrap())
    }

    #[test]
    fn a_plan_is_found_by_its_text_and_operation_and_shared() {
        let graph = graph();
        let plan = planned(&graph, "{ __typename }");
        let mut cache = Cache::new(8);
        assert!(cache.get("{ __typename }", None).is_none());
        let first = cache.put("{ __typename }", None, plan.clone());
        let again = cache.put("{ __typename }", None, planned(&graph, "{ __typename }"));
        assert!(Arc::ptr_eq(&first, &again) && Arc::ptr_eq(&first, &plan));
        assert!(cache.get("{ __typename }", Some("A")).is_none());
        assert!(cache.get("{__typename}", None).is_none());
        assert_eq!(cache.len(), 1);
    }

    #[test]
    fn what_is_asked_for_outlives_a_stream_of_documents_sent_once() {
        let graph = graph();
        let plan = planned(&graph, "{ __typename }");
        let mut cache = Cache::new(8);
        cache.put("always", None, plan.clone());
        for once in 0..1000 {
            assert!(cache.get("always", None).is_some(), "after {once} others");
            cache.put(&format!("once {once}"), None, plan.clone());
            assert!(cache.len() <= 8);
        }
    }

    #[test]
    fn a_cache_of_plans_that_are_all_used_still_takes_another() {
        let graph = graph();
        let plan = planned(&graph, "{ __typename }");
        let mut cache = Cache::new(4);
        for text in ["a", "b", "c", "d", "e", "f", "g"] {
            cache.put(text, Some("Op"), plan.clone());
            assert!(cache.get(text, Some("Op")).is_some());
            let counted: usize = cache.by_text.values().map(Vec::len).sum();
            assert_eq!(cache.len(), counted);
        }
        assert!(!cache.is_empty() && cache.len() <= 4);
    }
}
