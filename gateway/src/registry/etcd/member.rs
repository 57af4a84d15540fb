//! One member of a cluster, and the connections to it.
//!
//! A connection is made when it is needed and kept. It is forgotten after it failed, so that the next call
//! makes a new one: with the certificates as the files have them then, a new look at the name, and a new
//! login. Who waits for a connection waits for one attempt, not for one each.

use std::time::Duration;

use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};
use tokio::sync::Mutex;

use super::cluster::Contact;
use super::error::Error;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(1);
/// How often an idle connection is tried. etcd ends those that are tried more often than every 5 s.
const PING_EVERY: Duration = Duration::from_secs(10);
/// How long the answer to that may take.
const PING_ANSWER: Duration = Duration::from_secs(5);

/// Whether a member must know of a leader to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    /// It must; what it says then is what all agree on.
    Leader,
    /// It need not; it tells what it has.
    Nothing,
}

/// A member.
#[derive(Debug)]
pub(super) struct Member {
    url: String,
    strict: Mutex<Slot>,
    lax: Mutex<Slot>,
}

/// A connection, numbered, so that one that failed is told from the one that replaced it.
#[derive(Default)]
struct Slot {
    number: u64,
    client: Option<Client>,
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Member {
    pub(super) fn new(url: String) -> Member {
        Member { url, strict: Mutex::default(), lax: Mutex::default() }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The connection, made now if there is none, and its number.
    pub(super) async fn client(&self, demand: Demand, contact: &Contact) -> Result<(Client, u64), Error> {
        let mut slot = self.slot(demand).lock().await;
        if let Some(client) = &slot.client {
            return Ok((client.clone(), slot.number));
        }
        let client = self.connect(demand, contact).await?;
        slot.number += 1;
        slot.client = Some(client.clone());
        Ok((client, slot.number))
    }

    /// Makes the next call connect anew, unless another one did already.
    pub(super) fn forget(&self, demand: Demand, number: u64) {
        // Who holds it is connecting anew.
        if let Ok(mut slot) = self.slot(demand).try_lock()
            && slot.number == number
        {
            slot.client = None;
        }
    }

    fn slot(&self, demand: Demand) -> &Mutex<Slot> {
        match demand {
            Demand::Leader => &self.strict,
            Demand::Nothing => &self.lax,
        }
    }

    async fn connect(&self, demand: Demand, contact: &Contact) -> Result<Client, Error> {
        let mut options = ConnectOptions::new()
            .with_connect_timeout(CONNECT)
            .with_keep_alive(PING_EVERY, PING_ANSWER)
            .with_auto_token_refresh(true)
            .with_require_leader(demand == Demand::Leader);
        if self.url.starts_with("https:") {
            options = options.with_tls(tls(contact).await?);
        }
        let Some(login) = &contact.login else {
            return Client::connect([&self.url], Some(options)).await.map_err(|why| self.failed(why));
        };
        let known = options.clone().with_user(&login.username, login.password.reveal());
        match Client::connect([&self.url], Some(known)).await.map_err(|why| self.failed(why)) {
            // A cluster that asks nobody for a name takes us without one.
            Err(Error::Refused(why)) if why.contains("authentication is not enabled") => {
                Client::connect([&self.url], Some(options)).await.map_err(|why| self.failed(why))
            }
            outcome => outcome,
        }
    }

    fn failed(&self, why: etcd_client::Error) -> Error {
        Error::read(&self.url, why)
    }
}

async fn tls(contact: &Contact) -> Result<TlsOptions, Error> {
    let mut options = TlsOptions::new();
    options = match &contact.tls.ca {
        Some(path) => options.ca_certificate(Certificate::from_pem(read(path).await?)),
        None => options.with_native_roots(),
    };
    if let Some(client) = &contact.tls.client {
        options = options.identity(Identity::from_pem(read(&client.cert).await?, read(&client.key).await?));
    }
    Ok(options)
}

async fn read(path: &std::path::Path) -> Result<Vec<u8>, Error> {
    tokio::fs::read(path).await.map_err(|error| Error::File(path.to_owned(), error))
}
