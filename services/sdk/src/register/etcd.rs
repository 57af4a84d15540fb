//! Writing the native keys straight into etcd: `design/registry.md` section 8.
//!
//! ```text
//! <root>/schemas/<hex>/c/0000 …   512 KiB each     <root>/schemas/<hex>/meta   last: present = complete
//! <root>/instances/<service>/<id> JSON, under a lease
//! ```
//! Each member of the cluster has its own client, and calls go to one member until it fails: a client
//! of several members keeps sending to a dead one. A client that failed is thrown away, with its
//! connection and its token.

use std::collections::BTreeMap;
use std::time::Duration;

use etcd_client::{
    Client, Compare, CompareOp, ConnectOptions, Error as EtcdError, PutOptions, TlsOptions, Txn, TxnOp,
};
use prost_types::Timestamp;
use serde::Serialize;
use tonic::Code;

use super::{Error, Grant, Refusal, chain};
use crate::clock;
use crate::instance::{Instance, Presence};
use crate::schema::Schema;

/// etcd refuses requests above 1.5 MiB; the layout says 512 KiB.
const CHUNK_BYTES: usize = 512 << 10;
/// etcd closes connections that are pinged more often than every 5 s.
const PING_EVERY: Duration = Duration::from_secs(10);
const PING_DEADLINE: Duration = Duration::from_secs(5);
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);

/// Clients of the members of one cluster.
pub(crate) struct Registrar {
    members: Vec<Member>,
    /// The member that answered last.
    at: usize,
    root: String,
    user: Option<(String, String)>,
}

struct Member {
    url: String,
    client: Option<Client>,
}

#[derive(Serialize)]
struct InstanceValue<'a> {
    v: u32,
    service: &'a str,
    id: &'a str,
    version: String,
    incarnation: u64,
    endpoints: [EndpointValue<'a>; 1],
    codec: &'static str,
    weight: u32,
    state: &'static str,
    schema: SchemaValue,
    health: &'static str,
    meta: &'a BTreeMap<String, String>,
    registered_at: String,
}

#[derive(Serialize)]
struct EndpointValue<'a> {
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<&'a str>,
}

#[derive(Serialize)]
struct SchemaValue {
    digest: String,
    kind: &'static str,
    services: [String; 0],
}

#[derive(Serialize)]
struct MetaValue<'a> {
    v: u32,
    kind: &'static str,
    encoding: &'static str,
    size: usize,
    stored_size: usize,
    chunks: usize,
    services: &'a [String],
    created_at: String,
}

impl std::fmt::Debug for Registrar {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let members: Vec<&str> = self.members.iter().map(|member| member.url.as_str()).collect();
        out.debug_struct("Registrar")
            .field("members", &members)
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

impl Registrar {
    pub(crate) fn new(
        members: &[String],
        root: &str,
        user: Option<(String, String)>,
    ) -> Result<Self, String> {
        let members: Vec<_> = members.iter().map(|url| Member { url: url.clone(), client: None }).collect();
        if members.is_empty() {
            return Err("no member is named".to_owned());
        }
        Ok(Self { members, at: 0, root: root.to_owned(), user })
    }

    pub(crate) async fn has_schema(&mut self, schema: &Schema, within: Duration) -> Result<bool, Error> {
        let key = self.meta_key(schema);
        let work = |mut client: Client| {
            let key = key.clone();
            async move { Ok(client.get(key, None).await?.count() > 0) }
        };
        self.call(within, work).await
    }

    pub(crate) async fn put_schema(&mut self, schema: &Schema, within: Duration) -> Result<(), Error> {
        let meta = encoded(&MetaValue {
            v: 1,
            kind: "proto-fds",
            encoding: "identity",
            size: schema.bytes.len(),
            stored_size: schema.bytes.len(),
            chunks: schema.bytes.len().div_ceil(CHUNK_BYTES),
            services: &schema.services,
            created_at: now(),
        })?;
        let (meta_key, chunk_keys) =
            (self.meta_key(schema), format!("{}/schemas/{}/c", self.root, schema.hex));
        let work = |mut client: Client| {
            let (meta_key, chunk_keys, meta) = (meta_key.clone(), chunk_keys.clone(), meta.clone());
            let bytes = schema.bytes.clone();
            async move {
                for (number, chunk) in bytes.chunks(CHUNK_BYTES).enumerate() {
                    client.put(format!("{chunk_keys}/{number:04}"), chunk, None).await?;
                }
                let absent = Compare::version(meta_key.as_str(), CompareOp::Equal, 0);
                client.txn(Txn::new().when([absent]).and_then([TxnOp::put(meta_key, meta, None)])).await?;
                Ok(())
            }
        };
        self.call(within, work).await
    }

