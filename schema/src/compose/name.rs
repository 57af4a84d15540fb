//! What each type is called in the graph, and what happens when two want one name.
//!
//! The locks go first, the closest match before the others: the same message of the same service, then the
//! same message of another service, then another message of the same service (its next major). A plain name
//! goes by all three; a longer one was made for its owner and goes by the first only. The rest go in order:
//! services that own and load the entity, then by service.

use std::collections::{BTreeMap, BTreeSet};

use super::same::{Group, Same, difference, groups};
use super::{Locks, finding};
use crate::graph::{Name, RootKind, Scalar, Types};
use crate::{Diagnostic, Severity, Subgraph};

/// The services' types with the graph's names.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    /// The subgraphs, in the order of their services.
    pub(super) members: Vec<&'a Subgraph>,
    pub(super) same: Same<'a>,
    /// Of each group.
    pub(super) names: Vec<Name>,
}

impl Draft<'_> {
    /// The graph's name of a type of a member. What is no type of the member's own stays as it is.
    pub(super) fn name(&self, member: usize, local: &Name) -> Name {
        match self.same.group(member, local) {
            Some(group) => self.names[group].clone(),
            None => local.clone(),
        }
    }

    /// The services of a group, for a sentence.
    pub(super) fn services(&self, members: &[usize]) -> String {
        let names: Vec<&str> = members.iter().map(|member| &*self.members[*member].service).collect();
        names.join(" and ")
    }
}

/// Gives every type its name.
pub(super) fn assign<'a>(members: Vec<&'a Subgraph>, locks: &Locks) -> Draft<'a> {
    let mut same = groups(&members);
    for group in &mut same.groups {
        group.lead = lead(group, &members);
    }
    let mut names = Names { taken: BTreeMap::new(), of: vec![None; same.groups.len()] };
    by_lock(&mut names, &same.groups, &members, locks);
    for (name, place) in &names.taken {
        let group = &mut same.groups[*place];
        let owner = |member: &&usize| members[**member].service == locks.types[name].service;
        group.lead = group.members.iter().find(owner).copied().unwrap_or(group.lead);
    }
    by_rank(&mut names, &same.groups, &members);
    let given = |(group, name): (&Group<'_>, Option<Name>)| name.unwrap_or_else(|| group.wanted.clone());
    Draft { names: same.groups.iter().zip(names.of).map(given).collect(), members, same }
}

/// The member that a group without a lock is asked of first.
fn lead(group: &Group<'_>, members: &[&Subgraph]) -> usize {
    let rank = |member: &usize| (!loads(members[*member], group.wanted), *member);
    group.members.iter().copied().min_by_key(rank).unwrap_or(group.lead)
}

/// Whether a service owns and loads the entity of this name.
fn loads(subgraph: &Subgraph, name: &Name) -> bool {
    subgraph.entities.iter().any(|entity| entity.name == *name)
        && subgraph.lookups.iter().any(|lookup| lookup.entity == *name)
}

struct Names {
    /// The groups by the names they have.
    taken: BTreeMap<Name, usize>,
    of: Vec<Option<Name>>,
}

impl Names {
    fn give(&mut self, group: usize, name: Name) {
        self.taken.insert(name.clone(), group);
        self.of[group] = Some(name);
    }
}

/// How closely a group is what a lock was made for, the closest first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Match {
    Plain,
    Longer,
    Source,
    Service,
}

