//! What a graph costs: reading and composing one service's descriptors, and planning an operation that
//! was never seen before.
//!
//! `bench-graph` measures the questions of the stand and a made-up service of 1 000 messages; `bench-graph FILE`
//! a descriptor set of your own, such as the output of `buf build -o`. Medians of many rounds in one
//! process; nothing is sent anywhere.

use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
    ServiceDescriptorProto,
};
use turnout_bench::SERVICES;
use turnout_bench::question::Question;
use turnout_schema::compose::{self, Locks};
use turnout_schema::guard::{self, Limits};
use turnout_schema::subgraph::{self, Exposure};
use turnout_schema::validate::Validator;
use turnout_schema::{Descriptors, Supergraph, plan};

fn main() -> Result<()> {
    let mut out = std::io::stdout().lock();
    let (name, bytes) = match std::env::args_os().nth(1) {
        Some(file) => {
            let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            (file.display().to_string(), bytes)
        }
        None => ("1000 messages of 10 fields".to_owned(), made_up(1000)),
    };
    let composed = graph(&[("it", &bytes)])?;
    writeln!(out, "{name}: {} bytes, {} types", bytes.len(), composed.types.len())?;
    let read = median(15, || Descriptors::read(black_box(&bytes)).is_ok());
    writeln!(out, "  descriptors read      {read:>12.3?}")?;
    let descriptors = Descriptors::read(&bytes)?;
    let offered = median(15, || subgraph::read("it", "1.0.0", black_box(&descriptors), Exposure::All));
    writeln!(out, "  subgraph from those   {offered:>12.3?}")?;
    let subgraph = subgraph::read("it", "1.0.0", &descriptors, Exposure::All).subgraph;
    let one = std::slice::from_ref(&subgraph);
    let compose = median(15, || compose::compose(black_box(one), &Locks::default()));
    writeln!(out, "  composed              {compose:>12.3?}")?;

    let supergraph = graph(&SERVICES.map(|service| (service.name, service.descriptors)))?;
    let validator = Validator::new(&supergraph).map_err(|error| anyhow!(error))?;
    for name in Question::ALL {
        let text = name.text();
        let text = text.as_str();
        let plan = || -> Option<plan::Plan> {
            guard::check(text, &Limits::RECOMMENDED).ok()?;
            let document = validator.validate(text).ok()?;
            plan::plan(&supergraph, &document, None).ok()
        };
        ensure!(plan().is_some(), "{name} is not planned");
        let cold = median(2_000, plan);
        let mut cache = plan::Cache::new(16, 1 << 20);
        cache.put(text, None, Arc::new(plan().context("was planned before")?), 0);
        let warm = median(2_000, || cache.get(black_box(text), None));
        writeln!(
            out,
            "{name}: measured, parsed, validated and planned in {cold:.3?}, found again in {warm:.3?}"
        )?;
    }
    Ok(())
}

/// The graph of services, given by their names and descriptors.
fn graph(services: &[(&str, &[u8])]) -> Result<Supergraph> {
    let mut subgraphs = Vec::with_capacity(services.len());
    for (name, bytes) in services {
        subgraphs.push(subgraph::read(name, "1.0.0", &Descriptors::read(bytes)?, Exposure::All).subgraph);
    }
    let composition = compose::compose(&subgraphs, &Locks::default());
    composition.supergraph.context("the services offer no field")
}

/// A service that lists things, each of which has fields of every plain kind and refers to the next.
fn made_up(messages: usize) -> Vec<u8> {
    let field = |name: &str, number: i32, kind: Type, of: Option<String>| FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        label: Some(Label::Optional.into()),
        r#type: Some(kind.into()),
        type_name: of,
        ..Default::default()
    };
    let kinds = [Type::String, Type::Int32, Type::Int64, Type::Bool, Type::Double, Type::Bytes];
    let message = |at: usize| {
        let plain =
            (1..10).zip(kinds.iter().cycle()).map(|(n, kind)| field(&format!("field_{n}"), n, *kind, None));
        let next = Some(format!(".big.v1.Thing{}", (at + 1) % messages));
        let fields = plain.chain([field("next", 10, Type::Message, next)]);
        DescriptorProto { name: Some(format!("Thing{at}")), field: fields.collect(), ..Default::default() }
    };
    let method = |at: usize| MethodDescriptorProto {
        name: Some(format!("GetThing{at}")),
        input_type: Some(".big.v1.Thing0".to_owned()),
        output_type: Some(format!(".big.v1.Thing{at}")),
        ..Default::default()
    };
    let file = FileDescriptorProto {
        name: Some("big.proto".to_owned()),
        package: Some("big.v1".to_owned()),
        message_type: (0..messages).map(message).collect(),
        service: vec![ServiceDescriptorProto {
            name: Some("BigService".to_owned()),
            method: (0..messages).step_by(10).map(method).collect(),
            ..Default::default()
        }],
        syntax: Some("proto3".to_owned()),
        ..Default::default()
    };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}

#[expect(clippy::disallowed_methods, reason = "this measures time")]
fn median<T>(rounds: usize, mut work: impl FnMut() -> T) -> Duration {
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            black_box(work());
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[rounds / 2]
}