    pub(crate) async fn put_instance(
        &mut self,
        instance: &Instance,
        schema: &Schema,
        presence: Presence,
        within: Duration,
    ) -> Result<Grant, Error> {
        let (key, value) = (self.instance_key(instance), value(instance, schema, presence)?);
        let ttl = i64::try_from(instance.ttl.as_secs()).unwrap_or(i64::MAX);
        let work = |mut client: Client| {
            let (key, value) = (key.clone(), value.clone());
            async move {
                let lease = client.lease_grant(ttl, None).await?;
                client.put(key, value, Some(PutOptions::new().with_lease(lease.id()))).await?;
                Ok((lease.id(), lease.ttl()))
            }
        };
        let (lease, ttl) = self.call(within, work).await?;
        let ttl = Duration::from_secs(u64::try_from(ttl).unwrap_or(0).max(1));
        Ok(Grant { lease: format!("{lease:x}"), ttl, findings: Vec::new() })
    }

    /// Writes the instance as draining under the lease it has.
    pub(crate) async fn replace(
        &mut self,
        instance: &Instance,
        schema: &Schema,
        lease: &str,
        within: Duration,
    ) -> Result<Grant, Error> {
        let number = number(lease)?;
        let (key, value) = (self.instance_key(instance), value(instance, schema, Presence::Draining)?);
        let work = |mut client: Client| {
            let (key, value) = (key.clone(), value.clone());
            async move { client.put(key, value, Some(PutOptions::new().with_lease(number))).await.map(drop) }
        };
        self.call(within, work).await?;
        Ok(Grant { lease: lease.to_owned(), ttl: instance.ttl, findings: Vec::new() })
    }

    pub(crate) async fn beat(&mut self, lease: &str, within: Duration) -> Result<(), Error> {
        let lease = number(lease)?;
        // Opening a stream sends one heartbeat and reads its answer; a lease that has ended is an
        // error here. One stream per heartbeat leaves nothing behind that could break unnoticed.
        let work = |mut client: Client| async move { client.lease_keep_alive(lease).await.map(drop) };
        self.call(within, work).await
    }

    pub(crate) async fn verify(
        &mut self,
        instance: &Instance,
        lease: &str,
        within: Duration,
    ) -> Result<(), Error> {
        let (key, lease) = (self.instance_key(instance), number(lease)?);
        let work = |mut client: Client| {
            let key = key.clone();
            async move {
                let found = client.get(key, None).await?;
                Ok(found.kvs().first().is_some_and(|pair| pair.lease() == lease))
            }
        };
        if self.call(within, work).await? { Ok(()) } else { Err(Error::Gone) }
    }

    pub(crate) async fn remove(
        &mut self,
        instance: &Instance,
        lease: &str,
        within: Duration,
    ) -> Result<(), Error> {
        let (key, lease) = (self.instance_key(instance), number(lease)?);
        let work = |mut client: Client| {
            let key = key.clone();
            async move {
                let ours = Compare::lease(key.as_str(), CompareOp::Equal, lease);
                client.txn(Txn::new().when([ours]).and_then([TxnOp::delete(key, None)])).await?;
                client.lease_revoke(lease).await.map(drop)
            }
        };
        self.call(within, work).await
    }