fn by_lock(names: &mut Names, groups: &[Group<'_>], members: &[&Subgraph], locks: &Locks) {
    let reserved = reserved();
    let mut wanting: BTreeMap<&Name, Vec<usize>> = BTreeMap::new();
    for (place, group) in groups.iter().enumerate() {
        wanting.entry(group.wanted).or_default().push(place);
    }
    for closeness in [Match::Plain, Match::Longer, Match::Source, Match::Service] {
        for (name, owner) in &locks.types {
            if names.taken.contains_key(name) || reserved.contains(&**name) {
                continue;
            }
            let fits = |place: &&usize| {
                let group = &groups[**place];
                let of_service = group.members.iter().any(|member| members[*member].service == owner.service);
                let (of_source, plain) = (*group.source == owner.source, *name == owner.wanted);
                names.of[**place].is_none()
                    && match closeness {
                        Match::Plain => plain && of_source && of_service,
                        Match::Longer => !plain && of_source && of_service,
                        Match::Source => plain && of_source,
                        Match::Service => plain && of_service,
                    }
            };
            if let Some(place) = wanting.get(&owner.wanted).and_then(|places| places.iter().find(fits)) {
                names.give(*place, name.clone());
            }
        }
    }
}

fn by_rank(names: &mut Names, groups: &[Group<'_>], members: &[&Subgraph]) {
    let reserved = reserved();
    let mut rest: Vec<usize> = (0..groups.len()).filter(|place| names.of[*place].is_none()).collect();
    rest.sort_by_key(|place| {
        let group = &groups[*place];
        (!loads(members[group.lead], group.wanted), group.lead, group.wanted, group.source)
    });
    for place in rest {
        let group = &groups[place];
        let free = |name: &Name| !names.taken.contains_key(name) && !reserved.contains(&**name);
        let by_sibling = names.taken.get(group.wanted).is_some_and(|by| groups[*by].source == group.source);
        let package = prefix(package(group.source)).filter(|_| !by_sibling);
        let service = prefix(&members[group.lead].service);
        let longer = [package, service.clone()].into_iter().flatten();
        let longer = longer.map(|prefix| Name::from(format!("{prefix}{}", group.wanted)));
        let numbered = (2..).map(|number: u32| {
            Name::from(format!("{}{}{number}", service.as_deref().unwrap_or_default(), group.wanted))
        });
        let mut names_by_taste = std::iter::once(group.wanted.clone()).chain(longer).chain(numbered);
        if let Some(name) = names_by_taste.find(free) {
            names.give(place, name);
        }
    }
}

/// Names that no service's type may have.
fn reserved() -> BTreeSet<&'static str> {
    let own = ["Boolean", "Float", "ID", "Int", "String"];
    let roots = [RootKind::Query, RootKind::Mutation, RootKind::Subscription].map(RootKind::as_str);
    own.into_iter().chain(roots).chain(Scalar::ALL.map(Scalar::name)).collect()
}

/// The package of a full name: what stands before its first part with a capital.
fn package(source: &str) -> &str {
    let mut end = 0;
    for part in source.split('.') {
        if part.starts_with(|first: char| first.is_ascii_uppercase()) {
            return source[..end].trim_end_matches('.');
        }
        end += part.len() + 1;
    }
    // A name without capitals: all but its last part.
    source.rsplit_once('.').map_or("", |(package, _)| package)
}

/// `shop.users.v1` as the beginning of a type's name: `ShopUsersV1`.
fn prefix(text: &str) -> Option<String> {
    let mut prefix = String::new();
    for word in text.split(|letter: char| !letter.is_ascii_alphanumeric()) {
        let mut letters = word.chars();
        prefix.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        prefix.extend(letters);
    }
    if prefix.starts_with(|first: char| first.is_ascii_digit()) {
        prefix.insert(0, '_');
    }
    (!prefix.is_empty()).then_some(prefix)
}

/// Says of every longer name in the graph why it is longer.
pub(super) fn tell(draft: &Draft<'_>, types: &Types, found: &mut Vec<Diagnostic>) {
    let taken: BTreeMap<&Name, &Group<'_>> = draft.names.iter().zip(&draft.same.groups).collect();
    let mut below: BTreeMap<String, Vec<(&Name, &Name)>> = BTreeMap::new();
    for (group, name) in draft.same.groups.iter().zip(&draft.names) {
        let (wanted, source, ours) = (group.wanted, group.source, draft.services(&group.members));
        // Without a holder the longer name is older than the reason for it, which has gone.
        let holder = taken.get(wanted).filter(|_| name != wanted && types.contains_key(name));
        match holder {
            Some(holder) if holder.source == source => match differs(draft, holder, (group, name)) {
                Some(how) => found.push(how),
                None => below.entry(ours).or_default().push((wanted, name)),
            },
            Some(holder) => {
                let message = format!(
                    "`{wanted}` of {ours} ({source}) is called `{name}`, because {} has the name ({}).",
                    draft.services(&holder.members),
                    holder.source
                );
                found.push(finding(Severity::Warning, "TYPE_NAME_TAKEN", message, SHORTER));
            }
            None => {}
        }
    }
    found.extend(below.into_iter().map(|(services, names)| differ_below(&services, &names)));
}

/// Types that differ only because they use one that does: told once, because one field can rename hundreds.
fn differ_below(services: &str, names: &[(&Name, &Name)]) -> Diagnostic {
    let shown = names.iter().take(3).map(|(wanted, name)| format!("`{wanted}` is `{name}`"));
    let shown = shown.collect::<Vec<_>>().join(", ");
    let more = match names.len().saturating_sub(3) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message =
        format!("Types of {services} that use one that differs have longer names too: {shown}{more}.");
    finding(Severity::Warning, "TYPE_DIFFERS_BELOW", message, "They become one with the type that they use.")
}

const SHORTER: &str = "Give one of the messages another name when the longer one is not wanted.";

/// How a group differs from the one with its name; none when only types that they use differ.
fn differs(draft: &Draft<'_>, holder: &Group<'_>, (group, name): (&Group<'_>, &Name)) -> Option<Diagnostic> {
    let of = |group: &Group<'_>| &draft.members[group.lead].types[group.wanted];
    let (theirs, ours) = (draft.services(&holder.members), draft.services(&group.members));
    let how = difference((&theirs, of(holder)), (&ours, of(group)))?;
    let message = format!(
        "`{}` ({}) of {ours} is not that of {theirs}: {how}; that of {ours} is called `{name}`.",
        group.wanted, group.source
    );
    let help = "Build the services from the same proto file, and the two types become one.";
    Some(finding(Severity::Warning, "TYPE_DIFFERS", message, help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_ends_where_names_of_types_begin() {
        assert_eq!(package("shop.users.v1.User"), "shop.users.v1");
        assert_eq!(package("shop.users.v1.User.attributes"), "shop.users.v1");
        assert_eq!(package("User"), "");
        assert_eq!(package("legacy.user"), "legacy");
    }

    #[test]
    fn a_prefix_is_the_beginning_of_a_legal_name() {
        assert_eq!(prefix("shop.users.v1").as_deref(), Some("ShopUsersV1"));
        assert_eq!(prefix("user-accounts").as_deref(), Some("UserAccounts"));
        assert_eq!(prefix("3d").as_deref(), Some("_3d"));
        assert_eq!(prefix(""), None);
    }
}
