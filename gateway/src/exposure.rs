//! What of each service is public: what the configuration says of it, else what an operator decided, else
//! what the configuration says of all.
//!
//! An operator's decision is a record that all gateways share (`turnout_control::decision`). A service that
//! the configuration names is not his to decide: the file would contradict what runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use turnout_control::decision::{self, Decision};
use turnout_control::id::ServiceName;
use turnout_control::records::{Kind, Records};
use turnout_schema::subgraph::Exposure;

use crate::config::{Expose, Loaded};
use crate::reconcile::Exposures;

/// What the configuration says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    services: BTreeMap<ServiceName, (Exposure, String)>,
    others: Exposure,
}

/// What holds for a service, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// What of it is public.
    pub exposure: Exposure,
    /// Who says so.
    pub by: By,
}

/// Who says what of a service is public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// The configuration, about this service, at this place.
    Configuration(String),
    /// An operator, by a record that was last written at this revision.
    Operator(u64),
    /// The configuration, about all services.
    Default,
}

impl Stated {
    /// What was read.
    pub fn of(loaded: &Loaded) -> Stated {
        let exposure = |expose| match expose {
            Expose::Annotated => Exposure::Annotated,
            Expose::All => Exposure::All,
        };
        let named = loaded.settings().into_iter().filter_map(|row| {
            let name: ServiceName =
                row.path.strip_prefix("services.")?.strip_suffix(".expose")?.parse().ok()?;
            let expose = exposure(loaded.config.service(&name).expose);
            Some((name, (expose, row.origin)))
        });
        Stated { services: named.collect(), others: exposure(loaded.config.any_service.expose) }
    }

    /// What it says of services that it does not name.
    pub fn others(&self) -> Exposure {
        self.others
    }

    /// What holds for a service together with what operators decided.
    pub fn holding(&self, service: &ServiceName, records: &Records) -> Holding {
        if let Some((exposure, place)) = self.services.get(service) {
            return Holding { exposure: *exposure, by: By::Configuration(place.clone()) };
        }
        let record = records.get(&decision::key(service));
        let decided =
            record.and_then(|record| Some((decision::read(&record.value).expose?, record.revision)));
        match decided {
            Some((exposure, revision)) => Holding { exposure, by: By::Operator(revision) },
            None => Holding { exposure: self.others, by: By::Default },
        }
    }

    /// The same for all services.
    pub fn with(&self, records: &Records) -> Exposures {
        let mut services = BTreeMap::new();
        for (key, record) in records.of(Kind::Service) {
            let Decision { expose } = decision::read(&record.value);
            services.extend(decision::service(key).zip(expose));
        }
        services.extend(self.services.iter().map(|(name, (exposure, _))| (name.clone(), *exposure)));
        Exposures::new(services, self.others)
    }
}

/// What of each service is public, as it is now.
#[derive(Debug)]
pub struct Public {
    stated: watch::Receiver<Arc<Stated>>,
    records: watch::Receiver<Arc<Records>>,
    exposures: watch::Sender<Exposures>,
}

impl Public {
    /// What is public by what a configuration and these records say.
    pub fn new(stated: watch::Receiver<Arc<Stated>>, records: watch::Receiver<Arc<Records>>) -> Public {
        let exposures = watch::Sender::new(stated.borrow().with(&records.borrow()));
        Public { stated, records, exposures }
    }

    /// What holds.
    pub fn exposures(&self) -> watch::Receiver<Exposures> {
        self.exposures.subscribe()
    }

    /// Keeps what holds in step with both, until it is told to stop.
    pub async fn follow(mut self, stop: CancellationToken) {
        loop {
            let stated = self.stated.borrow_and_update().clone();
            let next = stated.with(&self.records.borrow_and_update());
            self.exposures.send_if_modified(|now| {
                let differs = *now != next;
                *now = next;
                differs
            });
            let changed = tokio::select! {
                () = stop.cancelled() => return,
                changed = self.stated.changed() => changed,
                changed = self.records.changed() => changed,
            };
            if changed.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, File, Sources};

    const FILE: &str = "expose: annotated\nservices:\n  orders: { expose: all }\n  users: { timeout: 2s }\n";

    fn loaded(text: &str) -> Loaded {
        let file = File { path: "turnout.yaml".into(), text: text.to_owned() };
        config::read(&Sources { file: Some(file), ..Sources::default() }).unwrap()
    }

    fn records(decided: &[(&str, Exposure)]) -> Records {
        let record = |(name, expose): &(&str, Exposure)| {
            let value = decision::with_expose(None, Some(*expose)).unwrap();
            (
                decision::key(&name.parse().unwrap()),
                turnout_control::records::Record { revision: 7, value: value.into() },
            )
        };
        Records::restore(7, decided.iter().map(record).collect())
    }

    #[test]
    fn what_the_file_says_of_a_service_wins_over_an_operator_and_an_operator_over_the_rest() {
        let stated = Stated::of(&loaded(FILE));
        let records = records(&[("orders", Exposure::Annotated), ("users", Exposure::All)]);
        let exposures = stated.with(&records);
        let expected = [
            ("orders", Exposure::All, By::Configuration("turnout.yaml:3:21".into())),
            ("users", Exposure::All, By::Operator(7)),
            ("math", Exposure::Annotated, By::Default),
        ];
        for (name, exposure, by) in expected {
            let name: ServiceName = name.parse().unwrap();
            assert_eq!(stated.holding(&name, &records), Holding { exposure, by }, "{name}");
            assert_eq!(exposures.of(&name), exposure, "{name}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_of_either_is_followed_and_anything_else_wakes_nobody() {
        let (records_tx, records_now) = watch::channel(Arc::new(Records::default()));
        let (state, stated_now) = watch::channel(Arc::new(Stated::of(&loaded(FILE))));
        let public = Public::new(stated_now, records_now);
        let mut exposures_now = public.exposures();
        let stop = CancellationToken::new();
        let users: ServiceName = "users".parse().unwrap();
        let following = public.follow(stop.clone());
        let told = async {
            records_tx.send_replace(Arc::new(records(&[("users", Exposure::All)])));
            exposures_now.changed().await.unwrap();
            assert_eq!(exposures_now.borrow_and_update().of(&users), Exposure::All);
            records_tx.send_replace(Arc::new(records(&[("users", Exposure::All)])));
            tokio::task::yield_now().await;
            assert!(!exposures_now.has_changed().unwrap());
            state.send_replace(Arc::new(Stated::of(&loaded("services: { users: { expose: annotated } }\n"))));
            exposures_now.changed().await.unwrap();
            assert_eq!(exposures_now.borrow_and_update().of(&users), Exposure::Annotated);
            stop.cancel();
        };
        tokio::join!(following, told);
    }
}
