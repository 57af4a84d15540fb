//! Which plans are at hand? The plans of one graph, by the text they were asked with.
//!
//! What is kept is the caller's: a plan, or a plan with what was made ready beside it.
//! Looking one up copies nothing: the text is only hashed and compared. The key is the text as the caller
//! has it, so that a document can be found before it is unescaped; two spellings of one document are two
//! entries. A cache belongs to one graph and dies with it, so nothing is ever invalidated. It is bounded in
//! plans and in bytes, as strangers choose what is put in: when it is full, the plans that nobody asked for
//! since the last time it was full go first, so that a stream of documents that are sent once cannot push out
//! those that are sent always. Sharing it among threads is the caller's business; looking up needs no more
//! than `&self`.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The largest part of a cache that one plan may take is one of so many.
const PART: usize = 64;

/// The plans of one graph, each kept as a `P`.
#[derive(Debug)]
pub struct Cache<P> {
    by_text: HashMap<Box<str>, Vec<Entry<P>>>,
    plans: usize,
    bytes: usize,
    plans_max: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Entry<P> {
    operation: Option<Box<str>>,
    plan: Arc<P>,
    bytes: usize,
    /// Since the cache was last full.
    used: AtomicBool,
}

impl<P> Cache<P> {
    /// A cache for so many plans, at least one, that together take no more than so many bytes.
    pub fn new(plans_max: usize, bytes_max: usize) -> Cache<P> {
        Cache { by_text: HashMap::new(), plans: 0, bytes: 0, plans_max: plans_max.max(1), bytes_max }
    }

    /// The plan of an operation of this text.
    pub fn get(&self, text: &str, operation: Option<&str>) -> Option<Arc<P>> {
        let entries = self.by_text.get(text)?;
        let entry = entries.iter().find(|entry| entry.operation.as_deref() == operation)?;
        entry.used.store(true, Ordering::Relaxed);
        Some(entry.plan.clone())
    }

    /// Keeps a plan that takes about so many bytes beside its text. One that is there already stays, so that
    /// all requests share it. One that alone would fill a good part of the cache is not kept: to plan it
    /// again costs its author, where to keep it would cost everyone else.
    pub fn put(&mut self, text: &str, operation: Option<&str>, plan: Arc<P>, bytes: usize) -> Arc<P> {
        if let Some(known) = self.get(text, operation) {
            return known;
        }
        let bytes = bytes.saturating_add(text.len());
        if bytes > self.bytes_max / PART {
            return plan;
        }
        if self.plans == self.plans_max || self.bytes + bytes > self.bytes_max {
            self.make_room(bytes);
        }
        let entry = Entry {
            operation: operation.map(Box::from),
            plan: plan.clone(),
            bytes,
            // What was only put was asked for once; that is not yet a reason to keep it.
            used: AtomicBool::new(false),
        };
        self.by_text.entry(Box::from(text)).or_default().push(entry);
        self.plans += 1;
        self.bytes += bytes;
        plan
    }

    /// All plans with their texts and operations, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>, &Arc<P>)> {
        self.by_text.iter().flat_map(|(text, entries)| {
            entries.iter().map(|entry| (text.as_ref(), entry.operation.as_deref(), &entry.plan))
        })
    }

    /// How many plans there are.
    pub fn len(&self) -> usize {
        self.plans
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.plans == 0
    }

    fn make_room(&mut self, wanted: usize) {
        self.retain(|entry, _, _| std::mem::take(entry.used.get_mut()));
        // All of them were used: any half goes, which is cheaper than knowing the best one.
        if self.plans == self.plans_max || self.bytes + wanted > self.bytes_max {
            let (plans_max, bytes_max) = (self.plans / 2, self.bytes / 2);
            self.retain(|entry, plans, bytes| plans < plans_max && bytes + entry.bytes <= bytes_max);
        }
    }

