//! Two thousand instances of two hundred services, in three versions each, written to etcd by other hands.

use std::time::{Duration, Instant};

use etcd_client::{Client, PutOptions, Txn, TxnOp};
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::method_options::IdempotencyLevel;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
    MethodOptions, ServiceDescriptorProto,
};
use serde_json::json;
use turnout_schema::Digest;

use super::world::{Node, eventually};
use crate::etcd::Etcd;

const SERVICES: usize = 200;
const VERSIONS: [&str; 3] = ["1.0.0", "1.1.0", "1.2.0"];
const INSTANCES: usize = 2_000;

/// One service with one RPC, whose answer has a field more in each version.
fn descriptors(service: usize, minor: usize) -> Vec<u8> {
    let text = |name: String, number: i32| FieldDescriptorProto {
        name: Some(name),
        number: Some(number),
        label: Some(Label::Optional.into()),
        r#type: Some(Type::String.into()),
        ..Default::default()
    };
    let message = |name: &str, field: Vec<FieldDescriptorProto>| DescriptorProto {
        name: Some(name.to_owned()),
        field,
        ..Default::default()
    };
    let fields = (0..=minor).map(|at| text(format!("since_{at}"), i32::try_from(at).unwrap() + 1)).collect();
    let package = format!("crowd{service}.v1");
    let method = MethodDescriptorProto {
        name: Some(format!("Look{service}")),
        input_type: Some(format!(".{package}.Request{service}")),
        output_type: Some(format!(".{package}.View{service}")),
        options: Some(MethodOptions {
            idempotency_level: Some(IdempotencyLevel::NoSideEffects.into()),
            ..Default::default()
        }),
        ..Default::default()
    };
    let file = FileDescriptorProto {
        name: Some(format!("crowd{service}.proto")),
        package: Some(package),
        message_type: vec![
            message(&format!("Request{service}"), vec![text("id".to_owned(), 1)]),
            message(&format!("View{service}"), fields),
        ],
        service: vec![ServiceDescriptorProto {
            name: Some(format!("Crowd{service}")),
            method: vec![method],
            ..Default::default()
        }],
        syntax: Some("proto3".to_owned()),
        ..Default::default()
    };
    prost::Message::encode_to_vec(&FileDescriptorSet { file: vec![file] })
}

async fn write(client: &mut Client, lease: i64, puts: &[(String, Vec<u8>)]) {
    for chunk in puts.chunks(100) {
        let put = |(key, value): &(String, Vec<u8>)| {
            TxnOp::put(key.as_str(), value.as_slice(), Some(PutOptions::new().with_lease(lease)))
        };
        let written =
            client.txn(Txn::new().and_then(chunk.iter().map(put).collect::<Vec<_>>())).await.unwrap();
        assert!(written.succeeded());
    }
}

/// Everything as another program would write it; the descriptors through a gateway.
async fn fill(etcd: &Etcd, node: &Node) -> i64 {
    let mut digests = Vec::new();
    for service in 0..SERVICES {
        for minor in 0..VERSIONS.len() {
            let bytes = descriptors(service, minor);
            let digest = Digest::of(&bytes).to_string();
            let (status, text) = node.store(&digest, bytes).await;
            assert!(status < 300, "{text}");
            digests.push(digest);
        }
    }
    let mut client = etcd.client().await;
    let lease = client.lease_grant(600, None).await.unwrap().id();
    let instance = |at: usize| {
        let (service, minor) = (at % SERVICES, at / SERVICES % VERSIONS.len());
        let value = json!({
            "v": 1, "service": format!("crowd{service}"), "id": format!("i{at}"), "version": VERSIONS[minor],
            "incarnation": 1, "endpoints": [{ "url": format!("grpc://127.0.0.1:{}", 20_000 + at) }],
            "schema": { "digest": digests[service * VERSIONS.len() + minor] }, "health": "none",
        });
        (format!("/turnout/v1/instances/crowd{service}/i{at}"), value.to_string().into_bytes())
    };
    let puts: Vec<(String, Vec<u8>)> = (0..INSTANCES).map(instance).collect();
    write(&mut client, lease, &puts).await;
    lease
}

fn known(node: &Node) -> usize {
    let listed = node.process.services();
    let rows = listed.as_array().unwrap().iter();
    rows.map(|row| row["instances"].as_array().map_or(0, Vec::len)).sum()
}

/// The memory of a process, in MiB.
fn resident(node: &Node) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.process.child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_instances_are_a_table_soon() {
    let _one = super::ONE.lock().await;
    let Some(etcd) = Etcd::one().await else { return };
    let first = Node::start_with(&etcd.endpoints(), "", "expose: all\n");
    let lease = fill(&etcd, &first).await;
    eventually("all are known", Duration::from_secs(60), async || (known(&first) == INSTANCES).then_some(()))
        .await;

    let began = Instant::now();
    let second = Node::start_with(&etcd.endpoints(), "", "expose: all\n");
    eventually("all are known", Duration::from_secs(60), async || {
        (known(&second) == INSTANCES).then_some(())
    })
    .await;
    let table = began.elapsed();
    eventually("the graph serves", Duration::from_secs(60), async || {
        second
            .status("/metrics")
            .await
            .1
            .lines()
            .any(|line| line.starts_with("turnout_generation ") && !line.ends_with(" 0"))
            .then_some(())
    })
    .await;
    println!("table after {table:?}, graph after {:?}, {} MiB at most", began.elapsed(), resident(&second));

    // One more instance composes nothing.
    let compositions =
        |text: String| text.lines().find(|line| line.starts_with("turnout_compositions")).map(str::to_owned);
    let before = compositions(second.status("/metrics").await.1);
    let mut client = etcd.client().await;
    let digest = Digest::of(&descriptors(0, 2)).to_string();
    let value = json!({
        "v": 1, "service": "crowd0", "id": "late", "version": "1.2.0", "incarnation": 1,
        "endpoints": [{ "url": "grpc://127.0.0.1:19999" }], "schema": { "digest": digest }, "health": "none",
    });
    let put = Some(PutOptions::new().with_lease(lease));
    client.put("/turnout/v1/instances/crowd0/late", value.to_string(), put).await.unwrap();
    let began = Instant::now();
    eventually("the latecomer is known", Duration::from_secs(10), async || {
        (known(&second) == INSTANCES + 1).then_some(())
    })
    .await;
    println!("a latecomer is known after {:?}", began.elapsed());
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(compositions(second.status("/metrics").await.1), before);

    // On a machine that builds without optimising, and does other things, there has to be room.
    assert!(table < Duration::from_secs(10), "{table:?}");
    assert!(resident(&second) < 250, "{} MiB", resident(&second));
}
