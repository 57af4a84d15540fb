//! The descriptors of a service: what is uploaded, and what reflection and health need to know.
//!
//! Reads an encoded FileDescriptorSet once, at the start. The digest is over the bytes as they are;
//! they are never encoded again, since that would lose custom options. What is in a set beyond names
//! is for the gateway to judge.

use bytes::Bytes;
use prost::Message;
use prost_types::FileDescriptorSet;
use sha2::{Digest, Sha256};

/// A descriptor set that can be registered.
#[derive(Clone, Debug)]
pub(crate) struct Schema {
    /// The encoded FileDescriptorSet.
    pub(crate) bytes: Bytes,
    /// The sha256 of `bytes` in lower-case hexadecimal.
    pub(crate) hex: String,
    /// The full names of its protobuf services, sorted.
    pub(crate) services: Vec<String>,
    /// What its author should know.
    pub(crate) warnings: Vec<String>,
}

impl Schema {
    /// Reads an encoded set, or says in a sentence why it is none.
    pub(crate) fn read(bytes: &'static [u8]) -> Result<Self, String> {
        let set = FileDescriptorSet::decode(bytes)
            .map_err(|why| format!("not an encoded FileDescriptorSet: {why}"))?;
        let services = services(&set);
        if services.is_empty() {
            return Err(
                "the set has no service; pass the set that holds the service's own .proto file".into()
            );
        }
        Ok(Self {
            bytes: Bytes::from_static(bytes),
            hex: hex::encode(Sha256::digest(bytes)),
            services,
            warnings: warnings(&set),
        })
    }

    /// The digest as the registry writes it.
    pub(crate) fn digest(&self) -> String {
        format!("sha256:{}", self.hex)
    }
}

fn services(set: &FileDescriptorSet) -> Vec<String> {
    let mut names = Vec::new();
    for file in &set.file {
        for service in &file.service {
            names.push(match file.package() {
                "" => service.name().to_owned(),
                package => format!("{package}.{}", service.name()),
            });
        }
    }
    names.sort();
    names
}

fn warnings(set: &FileDescriptorSet) -> Vec<String> {
    let mut warnings = Vec::new();
    let missing: Vec<&str> = set
        .file
        .iter()
        .flat_map(|file| &file.dependency)
        .map(String::as_str)
        .filter(|import| !set.file.iter().any(|file| file.name() == *import))
        .collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        warnings.push(format!(
            "the descriptors lack their imports ({missing}); build them with imports included"
        ));
    }
    let commented = |file: &prost_types::FileDescriptorProto| file.source_code_info.is_some();
    if !set.file.iter().any(commented) {
        warnings.push(
            "the descriptors carry no source info, so comments will not become descriptions; build them with it"
                .into(),
        );
    }
    warnings
}

#[cfg(test)]
mod tests {
    use prost_types::{FileDescriptorProto, ServiceDescriptorProto};

    use super::*;

    fn encoded(file: FileDescriptorProto) -> &'static [u8] {
        FileDescriptorSet { file: vec![file] }.encode_to_vec().leak()
    }

    #[test]
    fn a_schema_knows_its_services_and_its_digest() {
        let schema = Schema::read(turnout_proto::REGISTRY_DESCRIPTORS).unwrap();
        assert_eq!(schema.services, ["turnout.registry.v1.Registry"]);
        assert_eq!(schema.digest().len(), "sha256:".len() + 64);
        assert!(schema.warnings.is_empty(), "{:?}", schema.warnings);
    }

    #[test]
    fn a_set_without_services_or_not_a_set_is_refused() {
        let empty = Schema::read(encoded(FileDescriptorProto::default())).unwrap_err();
        assert!(empty.contains("no service"), "{empty}");
        let broken = Schema::read(&[0xff, 0xff]).unwrap_err();
        assert!(broken.contains("not an encoded FileDescriptorSet"), "{broken}");
    }

    #[test]
    fn missing_imports_and_comments_are_warned_of() {
        let file = FileDescriptorProto {
            name: Some("a.proto".into()),
            dependency: vec!["b.proto".into()],
            service: vec![ServiceDescriptorProto { name: Some("A".into()), ..Default::default() }],
            ..Default::default()
        };
        let schema = Schema::read(encoded(file)).unwrap();
        assert_eq!(schema.services, ["A"]);
        assert_eq!(schema.warnings.len(), 2);
        assert!(schema.warnings[0].contains("b.proto"));
    }
}
