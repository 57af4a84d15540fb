//! Whether every RPC that the graph calls is still there, under the same path, with the same promises.

use std::collections::BTreeMap;

use prost_reflect::prost_types::method_options::IdempotencyLevel;
use prost_reflect::{DescriptorPool, MethodDescriptor};

use super::exposed::{Called, Exposed, Place};
use super::{Findings, Rule, Sides};
use crate::graph::Name;

pub(super) fn check(
    exposed: &Exposed<'_>,
    (old, new): (&DescriptorPool, &DescriptorPool),
    findings: &mut Findings<'_>,
) {
    let mut services: BTreeMap<&Name, Vec<&Called<'_>>> = BTreeMap::new();
    for ((service, _), called) in &exposed.rpcs {
        services.entry(service).or_default().push(called);
    }
    // Services that went with the package of their file: the cause is told once for the file.
    let mut moved: BTreeMap<String, (Vec<Place>, Sides)> = BTreeMap::new();
    for (service, calls) in services {
        let Some(was) = old.get_service_by_name(service) else { continue };
        let Some(is) = new.get_service_by_name(service) else {
            let places: Vec<Place> = calls.iter().flat_map(|called| called.places.clone()).collect();
            let file = was.parent_file();
            let package = new.get_file_by_name(file.name()).map(|file| file.package_name().to_owned());
            if let Some(package) = package.filter(|package| package != file.package_name()) {
                let sides =
                    Sides::new(format!("package {}", file.package_name()), format!("package {package}"));
                moved.entry(file.name().to_owned()).or_insert((Vec::new(), sides)).0.extend(places);
            } else {
                let sides = Sides::new(format!("service {}", was.name()), "");
                findings.push(Rule::PackageServiceNoDelete, Some(service), &places, sides);
            }
            continue;
        };
        for called in calls {
            let Some(was) = was.methods().find(|method| method.name() == &*called.rpc.method) else {
                continue;
            };
            match is.methods().find(|method| method.name() == was.name()) {
                Some(is) => compare(called, &was, &is, findings),
                None => {
                    let sides = Sides::new(format!("rpc {}", was.name()), "");
                    findings.push(Rule::RpcNoDelete, Some(was.full_name()), &called.places, sides);
                }
            }
        }
    }
    for (file, (places, sides)) in moved {
        findings.push(Rule::FileSamePackage, Some(&file), &places, sides);
    }
}

fn compare(called: &Called<'_>, old: &MethodDescriptor, new: &MethodDescriptor, findings: &mut Findings<'_>) {
    let stream = |streams: bool| if streams { "stream" } else { "one message" }.to_owned();
    for (rule, was, is) in [
        (Rule::RpcSameRequestType, old.input().full_name().to_owned(), new.input().full_name().to_owned()),
        (Rule::RpcSameResponseType, old.output().full_name().to_owned(), new.output().full_name().to_owned()),
        (Rule::RpcSameClientStreaming, stream(old.is_client_streaming()), stream(new.is_client_streaming())),
        (Rule::RpcSameServerStreaming, stream(old.is_server_streaming()), stream(new.is_server_streaming())),
        (Rule::RpcSameIdempotencyLevel, idempotency(old), idempotency(new)),
    ] {
        if was != is {
            findings.push(rule, Some(old.full_name()), &called.places, Sides::new(was, is));
        }
    }
}

fn idempotency(method: &MethodDescriptor) -> String {
    let options = method.method_descriptor_proto().options.as_ref();
    options
        .map_or(IdempotencyLevel::IdempotencyUnknown, |options| options.idempotency_level())
        .as_str_name()
        .to_owned()
}