    /// Performs `work` at the member that answered last, or else at each of the others in turn; each
    /// gets its share of the time.
    async fn call<T, F>(&mut self, within: Duration, work: impl Fn(Client) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, EtcdError>>,
    {
        let share = within / u32::try_from(self.members.len()).unwrap_or(1).max(1);
        let mut troubles = Vec::new();
        for _ in 0..self.members.len() {
            let member = &mut self.members[self.at];
            // Taken out, so that a call that is given up takes its connection with it.
            let (client, user) = (member.client.take(), self.user.clone());
            let outcome = tokio::time::timeout(share, async {
                let client = match client {
                    Some(client) => client,
                    None => connect(&member.url, user).await?,
                };
                let outcome = work(client.clone()).await?;
                Ok((client, outcome))
            });
            match outcome.await {
                Ok(Ok((client, outcome))) => {
                    member.client = Some(client);
                    return Ok(outcome);
                }
                Ok(Err(why)) => match failure(&member.url, &why) {
                    Error::Failed(trouble) => troubles.push(trouble),
                    lasting @ (Error::Gone | Error::Refused(_)) => return Err(lasting),
                },
                Err(_) => troubles.push(format!("{}: no answer within {share:.1?}", member.url)),
            }
            self.at = (self.at + 1) % self.members.len();
        }
        Err(Error::Failed(troubles.join("; ")))
    }

    fn meta_key(&self, schema: &Schema) -> String {
        format!("{}/schemas/{}/meta", self.root, schema.hex)
    }

    fn instance_key(&self, instance: &Instance) -> String {
        format!("{}/instances/{}/{}", self.root, instance.service, instance.id)
    }
}

async fn connect(url: &str, user: Option<(String, String)>) -> Result<Client, EtcdError> {
    let mut options = ConnectOptions::new()
        .with_connect_timeout(CONNECT_DEADLINE)
        .with_keep_alive(PING_EVERY, PING_DEADLINE)
        .with_require_leader(true);
    if url.starts_with("https:") {
        options = options.with_tls(TlsOptions::new().with_native_roots());
    }
    if let Some((name, password)) = user {
        options = options.with_user(name, password);
    }
    Client::connect([url], Some(options)).await
}

fn failure(url: &str, why: &EtcdError) -> Error {
    match why {
        EtcdError::LeaseKeepAliveError(_) => Error::Gone,
        EtcdError::GRpcStatus(status) => match status.code() {
            // The one thing that is looked up by number here is a lease.
            Code::NotFound => Error::Gone,
            Code::PermissionDenied | Code::InvalidArgument | Code::Unauthenticated | Code::FailedPrecondition => {
                Error::Refused(Refusal {
                    code: format!("{:?}", status.code()),
                    message: format!("etcd at {url} says: {}", status.message()),
                    help: "check user and password in TURNOUT_REGISTRY_URL, and that the role may write below the root"
                        .into(),
                    mistakes: Vec::new(),
                })
            }
            code => {
                let cause = std::error::Error::source(status).map(chain);
                let cause = cause.unwrap_or_else(|| status.message().to_owned());
                Error::Failed(format!("{url}: {code:?}: {cause}"))
            }
        },
        other => Error::Failed(format!("{url}: {}", chain(other))),
    }
}

fn value(instance: &Instance, schema: &Schema, presence: Presence) -> Result<Vec<u8>, Error> {
    encoded(&InstanceValue {
        v: 1,
        service: &instance.service,
        id: &instance.id,
        version: instance.version.to_string(),
        incarnation: instance.incarnation,
        endpoints: [EndpointValue { url: &instance.url, zone: instance.zone.as_deref() }],
        codec: "protobuf",
        weight: instance.weight,
        state: match presence {
            Presence::Up => "up",
            Presence::Draining => "draining",
        },
        schema: SchemaValue { digest: schema.digest(), kind: "proto-fds", services: [] },
        health: "grpc",
        meta: &instance.meta,
        registered_at: now(),
    })
}

fn encoded(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|why| Error::Failed(why.to_string()))
}

/// The time of day as RFC 3339 writes it.
fn now() -> String {
    Timestamp::from(clock::now()).to_string()
}

/// Leases are written as etcd's own tools write them: in hexadecimal.
fn number(lease: &str) -> Result<i64, Error> {
    i64::from_str_radix(lease, 16).map_err(|_| Error::Gone)
}