    /// Keeps what is to stay, given the number and the bytes of those that stay already.
    fn retain(&mut self, mut stays: impl FnMut(&mut Entry<P>, usize, usize) -> bool) {
        let (mut plans, mut bytes) = (0, 0);
        self.by_text.retain(|_, entries| {
            entries.retain_mut(|entry| {
                let stays = stays(entry, plans, bytes);
                plans += usize::from(stays);
                bytes += if stays { entry.bytes } else { 0 };
                stays
            });
            !entries.is_empty()
        });
        (self.plans, self.bytes) = (plans, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Plan;
    use super::*;
    use crate::compose::{Locks, compose};
    use crate::fixture;
    use crate::supergraph::Supergraph;

    const BYTES_MAX: usize = 1 << 20;

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
        let mut cache = Cache::new(8, BYTES_MAX);
        assert!(cache.get("{ __typename }", None).is_none());
        let first = cache.put("{ __typename }", None, plan.clone(), 0);
        let again = cache.put("{ __typename }", None, planned(&graph, "{ __typename }"), 0);
        assert!(Arc::ptr_eq(&first, &again) && Arc::ptr_eq(&first, &plan));
        assert!(cache.get("{ __typename }", Some("A")).is_none());
        assert!(cache.get("{__typename}", None).is_none());
        assert_eq!(cache.len(), 1);
    }

    #[test]
    fn what_is_asked_for_outlives_a_stream_of_documents_sent_once() {
        let graph = graph();
        let plan = planned(&graph, "{ __typename }");
        let mut cache = Cache::new(8, BYTES_MAX);
        cache.put("always", None, plan.clone(), 0);
        for once in 0..1000 {
            assert!(cache.get("always", None).is_some(), "after {once} others");
            cache.put(&format!("once {once}"), None, plan.clone(), 0);
            assert!(cache.len() <= 8);
        }
    }

    #[test]
    fn a_cache_of_plans_that_are_all_used_still_takes_another() {
        let graph = graph();
        let plan = planned(&graph, "{ __typename }");
        let mut cache = Cache::new(4, BYTES_MAX);
        for text in ["a", "b", "c", "d", "e", "f", "g"] {
            cache.put(text, Some("Op"), plan.clone(), 0);
            assert!(cache.get(text, Some("Op")).is_some());
            let counted: usize = cache.by_text.values().map(Vec::len).sum();
            assert_eq!(cache.len(), counted);
        }
        assert!(!cache.is_empty() && cache.len() <= 4);
    }

    #[test]
    fn all_plans_can_be_told() {
        let mut cache = Cache::new(8, BYTES_MAX);
        for (text, operation) in [("a", None), ("a", Some("A")), ("b", None)] {
            cache.put(text, operation, Arc::new(()), 0);
        }
        let mut told: Vec<_> = cache.iter().map(|(text, operation, _)| (text, operation)).collect();
        told.sort_unstable();
        assert_eq!(told, [("a", None), ("a", Some("A")), ("b", None)]);
    }

    #[test]
    fn large_plans_leave_room_for_few() {
        let plan = Arc::new(());
        let mut cache = Cache::new(1000, 6400);
        for once in 0..500 {
            cache.put(&format!("{once:03}"), None, plan.clone(), 97);
            assert!(cache.get(&format!("{once:03}"), None).is_some());
            let counted: usize = cache.by_text.values().flatten().map(|entry| entry.bytes).sum();
            assert_eq!(cache.bytes, counted);
            assert!(cache.bytes <= 6400 && cache.len() <= 64);
        }
    }

    #[test]
    fn a_plan_that_would_fill_much_of_the_cache_is_not_kept() {
        let plan = Arc::new(());
        let mut cache = Cache::new(1000, 6400);
        cache.put("text", None, plan.clone(), 97);
        assert!(cache.get("text", None).is_none() && cache.is_empty());
        cache.put("text", None, plan, 96);
        assert!(cache.get("text", None).is_some());
    }
}
