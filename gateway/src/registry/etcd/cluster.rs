//! Calls of an etcd cluster that find a member which answers.
//!
//! Nothing connects before the first call, so etcd may be away when the gateway starts. The members are
//! asked one after another, the one that answered last first. A read goes on to the next member after any
//! failure. A write goes on only when it certainly was not done; else the error says that its outcome is
//! unknown, and the caller looks or repeats what may be repeated. Every call ends within `CALL`.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use etcd_client::{Client, Error as ClientError, LeaseGrantOptions, Txn, TxnResponse};
use tokio::time::{Instant, timeout_at};

use super::error::{Error, Outcome};
use super::member::{Demand, Member};
use super::order::Order;
use crate::clock::Clock;
use crate::config::{EtcdConfig, Login, TlsConfig};

/// How long a call may take, with all that it tries.
const CALL: Duration = Duration::from_secs(2);
/// The largest answer that is read. A page of registrations has 8 MiB at most; others may write larger ones.
pub(super) const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Where a cluster is, and who we are to it.
#[derive(Clone, Debug)]
pub struct Contact {
    /// The members' URLs, `http` or `https`; at least one.
    pub endpoints: Vec<String>,
    /// How TLS is spoken with members whose URL is `https`.
    pub tls: TlsConfig,
    /// Who we are; `None` when nobody asks.
    pub login: Option<Login>,
}

impl From<&EtcdConfig> for Contact {
    fn from(config: &EtcdConfig) -> Contact {
        Contact {
            endpoints: config.endpoints.iter().map(ToString::to_string).collect(),
            tls: config.tls.clone(),
            login: config.login.clone(),
        }
    }
}

/// A lease that was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Its number.
    pub lease: i64,
    /// How many seconds it lives: what was asked, or the least that etcd grants.
    pub ttl_s: u64,
}

/// A cluster.
#[derive(Debug)]
pub struct Cluster {
    clock: Clock,
    members: Vec<Member>,
    contact: Mutex<Arc<Contact>>,
    order: Mutex<Order>,
}

/// Whether a call may be made twice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Twice {
    Harmless,
    Harmful,
}

impl Cluster {
    /// A cluster; nothing is connected yet. Gateways begin with different members.
    pub fn new(contact: Contact, clock: Clock) -> Cluster {
        let members: Vec<Member> = contact.endpoints.iter().cloned().map(Member::new).collect();
        let order = Order::new(members.len(), rand::random_range(0..members.len().max(1)));
        Cluster { clock, members, contact: Mutex::new(Arc::new(contact)), order: Mutex::new(order) }
    }

    /// Says who we are from the next connection on; connections that are open keep what they have.
    pub fn login(&self, login: Option<Login>) {
        let mut contact = lock(&self.contact);
        *contact = Arc::new(Contact { login, ..(**contact).clone() });
    }

    /// The member that is asked first.
    pub fn first(&self) -> &str {
        let row = self.order().row(self.clock.age());
        row.first().map_or("", |member| self.members[*member].url())
    }

    /// Performs a transaction, once. When the outcome is unknown, look before you repeat it.
    pub async fn txn(&self, txn: Txn) -> Result<TxnResponse, Error> {
        self.perform(txn, Twice::Harmful).await
    }

    /// Performs a transaction that only reads; when one member does not answer, the next is asked.
    pub async fn txn_that_reads(&self, txn: Txn) -> Result<TxnResponse, Error> {
        self.perform(txn, Twice::Harmless).await
    }

    async fn perform(&self, txn: Txn, twice: Twice) -> Result<TxnResponse, Error> {
        let work = |client: Client| {
            let mut kv = client.kv_client().max_decoding_message_size(ANSWER_BYTES_MAX);
            let txn = txn.clone();
            async move { kv.txn(txn).await }
        };
        self.call(Demand::Leader, twice, work).await
    }

    /// Grants a lease of this number, which the caller made up.
    pub async fn lease_grant(&self, lease: i64, ttl_s: u64) -> Result<Granted, Error> {
        let ttl = i64::try_from(ttl_s).unwrap_or(i64::MAX);
        let work = |mut client: Client| async move {
            client.lease_grant(ttl, Some(LeaseGrantOptions::new().with_id(lease))).await
        };
        match self.call(Demand::Leader, Twice::Harmless, work).await {
            Ok(answer) => Ok(Granted { lease, ttl_s: seconds(answer.ttl()) }),
            // An attempt that got no answer had granted it.
            Err(Error::Refused(why)) if why.contains("lease already exists") => Ok(Granted { lease, ttl_s }),
            Err(error) => Err(error),
        }
    }

