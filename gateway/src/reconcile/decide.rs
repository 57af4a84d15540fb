//! What is decided at one look: what is stable of each major, and what each frontend therefore sees.
//!
//! A version that cannot be read gives way to the next one of its major. So does a first version with which no
//! graph can serve; where something was decided before, it is only left out. Nothing is written or published
//! here.

use std::collections::BTreeMap;
use std::sync::Arc;

use turnout_control::id::{ServiceName, Version};
use turnout_control::routes::{Base, Policies, highest};
use turnout_schema::Diagnostic;
use turnout_schema::compose::Locks;
use turnout_schema::subgraph::Reading;

use super::contest::{Contest, Contests, Edition, Entrant, Line, Scene};
use super::diagnostics;
use super::pass::Composer;
use super::report::{Finding, Newcomer};
use super::shelf::{Hope, Unread};
use super::views::Sight;
use crate::registry::Registry;

/// What is being decided.
#[derive(Debug, Default)]
pub(super) struct Decision {
    /// What is stable.
    pub(super) chosen: BTreeMap<Line, Entrant>,
    /// What holds from now on, of what was chosen.
    pub(super) bases: BTreeMap<Line, Base>,
    /// The same with all that was decided otherwise.
    pub(super) policies: Policies,
    /// Who has which name from now on.
    pub(super) locks: Locks,
    /// What each frontend sees, the built-in one first. One that sees nothing is not among them.
    pub(super) sights: Vec<Sight>,
    /// Whom no graph can serve with.
    pub(super) unfit: BTreeMap<Edition, String>,
    /// What runs and is higher than what is stable.
    pub(super) newcomers: Vec<Newcomer>,
    pub(super) findings: Vec<Finding>,
    /// What stood in the way, at worst.
    hope: Option<Hope>,
}

impl Composer {
    /// Decides. Changes nothing that serves.
    pub(super) fn decide(&mut self, registry: &Registry, scene: Scene<'_>, contests: &Contests) -> Decision {
        let mut unfit = BTreeMap::new();
        loop {
            let mut decision = self.choose(registry, contests, &unfit);
            self.see(registry, (scene, contests), &mut decision);
            let is_first = |edition: &Edition| {
                let line = (edition.service.clone(), edition.version.semver().major);
                contests.get(&line).is_some_and(|contest| contest.base.is_none())
            };
            let known = unfit.len();
            unfit.extend(decision.unfit.clone().into_iter().filter(|(edition, _)| is_first(edition)));
            // Each time somebody is left out who was not before.
            if unfit.len() == known {
                return decision;
            }
        }
    }

    /// Chooses what is stable of each major.
    fn choose(
        &mut self,
        registry: &Registry,
        contests: &Contests,
        unfit: &BTreeMap<Edition, String>,
    ) -> Decision {
        let mut decision = Decision { policies: self.memory.stored.policies.clone(), ..Decision::default() };
        for (line, contest) in contests {
            let bases = decision.policies.bases.entry(line.0.clone()).or_default();
            // What cannot be used now stays decided.
            bases.extend(contest.base.clone().map(|base| (line.1, base)));
            let mut first = None;
            for entrant in &contest.entrants {
                if let Some(why) = unfit.get(&entrant.edition) {
                    decision.tell(&entrant.edition, diagnostics::unfit(why));
                    continue;
                }
                match self.read(registry, &entrant.edition, &mut decision) {
                    Ok(reading) => {
                        first = Some((entrant, reading));
                        break;
                    }
                    // Nobody takes the place of one that can be read later.
                    Err(Hope::Missing | Hope::StoreDown) if is_stable(contest, entrant) => break,
                    Err(Hope::Never | Hope::Missing | Hope::StoreDown) => {}
                }
            }
            let Some((entrant, reading)) = first else { continue };
            let base = contest.after(entrant);
            for (about, diagnostic) in contest.told(entrant) {
                decision.tell(&about, diagnostic);
            }
            for diagnostic in &reading.diagnostics {
                decision.tell(&entrant.edition, diagnostic.clone());
            }
            decision.policies.bases.entry(line.0.clone()).or_default().insert(line.1, base.clone());
            decision.bases.insert(line.clone(), base);
            decision.chosen.insert(line.clone(), entrant.clone());
        }
        decision.policies.bases.retain(|_, bases| !bases.is_empty());
        decision.tell_of_strays();
        decision
    }

    /// What an edition offers; otherwise it is told why that is not known.
    pub(super) fn read(
        &mut self,
        registry: &Registry,
        edition: &Edition,
        decision: &mut Decision,
    ) -> Result<Arc<Reading>, Hope> {
        self.shelf.read(&*registry.store, edition).map_err(|Unread { why, hope }| {
            decision.hopes(hope);
            decision.tell(edition, diagnostics::unreadable(&why));
            hope
        })
    }
}

fn is_stable(contest: &Contest, entrant: &Entrant) -> bool {
    contest.base.as_ref().is_some_and(|base| base.stable == entrant.edition.version)
}

impl Decision {
    /// Notes why the look has to be repeated; the worst reason stays.
    pub(super) fn hopes(&mut self, hope: Hope) {
        match hope {
            Hope::Never => {}
            Hope::Missing => self.hope = self.hope.or(Some(hope)),
            Hope::StoreDown => self.hope = Some(hope),
        }
    }

    /// Whether the look has to be repeated although nothing changes.
    pub(super) fn hope(&self) -> Option<Hope> {
        self.hope
    }

    /// Whether the store kept something back that decides.
    pub(super) fn is_unsure(&self) -> bool {
        self.hope == Some(Hope::StoreDown)
    }

    /// Tells which majors callers do not get who pin nothing, because nobody runs them.
    fn tell_of_strays(&mut self) {
        let mut told = Vec::new();
        for ((service, _), entrant) in &self.chosen {
            let Some(bases) = self.policies.bases.get(service) else { continue };
            let vacant = bases.get(&entrant.edition.version.semver().major).is_some_and(|base| base.vacant);
            let highest = highest(bases).filter(|_| vacant);
            told.extend(highest.map(|(_, base)| (entrant.edition.clone(), diagnostics::stray(&base.stable))));
        }
        told.into_iter().for_each(|(edition, diagnostic)| self.tell(&edition, diagnostic));
    }

    /// Tells something of a version, once.
    pub(super) fn tell(&mut self, edition: &Edition, diagnostic: Diagnostic) {
        self.find(Finding::of(&edition.service, &edition.version, diagnostic));
    }

    /// Notes something, once.
    pub(super) fn find(&mut self, finding: Finding) {
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// The version of a service that callers get who pin nothing.
    pub(super) fn serving(&self, service: &ServiceName) -> Option<&Version> {
        let any = self.sights.iter().find(|sight| sight.frontend.is_none())?;
        any.routes
            .iter()
            .find(|routed| routed.stable.service == *service)
            .map(|routed| &routed.stable.version)
    }
}
