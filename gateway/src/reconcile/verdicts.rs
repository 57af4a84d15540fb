//! Whether newcomers can stand in for what is stable, wherever they would, and how every version stands.
//!
//! A newcomer is held against the stable version of everyone and of each frontend whose pin lets it in, by the
//! rules about descriptors and by the operations that those frontends were published with: taking something
//! away blocks when one of them uses it. A candidate that is refused in one view is tried in the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_graphql_parser::parse_query;
use turnout_control::frontend::Document;
use turnout_control::id::{FrontendId, ServiceName, Version};
use turnout_control::lineup;
use turnout_control::policy::Policy;
use turnout_schema::gate::Shape;
use turnout_schema::guard::{self, Limits};

use super::contest::{Contests, Edition, Scene};
use super::decide::Decision;
use super::diagnostics;
use super::pass::Composer;
use super::report::{Finding, Newcomer, Standing, Verdict};
use super::shelf::{Hope, Judged, Scope, Unread, guarded};
use super::views::{Routed, Sight};
use crate::generation::Graph;
use crate::registry::Registry;

/// What a frontend sends, and the graph that it sends it to.
type Sent = (FrontendId, Arc<Vec<Document>>, Arc<Graph>);

/// How every version stands whose descriptors are known.
pub(super) type Standings = BTreeMap<(ServiceName, Version), Standing>;