    /// Gives a lease its full time again; false when there is none of this number.
    pub async fn lease_keep_alive(&self, lease: i64) -> Result<bool, Error> {
        let work = |mut client: Client| async move { client.lease_keep_alive(lease).await };
        known(self.call(Demand::Leader, Twice::Harmless, work).await.map(drop))
    }

    /// Ends a lease, and with it all that it keeps; false when there is none of this number.
    pub async fn lease_revoke(&self, lease: i64) -> Result<bool, Error> {
        let work = |mut client: Client| async move { client.lease_revoke(lease).await };
        known(self.call(Demand::Leader, Twice::Harmless, work).await.map(drop))
    }

    /// How many seconds a lease has left; `None` when there is none of this number, or it ends now.
    pub async fn lease_left(&self, lease: i64) -> Result<Option<u64>, Error> {
        let work = |mut client: Client| async move { client.lease_time_to_live(lease, None).await };
        match self.call(Demand::Leader, Twice::Harmless, work).await {
            Ok(answer) => Ok(Some(seconds(answer.ttl())).filter(|left| *left > 0)),
            Err(Error::NoLease) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A stream of a member broke, or ended because of the login.
    pub(super) fn feed_failed(&self, by: By, error: &Error) {
        if let Error::Login(_) | Error::Unreachable { .. } | Error::Unanswered { .. } = error {
            self.members[by.member].forget(by.demand, by.number);
        }
        if error.is_of_the_member() {
            self.order().failed(by.member, self.clock.age());
        }
    }

    pub(super) fn url(&self, by: By) -> &str {
        self.members[by.member].url()
    }

    pub(super) async fn call<T, F>(
        &self,
        demand: Demand,
        twice: Twice,
        work: impl Fn(Client) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        self.call_by(demand, twice, work).await.map(|(answer, _)| answer)
    }

    pub(super) async fn call_by<T, F>(
        &self,
        demand: Demand,
        twice: Twice,
        work: impl Fn(Client) -> F,
    ) -> Result<(T, By), Error>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let end = Instant::now() + CALL;
        let row = self.order().row(self.clock.age());
        let mut failure = Error::Refused("no member is known".to_owned());
        for (turn, member) in row.iter().copied().enumerate() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let last = turn + 1 == row.len() || twice == Twice::Harmful;
            let until = if last { end } else { Instant::now() + left / 2 };
            match self.attempt(member, demand, until, &work).await {
                Ok((answer, number)) => {
                    self.order().answered(member);
                    return Ok((answer, By { member, demand, number }));
                }
                Err(error) if error.is_of_the_member() => {
                    self.order().failed(member, self.clock.age());
                    if twice == Twice::Harmful && error.outcome() == Outcome::Unknown {
                        return Err(error);
                    }
                    // That a member answered says more than that another one did not.
                    failure = if matches!(failure, Error::NoLeader) { failure } else { error };
                }
                Err(error) => return Err(error),
            }
        }
        Err(failure)
    }

    /// Asks one member. When it does not know us any more it is told again who we are, once.
    async fn attempt<T, F>(
        &self,
        member: usize,
        demand: Demand,
        until: Instant,
        work: impl Fn(Client) -> F,
    ) -> Result<(T, u64), Error>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let asked = &self.members[member];
        let contact = lock(&self.contact).clone();
        for again in [true, false] {
            let late =
                || Error::Unreachable { member: asked.url().to_owned(), why: "it takes too long".into() };
            let connected = timeout_at(until, asked.client(demand, &contact)).await;
            let (client, number) = connected.unwrap_or_else(|_| Err(late()))?;
            let outcome = timeout_at(until, work(client)).await;
            let error = match outcome.map(|outcome| outcome.map_err(|why| Error::read(asked.url(), why))) {
                Ok(Ok(answer)) => return Ok((answer, number)),
                Ok(Err(error)) => error,
                Err(_) => {
                    Error::Unanswered { member: asked.url().to_owned(), why: "it takes too long".to_owned() }
                }
            };
            if error.is_of_the_member() || matches!(error, Error::Login(_)) {
                asked.forget(demand, number);
            }
            if !(again && matches!(error, Error::Login(_))) {
                return Err(error);
            }
        }
        unreachable!("the second time always returns")
    }

    fn order(&self) -> MutexGuard<'_, Order> {
        lock(&self.order)
    }
}

/// Which connection answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct By {
    member: usize,
    demand: Demand,
    number: u64,
}

fn seconds(ttl: i64) -> u64 {
    u64::try_from(ttl).unwrap_or(0)
}

fn known(outcome: Result<(), Error>) -> Result<bool, Error> {
    match outcome {
        Ok(()) => Ok(true),
        Err(Error::NoLease) => Ok(false),
        Err(error) => Err(error),
    }
}

/// A panic while the lock was held left nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