impl Composer {
    /// Finds out which candidates may be tried in which view. All others are taken out of it.
    pub(super) fn try_out(
        &mut self,
        registry: &Registry,
        (scene, contests): (Scene<'_>, &Contests),
        decision: &mut Decision,
    ) {
        let mut sights = std::mem::take(&mut decision.sights);
        let seen = sights.clone();
        for sight in &mut sights {
            for routed in &mut sight.routes {
                let Some(version) = routed.policy.candidate().map(|tried| tried.version.clone()) else {
                    routed.tried = None;
                    continue;
                };
                let service = routed.stable.service.clone();
                routed.tried = self.tried(registry, scene, (&seen, routed), &version).unwrap_or_else(|why| {
                    let told = diagnostics::not_tried(&routed.stable.version, &why);
                    let finding = Finding::of(&service, &version, told);
                    decision.find(finding.for_frontend(sight.frontend.as_ref()));
                    None
                });
                if routed.tried.is_none() {
                    routed.policy = Policy::new(routed.stable.version.clone(), None, None, &|_| false)
                        .expect("a stable version alone is a policy");
                }
            }
        }
        decision.sights = sights;
        self.weigh(registry, (scene, contests), decision);
    }

    /// The candidate of a view, or why it is not given to anybody there.
    fn tried(
        &mut self,
        registry: &Registry,
        scene: Scene<'_>,
        (seen, routed): (&[Sight], &Routed),
        version: &Version,
    ) -> Result<Option<Edition>, String> {
        let edition = self.past.edition(scene, &routed.stable.service, version);
        let edition = edition.ok_or_else(|| "its descriptors are not known".to_owned())?;
        match self.judge(registry, seen, (&routed.stable, &edition)) {
            Ok(report) if report.drop_in => Ok(Some(edition)),
            Ok(_) => Err("the gate refuses it".to_owned()),
            Err(Unread { why, .. }) => Err(why),
        }
    }

    /// What the gate says of one version in the place of another, for all who get that and may get the new one.
    pub(super) fn judge(
        &mut self,
        registry: &Registry,
        seen: &[Sight],
        (stable, new): (&Edition, &Edition),
    ) -> Judged {
        let stored = self.memory.stored.clone();
        let in_scope = |sight: &&Sight| {
            sight.of(&stable.service).is_some_and(|routed| routed.stable == *stable)
                && self.admits(sight.frontend.as_ref(), new)
        };
        let seen: Vec<&Sight> = seen.iter().filter(in_scope).collect();
        let mut scope = Scope::new();
        let mut sent: Vec<Sent> = Vec::new();
        for sight in seen {
            let Some(frontend) = &sight.frontend else { continue };
            let Some((revision, documents)) = stored.documents.get(frontend) else { continue };
            scope.push((frontend.clone(), *revision, sight.graph.0.supergraph().digest));
            sent.push((frontend.clone(), documents.clone(), sight.graph.0.clone()));
        }
        let shapes = || {
            let of = |(frontend, documents, graph): &Sent| -> Vec<Shape> {
                documents.iter().filter_map(|document| shape(frontend, document, graph)).collect()
            };
            sent.iter().flat_map(of).collect()
        };
        self.shelf.judge(&*registry.store, (stable, new), scope, &shapes)
    }

    /// Whether callers of a frontend may get a version.
    pub(super) fn admits(&self, frontend: Option<&FrontendId>, edition: &Edition) -> bool {
        let Some(frontend) = frontend else { return true };
        let pins = self.memory.stored.frontends.published.get(frontend).map(|frontend| &frontend.pins);
        let pin = pins.and_then(|pins| pins.get(&edition.service));
        pin.is_some_and(|pin| pin.range.matches(edition.version.semver()))
    }

    /// Finds what runs and is higher than what is stable, and what the gate says of it.
    fn weigh(
        &mut self,
        registry: &Registry,
        (scene, contests): (Scene<'_>, &Contests),
        decision: &mut Decision,
    ) {
        for line in contests.keys() {
            let (Some(base), Some(service)) =
                (decision.policies.base(&line.0, line.1).cloned(), scene.snapshot.service(&line.0))
            else {
                continue;
            };
            let stable = self.past.edition(scene, &line.0, &base.stable);
            for choice in lineup::newcomers(service, &base.stable) {
                let Some(edition) = self.past.edition(scene, &line.0, choice.version) else { continue };
                let verdict = match (self.read(registry, &edition, decision), &stable) {
                    (Err(Hope::Never), _) => {
                        Verdict::Refused(vec![diagnostics::unreadable("they are no descriptors of it")])
                    }
                    (Err(Hope::Missing | Hope::StoreDown), _) => {
                        Verdict::Unknown("its descriptors cannot be read now".to_owned())
                    }
                    (Ok(_), Some(stable)) => self.verdict(registry, stable, &edition, decision),
                    (Ok(_), None) => {
                        Verdict::Unknown(format!("the descriptors of {} are not known", base.stable))
                    }
                };
                decision.newcomers.push(Newcomer {
                    service: line.0.clone(),
                    major: line.1,
                    stable: base.stable.clone(),
                    version: edition.version,
                    verdict,
                });
            }
        }
    }

    /// What the gate says of a newcomer wherever it would be given to somebody; it is told too.
    fn verdict(
        &mut self,
        registry: &Registry,
        stable: &Edition,
        new: &Edition,
        decision: &mut Decision,
    ) -> Verdict {
        let mut stables = vec![stable.clone()];
        for sight in &decision.sights {
            let of = sight.of(&new.service).map(|routed| &routed.stable);
            let of = of.filter(|of| of.version < new.version);
            let of = of.filter(|of| of.version.semver().major == new.version.semver().major);
            if let Some(of) =
                of.filter(|of| !stables.contains(of) && self.admits(sight.frontend.as_ref(), new))
            {
                stables.push(of.clone());
            }
        }
        let (mut good, mut bad, mut unknown) = (Vec::new(), Vec::new(), None);
        let sights = decision.sights.clone();
        for stable in &stables {
            match self.judge(registry, &sights, (stable, new)) {
                Ok(report) => {
                    let told = if report.drop_in { &mut good } else { &mut bad };
                    for diagnostic in
                        diagnostics::rules(&report).into_iter().chain(diagnostics::broken(&report))
                    {
                        decision.tell(new, diagnostic.clone());
                        told.push(diagnostic);
                    }
                    if !report.drop_in {
                        decision.tell(new, diagnostics::refused(&stable.version));
                    }
                }
                Err(Unread { why, hope }) => {
                    decision.hopes(hope);
                    decision.tell(new, diagnostics::unjudged(&stable.version, &why));
                    unknown = Some(why);
                }
            }
        }
        match (bad.is_empty(), unknown) {
            (false, _) => Verdict::Refused(bad),
            (true, Some(why)) => Verdict::Unknown(why),
            (true, None) => Verdict::Fits(good),
        }
    }

    /// How every version stands by what was decided.
    pub(super) fn standings(&self, scene: Scene<'_>, newcomers: &[Newcomer]) -> Standings {
        let mut standings = Standings::new();
        for (name, service) in scene.snapshot.services() {
            for choice in lineup::choices(service) {
                let version = choice.version;
                let base = self.base(&(name.clone(), version.semver().major));
                let tried = base.and_then(|base| base.candidate.as_ref());
                let newcomer = newcomers.iter().find(|of| of.service == *name && of.version == *version);
                let standing = match newcomer.map(|newcomer| &newcomer.verdict) {
                    _ if base.is_some_and(|base| base.stable == *version) => Standing::Stable,
                    _ if tried.is_some_and(|tried| tried.version == *version) => Standing::Candidate,
                    _ if self.memory.stored.rolled_back(name).contains(version) => Standing::Refused,
                    Some(Verdict::Refused(_)) => Standing::Refused,
                    Some(Verdict::Fits(_) | Verdict::Unknown(_)) => Standing::Waits,
                    None => Standing::Idle,
                };
                standings.insert((name.clone(), version.clone()), standing);
            }
        }
        standings
    }
}

/// What an operation of a frontend uses. One that is too large is known to nobody, and so no use is recorded.
fn shape(frontend: &FrontendId, document: &Document, graph: &Graph) -> Option<Shape> {
    let name = format!("{frontend} {}", document.id);
    guard::check(&document.text, &Limits::RECOMMENDED).ok()?;
    let parsed = parse_query(&document.text).ok()?;
    guarded(|| Ok(Shape::of(name, &parsed, None, graph.supergraph()))).ok()
}
